"""From SQLAlchemy's expressions to the server's SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc
from sqlalchemy.sql import compiler

from .words import RESERVED


class OvateIdentifierPreparer(compiler.IdentifierPreparer):
    """Names are case-sensitive and never folded; what is quoted is quoted in double quotes."""

    reserved_words = set(RESERVED)


class OvateCompiler(compiler.SQLCompiler):
    """Statements. Only what differs from standard SQL is here."""

    def visit_mod_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """`a % b`: Druid has the function, not the sign."""
        return f"MOD({self.process(binary.left, **kw)}, {self.process(binary.right, **kw)})"

    def visit_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """`a.regexp_match(pattern)`."""
        return f"REGEXP_LIKE({self._regexp_arguments(binary, 'regexp_match', **kw)})"

    def visit_not_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """`~a.regexp_match(pattern)`."""
        return f"NOT REGEXP_LIKE({self._regexp_arguments(binary, 'regexp_match', **kw)})"

    def visit_regexp_replace_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """`a.regexp_replace(pattern, replacement)`."""
        return f"REGEXP_REPLACE({self._regexp_arguments(binary, 'regexp_replace', **kw)})"

    def visit_now_func(self, fn: Any, **kw: Any) -> str:
        """`func.now()`."""
        return "CURRENT_TIMESTAMP"

    def visit_localtimestamp_func(self, fn: Any, **kw: Any) -> str:
        """`func.localtimestamp()`: timestamps have no zone, so that this is the same."""
        return "CURRENT_TIMESTAMP"

    def visit_sysdate_func(self, fn: Any, **kw: Any) -> str:
        """`func.sysdate()`."""
        return "CURRENT_TIMESTAMP"

    def visit_sequence(self, sequence: Any, **kw: Any) -> str:
        """There are no sequences."""
        raise exc.CompileError("Ovate has no sequences")

    def visit_empty_set_expr(self, element_types: Any, **kw: Any) -> str:
        """No rows, for `IN ()`."""
        nulls = ", ".join("CAST(NULL AS " + self._type_name(type_) + ")" for type_ in element_types)
        return f"SELECT {nulls or 'NULL'} WHERE 1 <> 1"

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Nothing is locked: rows are never changed."""
        return ""

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """`LIMIT` and `OFFSET`, each of which may stand alone."""
        text = ""
        if select._limit_clause is not None:
            text += "\n LIMIT " + self.process(select._limit_clause, **kw)
        if select._offset_clause is not None:
            text += "\n OFFSET " + self.process(select._offset_clause, **kw)
        return text

    def visit_update(self, *arguments: Any, **kw: Any) -> str:
        """Rows are never changed."""
        raise exc.CompileError("Ovate's SQL only reads: there is no UPDATE")

    def visit_delete(self, *arguments: Any, **kw: Any) -> str:
        """Rows are removed by interval, through the coordinator's API."""
        raise exc.CompileError("Ovate's SQL only reads: there is no DELETE")

    def visit_insert(self, *arguments: Any, **kw: Any) -> str:
        """Rows come through ingestion."""
        raise exc.CompileError("Ovate's SQL only reads: rows come in through an ingestion specification")

    def _regexp_arguments(self, binary: Any, name: str, **kw: Any) -> str:
        flags = binary.modifiers.get("flags")
        if flags is not None:
            raise exc.CompileError(f"{name} takes no flags on Ovate; write them into the pattern: (?i)")
        right = binary.right
        # 1.4 hands the replacement over beside the pattern, 2.x as a part of it.
        replacement = binary.modifiers.get("replacement")
        arguments = [binary.left, right] if replacement is None else [binary.left, right, replacement]
        return ", ".join(self.process(argument, **kw) for argument in arguments)

    def _type_name(self, type_: Any) -> str:
        return str(self.dialect.type_compiler.process(type_))


class OvateDDLCompiler(compiler.DDLCompiler):
    """There is no DDL: tables come with their ingestion specification."""

    def _refuse(self, *arguments: Any, **kw: Any) -> str:
        raise exc.CompileError("Ovate's SQL only reads: tables come in through an ingestion specification")

    visit_create_table = _refuse
    visit_drop_table = _refuse
    visit_create_index = _refuse
    visit_drop_index = _refuse
    visit_create_schema = _refuse
    visit_drop_schema = _refuse
    visit_create_view = _refuse
    visit_drop_view = _refuse
    visit_create_sequence = _refuse
    visit_drop_sequence = _refuse
    visit_add_constraint = _refuse
    visit_drop_constraint = _refuse


class OvateTypeCompiler(compiler.GenericTypeCompiler):
    """Types, as CAST takes them. All texts are VARCHAR without a length; all fractions are DOUBLE but FLOAT itself."""

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: D102
        return "VARCHAR"

    visit_CHAR = visit_NCHAR = visit_NVARCHAR = visit_TEXT = visit_CLOB = visit_UUID = visit_VARCHAR
    visit_text = visit_unicode_text = visit_string = visit_unicode = visit_enum = visit_uuid = visit_VARCHAR

    def visit_DOUBLE(self, type_: Any, **kw: Any) -> str:  # noqa: D102
        return "DOUBLE"

    # Python's float has 64 bits; SQLAlchemy's generic Float stands for it.
    visit_float = visit_numeric = visit_NUMERIC = visit_DECIMAL = visit_double = visit_DOUBLE_PRECISION = visit_DOUBLE

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:  # noqa: D102
        return "FLOAT"

    visit_REAL = visit_FLOAT

    def visit_integer(self, type_: Any, **kw: Any) -> str:  # noqa: D102
        return "BIGINT"

    visit_big_integer = visit_small_integer = visit_integer

    def visit_DATETIME(self, type_: Any, **kw: Any) -> str:  # noqa: D102
        return "TIMESTAMP"

    visit_datetime = visit_TIMESTAMP = visit_DATETIME

    def visit_ARRAY(self, type_: Any, **kw: Any) -> str:  # noqa: D102
        return f"{self.process(type_.item_type, **kw)} ARRAY"

    def visit_large_binary(self, type_: Any, **kw: Any) -> str:
        """There are no bytes."""
        raise exc.CompileError("Ovate has no type for bytes")

    visit_BLOB = visit_BINARY = visit_VARBINARY = visit_large_binary

    def visit_time(self, type_: Any, **kw: Any) -> str:
        """There is no time of day."""
        raise exc.CompileError("Ovate has no type for a time of day; use a TIMESTAMP")

    visit_TIME = visit_time
