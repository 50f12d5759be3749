"""The engine spec: what Apache Superset asks of a database, answered for Ovate.

Superset finds it through the entry point `superset.db_engine_specs`. It runs inside Superset 6.1 and newer; what can
be known without Superset is in the modules beside it.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, types
from superset import db
from superset.common.db_query_status import QueryStatus
from superset.constants import TimeGrain
from superset.db_engine_specs.base import BaseEngineSpec, DatabaseCategory
from superset.db_engine_specs.exceptions import (
    SupersetDBAPIDatabaseError,
    SupersetDBAPIDataError,
    SupersetDBAPIOperationalError,
    SupersetDBAPIProgrammingError,
)
from superset.errors import SupersetError, SupersetErrorType
from superset.exceptions import SupersetException
from superset.sql.parse import Table
from superset.utils import core as utils
from superset.utils.core import GenericDataType

from .. import dbapi
from ..sqlalchemy.types import OvateTimestamp
from . import facts
from .failures import FAILURES, place_of, unwrapped
from .grains import EXPRESSIONS

if TYPE_CHECKING:
    from sqlalchemy.engine.reflection import Inspector
    from sqlalchemy.sql import Select
    from superset.connectors.sqla.models import TableColumn
    from superset.models.core import Database
    from superset.models.sql_lab import Query

_STOP_NOTE_TIMEOUT_S = 2.0  # somebody else may have cancelled the statement, without Superset
_XXXX = "XXXXXXXXXX"  # what Superset's own masks look like


def _await_stop_note(query: Query) -> None:
    until = time.monotonic() + _STOP_NOTE_TIMEOUT_S
    while query.status != QueryStatus.STOPPED and time.monotonic() < until:
        time.sleep(0.05)
        db.session.refresh(query)


class OvateEngineSpec(BaseEngineSpec):
    """`ovate://`, `ovate+http://`, `ovate+https://`."""

    engine = "ovate"
    engine_name = "Ovate"
    drivers = {"http": "HTTP", "https": "HTTPS"}
    default_driver = "http"
    sqlalchemy_uri_placeholder = "ovate://user:password@host:8888/"

    metadata = {
        "description": "Ovate is an embedded columnar time-series store that speaks Apache Druid.",
        "categories": [DatabaseCategory.TIME_SERIES, DatabaseCategory.OPEN_SOURCE],
        "pypi_packages": ["ovate-connector"],
        "connection_string": "ovate://{username}:{password}@{host}:{port}/",
        "default_port": 8888,
        "parameters": {
            "username": "A user of the server; none if it listens on loopback without users",
            "password": "The user's password",
            "host": "Name or address of the server",
            "port": "Default 8888",
        },
        "drivers": [
            {
                "name": "HTTP",
                "pypi_package": "ovate-connector",
                "connection_string": "ovate://{username}:{password}@{host}:{port}/",
                "is_recommended": True,
            },
            {
                "name": "HTTPS",
                "pypi_package": "ovate-connector",
                "connection_string": "ovate+https://{username}:{password}@{host}:{port}/",
                "is_recommended": True,
            },
        ],
        "ssl_configuration": {
            "custom_certificate": "Add the certificate in the field Root Certificate and use ovate+https://.",
            "disable_ssl_verification": {"engine_params": {"connect_args": {"verify": False}}},
        },
        "notes": "Set SQLGLOT_DIALECTS_EXTENSIONS to ovate_connector.superset.sqlglot_dialects.",
    }

    _time_grain_expressions = {
        None if grain is None else TimeGrain(grain): expression for grain, expression in EXPRESSIONS.items()
    }

    allows_joins = True
    allows_subqueries = True
    allows_cte_in_subquery = True
    allows_alias_in_select = True
    allows_alias_in_orderby = True
    allows_hidden_orderby_agg = True
    allows_hidden_cc_in_orderby = True
    # A result without rows has its names and types.
    type_probe_needs_row = False
    supports_file_upload = False
    # Only what opens doors is hidden; the rest of "secure extra" can be read and edited.
    encrypted_extra_sensitive_fields = {
        "$.connect_args.password": "Password",
        "$.connect_args.headers.*": "Headers",
    }

    column_type_mappings = (
        (re.compile(r"^ARRAY", re.IGNORECASE), types.String(), GenericDataType.STRING),
        (re.compile(r".* ARRAY$", re.IGNORECASE), types.String(), GenericDataType.STRING),
        (re.compile(r"^(COMPLEX|OTHER|NULL)", re.IGNORECASE), types.String(), GenericDataType.STRING),
        (re.compile(r"^(VAR)?CHAR", re.IGNORECASE), types.String(), GenericDataType.STRING),
        (re.compile(r"^TIMESTAMP", re.IGNORECASE), types.TIMESTAMP(), GenericDataType.TEMPORAL),
        (re.compile(r"^DATE$", re.IGNORECASE), types.Date(), GenericDataType.TEMPORAL),
        (re.compile(r"^BOOL", re.IGNORECASE), types.Boolean(), GenericDataType.BOOLEAN),
        (
            re.compile(r"^(TINYINT|SMALLINT|INT|BIGINT|LONG)", re.IGNORECASE),
            types.BigInteger(),
            GenericDataType.NUMERIC,
        ),
        (
            re.compile(r"^(FLOAT|REAL|DOUBLE|DECIMAL|NUMERIC)", re.IGNORECASE),
            types.Float(),
            GenericDataType.NUMERIC,
        ),
    )

    custom_errors = {
        failure.pattern: (
            failure.text,
            SupersetErrorType[failure.error_type],
            {"invalid": list(failure.invalid)} if failure.invalid else {},
        )
        for failure in FAILURES
    }

    # Columns and times

    @classmethod
    def alter_new_orm_column(cls, orm_col: TableColumn) -> None:
        """`__time` is the time of a dataset."""
        if orm_col.column_name == "__time":
            orm_col.is_dttm = True

    @classmethod
    def convert_dttm(cls, target_type: str, dttm: datetime, db_extra: dict[str, Any] | None = None) -> str | None:
        """A literal, to the millisecond, of the column's type."""
        sqla_type = cls.get_sqla_column_type(target_type)
        if isinstance(sqla_type, types.Date):
            return f"DATE '{dttm.date().isoformat()}'"
        if isinstance(sqla_type, types.DateTime | types.TIMESTAMP):
            return f"TIMESTAMP '{dttm.replace(tzinfo=None).isoformat(' ', 'milliseconds')}'"
        return None

    @classmethod
    def epoch_to_dttm(cls) -> str:
        """From seconds since the epoch."""
        return "MILLIS_TO_TIMESTAMP({col} * 1000)"

    @classmethod
    def epoch_ms_to_dttm(cls) -> str:
        """From milliseconds since the epoch."""
        return "MILLIS_TO_TIMESTAMP({col})"

    # Connections

    @staticmethod
    def get_extra_params(database: Database, source: utils.QuerySource | None = None) -> dict[str, Any]:
        """Puts the field "Root Certificate" where the DB-API looks for it."""
        try:
            extra: dict[str, Any] = json.loads(database.extra or "{}")
        except json.JSONDecodeError as error:
            raise SupersetException("Unable to parse database extras") from error
        if database.server_cert:
            connect_args = extra.setdefault("engine_params", {}).setdefault("connect_args", {})
            connect_args["ca_file"] = utils.create_ssl_cert_file(database.server_cert)
        return extra

    @classmethod
    def mask_encrypted_extra(cls, encrypted_extra: str | None) -> str | None:
        """Hides password and headers. What cannot be read is hidden as a whole: it may hold either."""
        if encrypted_extra:
            try:
                json.loads(encrypted_extra)
            except json.JSONDecodeError:
                return json.dumps(_XXXX)
        masked: str | None = super().mask_encrypted_extra(encrypted_extra)
        return masked

    # Errors

    @classmethod
    def get_dbapi_exception_mapping(cls) -> dict[type[Exception], type[Exception]]:
        """From PEP 249's exceptions to Superset's."""
        return {
            dbapi.ProgrammingError: SupersetDBAPIProgrammingError,
            dbapi.NotSupportedError: SupersetDBAPIProgrammingError,
            dbapi.DataError: SupersetDBAPIDataError,
            dbapi.OperationalError: SupersetDBAPIOperationalError,
            dbapi.InternalError: SupersetDBAPIDatabaseError,
            dbapi.DatabaseError: SupersetDBAPIDatabaseError,
        }

    @classmethod
    def extract_errors(
        cls, ex: Exception, context: dict[str, Any] | None = None, database_name: str | None = None
    ) -> list[SupersetError]:
        """Superset's kinds of errors, and where in the statement the mistake is."""
        errors: list[SupersetError] = super().extract_errors(ex, context, database_name)
        if place := place_of(str(ex)):
            for error in errors:
                error.extra = {**(error.extra or {}), **place}
        return errors

    @classmethod
    def _extract_error_message(cls, ex: Exception) -> str:
        return unwrapped(str(super()._extract_error_message(ex)))

    # Running statements

    @classmethod
    def execute_with_cursor(cls, cursor: Any, sql: str, query: Query) -> None:
        """Runs the statement. One that was cancelled fails only when Superset has noted that somebody stopped it.

        Superset asks the server first and makes its note then; whoever stopped a statement would be shown an error
        by the thread that was faster.
        """
        try:
            super().execute_with_cursor(cursor, sql, query)
        except SupersetDBAPIOperationalError as error:
            if getattr(error.__cause__, "category", None) == "CANCELED":
                _await_stop_note(query)
            raise

    @classmethod
    def get_cancel_query_id(cls, cursor: Any, query: Query) -> str | None:
        """The id under which the cursor will run its statements."""
        query_id: str | None = getattr(cursor, "query_id", None)
        return query_id

    @classmethod
    def cancel_query(cls, cursor: Any, query: Query, cancel_query_id: str) -> bool:
        """Stops the statement on the server."""
        stopped: bool = cursor.connection.cancel(cancel_query_id)
        return stopped

    @classmethod
    def get_allow_cost_estimate(cls, extra: dict[str, Any]) -> bool:
        """Always: EXPLAIN costs nothing."""
        return True

    @classmethod
    def estimate_statement_cost(cls, database: Database, statement: str, cursor: Any) -> dict[str, Any]:
        """What the statement would read: segments, rows and bytes, from EXPLAIN."""
        cursor.execute("EXPLAIN PLAN FOR " + statement.strip().rstrip(";"))
        row = cursor.fetchone()
        return facts.cost_of_plan(row[0])

    @classmethod
    def query_cost_formatter(cls, raw_cost: list[dict[str, Any]]) -> list[dict[str, str]]:
        """The estimate in words."""
        return [facts.readable_cost(cost) for cost in raw_cost]

    @classmethod
    def get_function_names(cls, database: Database) -> list[str]:
        """The server's functions, for the editor's completion."""
        rows = cls._ask(database, "SELECT DISTINCT ROUTINE_NAME FROM INFORMATION_SCHEMA.ROUTINES ORDER BY 1")
        return [row[0] for row in rows]

    # Tables

    @classmethod
    def get_extra_table_metadata(cls, database: Database, table: Table) -> dict[str, Any]:
        """The newest time chunk, and how many segments, rows and bytes there are."""
        if table.schema not in (None, "druid"):
            return {}
        return facts.table_facts(table.table, cls._segments(database, table))

    @classmethod
    def where_latest_partition(
        cls, database: Database, table: Table, query: Select[Any], columns: list[Any] | None = None
    ) -> Select[Any] | None:
        """Restricts a preview to the newest time chunk, so that it reads little."""
        if table.schema not in (None, "druid"):
            return None
        start = facts.latest_start(cls._segments(database, table))
        if start is None:
            return None
        return query.where(Column("__time", OvateTimestamp()) >= start)

    @classmethod
    def get_metrics(cls, database: Database, inspector: Inspector, table: Table) -> list[Any]:
        """COUNT(*), and the aggregations the ingestion specification made."""
        metrics: list[Any] = super().get_metrics(database, inspector, table)
        if table.schema in (None, "druid"):
            with closing(inspector.engine.raw_connection()) as connection:
                metrics += facts.metrics_of_spec(connection.ingestion_spec(table.table))
        return metrics

    @classmethod
    def _segments(cls, database: Database, table: Table) -> list[tuple[Any, ...]]:
        return cls._ask(database, facts.SEGMENTS_SQL, [table.table])

    @classmethod
    def _ask(cls, database: Database, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with database.get_raw_connection() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(sql, parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows
