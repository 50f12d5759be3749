"""Results being read: batches of Python rows from an Arrow stream, or from lines of JSON.

What the values are is said in `values`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import requests

from .client import network_errors
from .errors import OperationalError
from .options import Options
from .types import Column
from .values import arrow_type, from_json, plain, python_values

if TYPE_CHECKING:
    import pyarrow as pa

_BUFFER_BYTES = 1 << 18
_ROWS_PER_BATCH = 1024

Row = tuple[Any, ...]


class Result(Protocol):
    """A result that is being read."""

    columns: list[Column]

    def batches(self) -> Iterator[list[Row]]:
        """The rows, some at a time."""


class JsonResult:
    """A result in `arrayLines` with all three headers."""

    def __init__(self, response: requests.Response, options: Options) -> None:
        self._options = options
        response.raw.decode_content = True
        self._lines = io.BufferedReader(response.raw, _BUFFER_BYTES)
        names, druid_types, sql_types = (self._header() for _ in range(3))
        self.columns = [
            Column(name, sql, druid) for name, druid, sql in zip(names, druid_types, sql_types, strict=True)
        ]
        self._converters = [(i, convert) for i, c in enumerate(self.columns) if (convert := from_json(c))]

    def batches(self) -> Iterator[list[Row]]:
        """The rows, some at a time."""
        rows: list[Row] = []
        while (cells := self._line()) is not None:
            for i, convert in self._converters:
                if cells[i] is not None:
                    cells[i] = convert(cells[i])
            rows.append(tuple(cells))
            if len(rows) == _ROWS_PER_BATCH:
                yield rows
                rows = []
        if rows:
            yield rows

    def _header(self) -> list[str]:
        line = self._line()
        if line is None:
            raise OperationalError("the answer has no header; is this Ovate?")
        return [str(name) for name in line]

    def _line(self) -> list[Any] | None:
        """The next line; `None` at the empty line that ends a whole result."""
        with network_errors(self._options):
            line = self._lines.readline()
        if line == b"\n":
            return None
        try:
            cells = json.loads(line)
        except ValueError:
            cells = None
        if not isinstance(cells, list):
            raise OperationalError("the result broke off before its end" if not line.endswith(b"\n") else _NOT_OVATE)
        return cells


_NOT_OVATE = "the answer is not a result; is this Ovate?"


class ArrowResult:
    """A result in an Arrow IPC stream."""

    def __init__(self, response: requests.Response, options: Options) -> None:
        import pyarrow as pa

        self._options = options
        response.raw.decode_content = True
        try:
            with network_errors(options):
                self._reader = pa.ipc.open_stream(io.BufferedReader(response.raw, _BUFFER_BYTES))
        except pa.ArrowException as error:
            raise OperationalError(f"{_NOT_OVATE} ({error})") from error
        schema = self._reader.schema
        self._zone = (schema.metadata or {}).get(b"druid.timeZone", b"UTC").decode()
        self.columns = [_column(schema_field) for schema_field in schema]

    def batches(self) -> Iterator[list[Row]]:
        """The rows, some at a time."""
        for batch in self.record_batches():
            cells = [python_values(array, column) for array, column in zip(batch.columns, self.columns, strict=True)]
            yield list(zip(*cells, strict=True))

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow batches of plain types: UTF-8 text, `date32` for DATE, wall clock timestamps."""
        import pyarrow as pa

        while True:
            try:
                with network_errors(self._options):
                    batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except pa.ArrowException as error:
                raise OperationalError(f"the result broke off before its end: {error}") from error
            arrays = [plain(a, c, self._zone) for a, c in zip(batch.columns, self.columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in self.columns])

    def table(self) -> pa.Table:
        """What is left of the result, typed also when there are no rows."""
        import pyarrow as pa

        batches = list(self.record_batches())
        if batches:
            return pa.Table.from_batches(batches)
        return pa.schema([(c.name, arrow_type(c) or pa.string()) for c in self.columns]).empty_table()


def _column(field: pa.Field) -> Column:
    metadata = field.metadata or {}
    return Column(field.name, metadata.get(b"sql.type", b"").decode(), metadata.get(b"druid.type", b"OTHER").decode())
