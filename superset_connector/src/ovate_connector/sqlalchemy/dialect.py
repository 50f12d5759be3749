"""The dialect: how SQLAlchemy reaches the server, and how it reads what is there.

Runs on SQLAlchemy 1.4 (which Superset pins) and on 2.x; where they differ, both names are there. Reflection asks
INFORMATION_SCHEMA, with names as parameters and never as part of a statement.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

import sqlalchemy
from sqlalchemy import exc, text, types
from sqlalchemy.engine import default, reflection

from .. import dbapi as ovate_dbapi
from ..dbapi.options import DEFAULT_PORT, from_query
from .compiler import (
    OvateCompiler,
    OvateDDLCompiler,
    OvateIdentifierPreparer,
    OvateTypeCompiler,
)
from .types import ISCHEMA_NAMES, OvateDate, OvateFloat, OvateTimestamp, column_type

Method = TypeVar("Method", bound=Callable[..., Any])
_IS_1_4 = sqlalchemy.__version__.startswith("1.")
# What people write after the port: Druid's own path (from a `druid://` URI), or the name of the schema.
_DATABASES = (None, "", "druid", "druid/v2/sql", "druid/v2/sql/")


def _cached(method: Method) -> Method:
    """SQLAlchemy's cache of what has been reflected. 1.4's writes annotations out as source text and stumbles."""
    method.__annotations__ = {}
    cached: Any = reflection.cache(method)
    return cast("Method", cached)


class OvateDialect(default.DefaultDialect):
    """`ovate://user:password@host:8888/?timeout=60`."""

    name = "ovate"
    driver = "http"
    scheme = "http"

    supports_statement_cache = True
    default_paramstyle = "qmark"
    statement_compiler = OvateCompiler
    ddl_compiler = OvateDDLCompiler
    type_compiler = OvateTypeCompiler
    type_compiler_cls = OvateTypeCompiler
    preparer = OvateIdentifierPreparer
    ischema_names = ISCHEMA_NAMES
    colspecs = {
        types.DateTime: OvateTimestamp,
        types.Date: OvateDate,
        types.Float: OvateFloat,
    }

    default_schema_name = "druid"
    supports_schemas = True
    supports_views = False
    supports_alter = False
    supports_comments = False
    supports_sequences = False
    supports_native_boolean = True
    supports_native_decimal = False
    supports_native_enum = False
    supports_simple_order_by_label = True
    supports_sane_rowcount = False
    supports_sane_multi_rowcount = False
    supports_default_values = False
    supports_default_metavalue = False
    supports_empty_insert = False
    supports_multivalues_insert = False
    supports_is_distinct_from = True
    supports_unicode_statements = True
    supports_unicode_binds = True
    # 1.4 would decode again what is text already.
    returns_unicode_strings = getattr(types.String, "RETURNS_UNICODE", True)
    description_encoding = None
    postfetch_lastrowid = False
    implicit_returning = False
    insert_returning = False
    requires_name_normalize = False
    tuple_in_values = False
    # BIGINT / BIGINT is a BIGINT.
    div_is_floordiv = True
    max_identifier_length = 255
    cte_follows_insert = False

    @classmethod
    def dbapi(cls) -> ModuleType:  # type: ignore[override]
        """The DB-API module, by the name of SQLAlchemy 1.4."""
        return ovate_dbapi

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The DB-API module, by the name of SQLAlchemy 2.x."""
        return ovate_dbapi

    def create_connect_args(self, url: Any) -> tuple[list[Any], dict[str, Any]]:
        """The parts of the URL as keywords of `connect`."""
        if url.database not in _DATABASES:
            raise exc.ArgumentError(f"{url.database!r} is no place on an Ovate server; leave the path of the URL empty")
        try:
            keywords = from_query(url.query)
        except ovate_dbapi.InterfaceError as error:
            raise exc.ArgumentError(str(error)) from error
        keywords.update(
            host=url.host or "localhost",
            port=url.port or DEFAULT_PORT,
            user=url.username,
            password=None if url.password is None else str(url.password),
            scheme=self.scheme,
        )
        return [], keywords

    def initialize(self, connection: Any) -> None:
        """Asks the server for nothing: what the dialect has to know does not differ between servers."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """There is nothing to take back."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """There is nothing to keep."""

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether the server answers."""
        with dbapi_connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
        return True

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Never: a connection is a pool that reconnects by itself."""
        return False

    def on_connect(self) -> None:
        """Nothing is sent before the first statement."""

    # Reflection

    @_cached
    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        """All schemas."""
        query = "SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA ORDER BY SCHEMA_NAME"
        return [row[0] for row in connection.execute(text(query))]

    @_cached
    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """The tables of a schema; of `druid` if none is named."""
        query = text(
            "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = :schema ORDER BY TABLE_NAME"
        )
        parameters = {"schema": schema or self.default_schema_name}
        return [row[0] for row in connection.execute(query, parameters)]

    @_cached
    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """There are no views."""
        return []

    def get_temp_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """There are no temporary tables."""
        return []

    def get_temp_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """There are no views."""
        return []

    def get_view_definition(self, connection: Any, view_name: str, schema: str | None = None, **kw: Any) -> str:
        """There are no views."""
        raise exc.NoSuchTableError(view_name)

    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Whether there is such a table."""
        query = text(
            "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = :schema AND TABLE_NAME = :name"
        )
        parameters = {"schema": schema or self.default_schema_name, "name": table_name}
        return bool(connection.execute(query, parameters).scalar())

    @_cached
    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """The columns of a table with the server's types, in the order of `SELECT *`."""
        query = text(
            "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS "
            "WHERE TABLE_SCHEMA = :schema AND TABLE_NAME = :name ORDER BY ORDINAL_POSITION"
        )
        parameters = {"schema": schema or self.default_schema_name, "name": table_name}
        rows = connection.execute(query, parameters).fetchall()
        if not rows:
            raise exc.NoSuchTableError(f"{schema}.{table_name}" if schema else table_name)
        return [
            {
                "name": name,
                "type": column_type(data_type),
                "nullable": is_nullable != "NO",
                "default": None,
                "autoincrement": False,
            }
            for name, data_type, is_nullable in rows
        ]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """There are no keys."""
        self._must_exist(connection, table_name, schema)
        return {"constrained_columns": [], "name": None}

    def get_foreign_keys(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """There are no keys."""
        self._must_exist(connection, table_name, schema)
        return []

    def get_indexes(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """No index has a name: the store keeps its own."""
        self._must_exist(connection, table_name, schema)
        return []

    def get_unique_constraints(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """There are no constraints."""
        self._must_exist(connection, table_name, schema)
        return []

    def get_check_constraints(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """There are no constraints."""
        self._must_exist(connection, table_name, schema)
        return []

    def get_table_options(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        """There are no options."""
        self._must_exist(connection, table_name, schema)
        return {}

    def get_table_comment(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """There are no comments."""
        self._must_exist(connection, table_name, schema)
        return {"text": None}

    def has_index(
        self, connection: Any, table_name: str, index_name: str, schema: str | None = None, **kw: Any
    ) -> bool:
        """No index has a name."""
        return False

    def has_sequence(self, connection: Any, sequence_name: str, schema: str | None = None, **kw: Any) -> bool:
        """There are no sequences."""
        return False

    def _must_exist(self, connection: Any, table_name: str, schema: str | None) -> None:
        if not self.has_table(connection, table_name, schema):
            raise exc.NoSuchTableError(f"{schema}.{table_name}" if schema else table_name)


class OvateHttpDialect(OvateDialect):
    """`ovate+http://`: the same, said in full."""

    supports_statement_cache = True  # SQLAlchemy wants each class to say so itself


class OvateHttpsDialect(OvateDialect):
    """`ovate+https://`: through TLS."""

    driver = "https"
    scheme = "https"
    supports_statement_cache = True


if _IS_1_4:
    # 2.x would warn that it takes `import_dbapi` instead; 1.4 would find `type_compiler_cls` of no use.
    del OvateDialect.import_dbapi, OvateDialect.type_compiler_cls
else:
    del OvateDialect.dbapi, OvateDialect.type_compiler
