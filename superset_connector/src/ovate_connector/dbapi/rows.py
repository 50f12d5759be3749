"""Results being read: batches of Python rows from an Arrow stream, or from lines of JSON.

Both give the same values for the same answer, so that it does not matter which of them a machine can do:

| SQL type | value |
|---|---|
| VARCHAR, CHAR | `str` |
| BIGINT, INTEGER, … | `int` |
| FLOAT, DOUBLE, DECIMAL | `float`, NaN and the infinities included; FLOAT by its shortest digits |
| BOOLEAN | `bool` |
| TIMESTAMP | `datetime` without a zone: the wall clock of the statement's time zone |
| DATE | `date` |
| ARRAY<…> | `list` |
| NULL | `None` |
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import requests

from .client import network_errors
from .errors import DataError, OperationalError
from .options import Options
from .types import Column

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
        self._converters = [(i, convert) for i, c in enumerate(self.columns) if (convert := _from_json(c))]

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


def _from_json(column: Column) -> Callable[[Any], Any] | None:
    if column.sql_type == "TIMESTAMP":
        return _timestamp
    if column.sql_type == "DATE":
        return _date
    if column.druid_type in ("FLOAT", "DOUBLE"):
        return float  # whole numbers, "NaN", "Infinity"
    if column.druid_type in ("ARRAY<FLOAT>", "ARRAY<DOUBLE>"):
        return lambda items: [None if item is None else float(item) for item in items]
    return None


def _timestamp(text: str) -> dt.datetime:
    # 2026-11-23T10:00:00.000+01:00: the wall clock is what stands there.
    try:
        return dt.datetime.strptime(text[:23], "%Y-%m-%dT%H:%M:%S.%f")
    except ValueError:
        raise _unrepresentable(text) from None


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        raise _unrepresentable(text) from None


def _unrepresentable(value: object) -> DataError:
    return DataError(f"{value} is outside the years 1 to 9999 that Python's datetime knows; cast it to VARCHAR")


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
            cells = [_cells(array, column) for array, column in zip(batch.columns, self.columns, strict=True)]
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
            arrays = [_plain(a, c, self._zone) for a, c in zip(batch.columns, self.columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in self.columns])

    def table(self) -> pa.Table:
        """What is left of the result, typed also when there are no rows."""
        import pyarrow as pa

        batches = list(self.record_batches())
        if batches:
            return pa.Table.from_batches(batches)
        return pa.schema([(c.name, arrow_type(c)) for c in self.columns]).empty_table()


def _column(field: pa.Field) -> Column:
    metadata = field.metadata or {}
    return Column(field.name, metadata.get(b"sql.type", b"").decode(), metadata.get(b"druid.type", b"OTHER").decode())


def _plain(array: pa.Array, column: Column, zone: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(array.type):
        return array.cast(arrow_type(column))
    if pa.types.is_timestamp(array.type):
        if zone not in ("UTC", "Z", "Etc/UTC"):
            array = pc.local_timestamp(array.cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("ms", zone)))
        return array.cast(pa.date32()) if column.sql_type == "DATE" else array
    if (plain := _without_views(array.type)) != array.type:
        return array.cast(plain)
    return array


def _without_views(data_type: pa.DataType) -> pa.DataType:
    """The type that older readers know too: plain text instead of views and dictionaries."""
    import pyarrow as pa

    if pa.types.is_dictionary(data_type):
        return _without_views(data_type.value_type)
    if pa.types.is_list(data_type) or pa.types.is_large_list(data_type):
        return pa.list_(_without_views(data_type.value_type))
    is_view = getattr(pa.types, "is_string_view", None)
    if pa.types.is_large_string(data_type) or (is_view is not None and is_view(data_type)):
        return pa.string()
    return data_type


def _cells(array: pa.Array, column: Column) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_float32(array.type):
        # 47.375744 and not 47.37574386596680: the shortest digits that give the same 32 bits.
        array = array.cast(pa.string()).cast(pa.float64())
    try:
        return list(array.to_pylist())
    except (ValueError, OverflowError) as error:
        raise _unrepresentable(f"a value of column {column.name!r}") from error


_LONGS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column of which there is no value to go by."""
    import pyarrow as pa

    if column.sql_type in _LONGS:
        return pa.int64()
    simple = {"TIMESTAMP": pa.timestamp("ms"), "DATE": pa.date32(), "BOOLEAN": pa.bool_()}
    return simple.get(column.sql_type) or _of_druid(column.druid_type)


def _of_druid(name: str) -> pa.DataType:
    import pyarrow as pa

    if name.startswith("ARRAY<") and name.endswith(">"):
        return pa.list_(_of_druid(name[len("ARRAY<") : -1]))
    return {"LONG": pa.int64(), "DOUBLE": pa.float64(), "FLOAT": pa.float32()}.get(name, pa.string())
