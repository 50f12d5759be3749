"""DB-API 2.0 (PEP 249) over Ovate's SQL endpoint.

    import ovate_connector.dbapi as ovate

    with ovate.connect("127.0.0.1") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT deviceCity, COUNT(*) FROM EVENTS_GEO WHERE __time > ? GROUP BY 1", [since])
        rows = cursor.fetchall()

Rows come in Arrow batches where pyarrow is installed and in lines of JSON elsewhere, with the same values. Types are
what the server says, never guessed from a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .connection import Connection
from .cursor import Cursor
from .errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from .options import DEFAULT_PORT, SQL_PATH, Options
from .types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Column,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)

apilevel = "2.0"
#: Threads may share the module and connections, not cursors (whose `cancel` alone is meant for other threads).
threadsafety = 2
paramstyle = "qmark"


def connect(
    host: str = "localhost",
    port: int = DEFAULT_PORT,
    user: str | None = None,
    password: str | None = None,
    *,
    scheme: str = "http",
    path: str = SQL_PATH,
    timeout: float | None = 300.0,
    connect_timeout: float = 10.0,
    verify: bool = True,
    ca_file: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    transport: str = "auto",
    compression: bool = False,
    pool_size: int = 10,
    time_zone: str | None = None,
    context: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Connection:
    """Describe a connection. Nothing is sent before the first statement.

    `timeout` is how many seconds a statement may take; the server stops it then. `verify`, `ca_file`, `client_cert` and
    `client_key` are for `scheme="https"`. `transport` is `auto` (Arrow where pyarrow is installed), `arrow` or `json`.
    `compression` has the server compress answers: for slow networks. `time_zone` is the zone in which the server reads
    and floors times, and whose wall clock TIMESTAMP values show. `context` goes along with each statement.
    """
    return Connection(
        Options(
            host=host,
            port=port,
            user=user,
            password=password,
            scheme=scheme,
            path=path,
            timeout=timeout,
            connect_timeout=connect_timeout,
            verify=verify,
            ca_file=ca_file,
            client_cert=client_cert,
            client_key=client_key,
            transport=transport,
            compression=compression,
            pool_size=pool_size,
            time_zone=time_zone,
            context=dict(context or {}),
            headers=dict(headers or {}),
        )
    )


__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Column",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "Options",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]
