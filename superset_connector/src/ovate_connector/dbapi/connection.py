"""The connection: options, a pool of HTTP connections, and cursors."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from . import errors
from .client import Client
from .cursor import Cursor
from .errors import InterfaceError
from .options import Options


class Connection:
    """Reaches one server. Nothing is sent before the first statement, and there are no transactions."""

    # PEP 249's optional extension: the exceptions stand on the connection too.
    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, options: Options) -> None:
        self.options = options
        self.client = Client(options)
        self._closed = False

    def cursor(self) -> Cursor:
        """A new cursor."""
        self._check()
        return Cursor(self)

    def execute(self, operation: str, parameters: Any = None) -> Cursor:
        """A new cursor that has run `operation`."""
        return self.cursor().execute(operation, parameters)

    def commit(self) -> None:
        """Does nothing: statements only read."""
        self._check()

    def rollback(self) -> None:
        """Does nothing: statements only read."""
        self._check()

    def close(self) -> None:
        """Closes the pooled connections. Cursors of this connection cannot be used any more."""
        if not self._closed:
            self._closed = True
            self.client.close()

    def cancel(self, query_id: str) -> bool:
        """Stops the statement with this id, whichever connection runs it; whether the server knew it."""
        self._check()
        return self.client.cancel(query_id)

    def ingestion_spec(self, datasource: str) -> dict[str, Any] | None:
        """The ingestion specification that fills `datasource`; `None` if nothing does."""
        self._check()
        spec = self.client.get(f"/druid/indexer/v1/supervisor/{quote(datasource, safe='')}")
        return spec if isinstance(spec, dict) else None

    def _check(self) -> None:
        if self._closed:
            raise InterfaceError("the connection is closed")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
