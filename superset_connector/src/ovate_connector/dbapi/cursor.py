"""The cursor: one statement at a time, its rows read as they are wanted."""

from __future__ import annotations

import importlib.util
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .client import ARROW
from .errors import InterfaceError, NotSupportedError, OperationalError, ProgrammingError
from .parameters import encode
from .rows import ArrowResult, JsonResult, Result, Row
from .values import arrow_type

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import requests

    from .connection import Connection

Description = list[tuple[str, str, None, None, None, None, "bool | None"]]


class Cursor:
    """Runs statements, one at a time.

    `query_id` names whichever statement the cursor is running: another thread, process or connection can cancel by
    it, also before the first row has come.
    """

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.query_id = str(uuid.uuid4())
        self.rownumber: int | None = None
        self.lastrowid = None
        self._closed = False
        self._cancelled = False
        self._response: requests.Response | None = None
        self._result: Result | None = None
        self._rows: Iterator[Row] | None = None
        self._failure: Exception | None = None

    # What PEP 249 asks for

    @property
    def description(self) -> Description | None:
        """Name and type of each column, of a result without rows too; `None` before the first statement."""
        return None if self._result is None else [column.description for column in self._result.columns]

    @property
    def rowcount(self) -> int:
        """Always -1: rows are counted by reading them."""
        return -1

    def execute(self, operation: str, parameters: Sequence[Any] | None = None) -> Cursor:
        """Runs a statement and returns when its columns are known. `?` stands for a parameter."""
        self._forget()
        options = self.connection.options
        context: dict[str, Any] = {"sqlStringifyArrays": False}
        if options.timeout is not None:
            context["timeout"] = int(options.timeout * 1000)
        if options.time_zone is not None:
            context["sqlTimeZone"] = options.time_zone
        context.update(options.context)
        context["sqlQueryId"] = self.query_id
        body: dict[str, Any] = {
            "query": operation,
            "resultFormat": "arrayLines",
            "header": True,
            "typesHeader": True,
            "sqlTypesHeader": True,
            "context": context,
        }
        if parameters is not None:
            body["parameters"] = encode(operation, parameters)
        arrow = self._speaks_arrow()
        self._cancelled = False
        self._response = self.connection.client.sql(body, ARROW if arrow else "application/json")
        # A server that does not know the Arrow stream answers in JSON; the body is ready for both.
        is_arrow = self._response.headers.get("Content-Type", "").startswith(ARROW)
        if arrow and not is_arrow and options.transport == "arrow":
            self._forget()
            raise NotSupportedError("the server does not answer in Arrow; use transport 'auto' or 'json'")
        try:
            self._result = (ArrowResult if is_arrow else JsonResult)(self._response, options)
        except BaseException:
            self._forget()
            raise
        self._rows = itertools.chain.from_iterable(self._result.batches())
        self.rownumber = 0
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Sequence[Any]]) -> None:
        """Runs a statement once for each of the parameters; the last result can be fetched."""
        for parameters in seq_of_parameters:
            self.execute(operation, parameters)

    def fetchone(self) -> Row | None:
        """The next row, or `None`."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """The next rows, `arraysize` of them if `size` is not given."""
        wanted = self.arraysize if size is None else size
        return self._take(itertools.islice(self._open_rows(), wanted))

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return self._take(self._open_rows())

    def close(self) -> None:
        """Ends the statement, if one is running, and gives the connection back."""
        if not self._closed:
            self._forget()
            self._closed = True

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing: values are sent as they are."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing: no value is cut."""

    # What it does beyond

    def cancel(self) -> bool:
        """Stops the running statement on the server; whether there was one. Meant for another thread."""
        self._cancelled = True
        return self.connection.cancel(self.query_id)

    def to_arrow(self) -> pa.Table:
        """The rows that are left as a `pyarrow.Table`."""
        try:
            import pyarrow as pa
        except ImportError:
            raise NotSupportedError("to_arrow needs pyarrow: pip install 'ovate-connector[arrow]'") from None
        rows = self._open_rows()
        if isinstance(self._result, ArrowResult) and self.rownumber == 0:
            table = self._guard(self._result.table)
            self._finish(table.num_rows)
            return table
        assert self._result is not None  # noqa: S101 - _open_rows has seen to it
        columns = self._result.columns
        cells = list(zip(*self._take(rows), strict=True)) or [()] * len(columns)
        arrays = [pa.array(values, arrow_type(c)) for values, c in zip(cells, columns, strict=True)]
        return pa.Table.from_arrays(arrays, names=[column.name for column in columns])

    def to_pandas(self) -> pd.DataFrame:
        """The rows that are left as a `pandas.DataFrame`."""
        try:
            import pandas as pd
        except ImportError:
            raise NotSupportedError("to_pandas needs pandas: pip install 'ovate-connector[pandas]'") from None
        if _has_pyarrow():
            frame: pd.DataFrame = self.to_arrow().to_pandas(date_as_object=True)
            return frame
        rows = self._open_rows()
        assert self._result is not None  # noqa: S101 - _open_rows has seen to it
        names = [column.name for column in self._result.columns]
        plain: pd.DataFrame = pd.DataFrame.from_records(self._take(rows), columns=names)
        return plain

    def __iter__(self) -> Iterator[Row]:
        while (row := self.fetchone()) is not None:
            yield row

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside

    def _speaks_arrow(self) -> bool:
        transport = self.connection.options.transport
        if transport == "arrow" and not _has_pyarrow():
            raise NotSupportedError("transport 'arrow' needs pyarrow: pip install 'ovate-connector[arrow]'")
        return transport != "json" and _has_pyarrow()

    def _open_rows(self) -> Iterator[Row]:
        if self._closed:
            raise InterfaceError("the cursor is closed")
        if self._rows is None:
            raise ProgrammingError("there is no result to fetch: nothing has been executed")
        return self._rows

    def _take(self, rows: Iterator[Row]) -> list[Row]:
        taken: list[Row] = self._guard(lambda: list(rows))
        self.rownumber = (self.rownumber or 0) + len(taken)
        return taken

    def _guard(self, read: Any) -> Any:
        """Reads; a stream that breaks because it was cancelled says so. One that broke stays broken; it never ended."""
        if self._failure is not None:
            raise self._failure
        try:
            return read()
        except Exception as error:
            self._release()
            self._failure = error
            if self._cancelled and isinstance(error, OperationalError):
                self._failure = OperationalError(
                    f"Query[{self.query_id}] was cancelled", category="CANCELED", query_id=self.query_id
                )
                raise self._failure from error
            raise

    def _finish(self, rows: int) -> None:
        self._rows = iter(())
        self.rownumber = (self.rownumber or 0) + rows

    def _forget(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed")
        self._release()
        self._result = None
        self._rows = None
        self._failure = None
        self.rownumber = None

    def _release(self) -> None:
        """Lets the answer go. If it was not read to its end the server notices and stops the statement."""
        response, self._response = self._response, None
        if response is not None:
            response.close()


def _has_pyarrow() -> bool:
    return importlib.util.find_spec("pyarrow") is not None
