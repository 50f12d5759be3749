"""The dialect under SQLAlchemy's own suite, which wants to create tables and insert rows.

The server's SQL only reads. So that the suite's statements still run on the real server, over real rows, the tables
are kept here and put in front of each statement that names them, as common table expressions:

    WITH "some_table" AS (SELECT CAST(? AS BIGINT) AS "id" UNION ALL …) SELECT "some_table"."id" FROM "some_table"

Compiling, binding, executing, describing and fetching are the dialect's own.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql import compiler

from ovate_connector.sqlalchemy.compiler import OvateCompiler, OvateTypeCompiler
from ovate_connector.sqlalchemy.dialect import OvateDialect

# Name of a table → (the table, its rows). Of the module: the suite makes several engines for one database.
TABLES: dict[str, tuple[Any, list[dict[str, Any]]]] = {}


class Literal(str):
    """A value that came as a piece of SQL."""


class SuiteCompiler(OvateCompiler):
    """Compiles INSERT and DELETE, so that the rows can be taken out of them."""

    visit_insert = compiler.SQLCompiler.visit_insert
    visit_delete = compiler.SQLCompiler.visit_delete
    visit_update = compiler.SQLCompiler.visit_update


class SuiteTypeCompiler(OvateTypeCompiler):
    """Types in a CREATE TABLE may be such that the server has not; they are never sent."""


class SuiteDialect(OvateDialect):
    """`ovate+suite://`."""

    supports_statement_cache = True
    statement_compiler = SuiteCompiler
    ddl_compiler = compiler.DDLCompiler
    supports_empty_insert = True

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        if context is None or context.compiled is None:
            super().do_execute(cursor, *self._with_tables(statement, parameters), context)
        elif context.isddl:
            self._define(context.compiled.statement)
        elif context.isinsert:
            self._insert(context, [parameters])
        elif context.isdelete:
            TABLES[context.compiled.statement.table.fullname][1].clear()
        else:
            super().do_execute(cursor, *self._with_tables(statement, parameters), context)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        self._insert(context, parameters)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        super().do_execute(cursor, *self._with_tables(statement, ()), context)

    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        return table_name in TABLES or super().has_table(connection, table_name, schema, **kw)

    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return [*TABLES, *super().get_table_names(connection, schema, **kw)]

    def _define(self, ddl: Any) -> None:
        if isinstance(ddl, CreateTable):
            TABLES[ddl.element.fullname] = (ddl.element, [])
        elif isinstance(ddl, DropTable):
            TABLES.pop(ddl.element.fullname, None)

    def _insert(self, context: Any, many: Any) -> None:
        table, rows = TABLES[context.compiled.statement.table.fullname]
        names = context.compiled.positiontup
        # Literals instead of parameters: what stands between the parentheses is the value.
        literal = re.search(r"\(([\w, ]+)\) VALUES \((.*)\)$", context.statement, re.DOTALL)
        if literal and not any(many):
            columns = literal[1].split(", ")
            values = literal[2].split(", ") if len(columns) > 1 else [literal[2]]
            rows.append({column: Literal(value) for column, value in zip(columns, values, strict=True)})
            return
        # The second name is that of SQLAlchemy 1.4.
        key = table.autoincrement_column if hasattr(table, "autoincrement_column") else table._autoincrement_column
        for parameters in many:
            # INSERT … VALUES (…), (…) numbers the parameters of its rows: `x_m0`, `x_m1`.
            grouped: dict[str, dict[str, Any]] = {}
            for name, value in zip(names, parameters, strict=True):
                match = re.fullmatch(r"(.*)_m(\d+)", name)
                column, number = (match[1], match[2]) if match and match[1] in table.c else (name, "0")
                grouped.setdefault(number, {})[column] = value
            for row in grouped.values() or [{}]:
                if key is not None and row.get(key.key) is None:
                    row[key.key] = 1 + max((other.get(key.key) or 0 for other in rows), default=0)
                rows.append(row)

    def _with_tables(self, statement: str, parameters: Any) -> tuple[str, Any]:
        expressions, values = [], []
        for name, (table, rows) in TABLES.items():
            if not re.search(rf"(?<![\w\"]){re.escape(name)}(?!\w)|\"{re.escape(name)}\"", statement):
                continue
            expressions.append(f"{self.identifier_preparer.quote(name)} AS ({self._rows_sql(table, rows)})")
            cells = [row.get(column.key) for row in rows for column in table.c]
            values += [cell for cell in cells if not isinstance(cell, Literal)]
        if not expressions:
            return statement, parameters
        joined = ", ".join(expressions)
        if match := re.match(r"\s*WITH\s+(RECURSIVE\s+)?", statement, re.IGNORECASE):
            return f"WITH {match[1] or ''}{joined}, {statement[match.end() :]}", (*values, *(parameters or ()))
        return f"WITH {joined} {statement}", (*values, *(parameters or ()))

    def _rows_sql(self, table: Any, rows: list[Any]) -> str:
        quote = self.identifier_preparer.quote
        types = SuiteTypeCompiler(self)

        def cells(values: dict[str, str]) -> str:
            casts = [f"CAST({values.get(c.key, '?')} AS {types.process(c.type)}) AS {quote(c.name)}" for c in table.c]
            return ", ".join(casts)

        if not rows:
            return f"SELECT {cells({c.key: 'NULL' for c in table.c})} WHERE 1 <> 1"
        literals = [{k: v for k, v in row.items() if isinstance(v, Literal)} for row in rows]
        return " UNION ALL ".join(f"SELECT {cells(row)}" for row in literals)
