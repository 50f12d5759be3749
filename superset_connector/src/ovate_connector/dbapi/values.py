"""Values: what stands in JSON or in an Arrow array as the Python value that a column's types promise.

| type | value |
|---|---|
| VARCHAR, CHAR | `str`; several values of a multi-value column as the text of their JSON list |
| BIGINT, INTEGER, … | `int` |
| FLOAT, DOUBLE, DECIMAL | `float`, NaN and the infinities included; FLOAT by its shortest digits |
| BOOLEAN | `bool` |
| TIMESTAMP | `datetime` without a zone: the wall clock of the statement's time zone |
| DATE | `date` |
| ARRAY<…> | `list`, of lists where arrays are nested; instants in it are milliseconds since 1970 |
| COMPLEX<json> | `dict`; instants in it are milliseconds since 1970 |
| NULL | `None` |

JSON and Arrow give the same values for the same answer, so that it does not matter which of them a machine can do.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import DataError
from .types import Column

if TYPE_CHECKING:
    import pyarrow as pa

Convert = Callable[[Any], Any]
_LONGS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")


# From JSON


def from_json(column: Column) -> Convert | None:
    """What makes a value of a cell that is not null; `None` if the cell is the value."""
    if column.sql_type == "TIMESTAMP":
        return _timestamp
    if column.sql_type == "DATE":
        return _date
    if column.druid_type == "COMPLEX<json>":
        return json.loads
    return _from_json(column.druid_type)


def _from_json(druid_type: str) -> Convert | None:
    if druid_type in ("FLOAT", "DOUBLE"):
        return float  # whole numbers, "NaN", "Infinity"
    item = _item_type(druid_type)
    convert = None if item is None else _from_json(item)
    if convert is None:
        return None
    return lambda items: [None if item is None else convert(item) for item in items]


def _item_type(druid_type: str) -> str | None:
    is_array = druid_type.startswith("ARRAY<") and druid_type.endswith(">")
    return druid_type[len("ARRAY<") : -1] if is_array else None


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


# From Arrow


def plain(array: pa.Array, column: Column, zone: str) -> pa.Array:
    """The array in a type that older readers know too: UTF-8 text, `date32` for DATE, wall clock timestamps."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(array.type):
        return array.cast(arrow_type(column) or pa.string())
    if pa.types.is_timestamp(array.type):
        if zone not in ("UTC", "Z", "Etc/UTC"):
            array = pc.local_timestamp(array.cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("ms", zone)))
        return array.cast(pa.date32()) if column.sql_type == "DATE" else array
    if (plain_type := _plain_type(array.type)) != array.type:
        array = array.cast(plain_type)
    if pa.types.is_list(array.type) and column.druid_type == "STRING":
        return pa.array([_multi_value(items) for items in array.to_pylist()], pa.string())
    return array


def _plain_type(data_type: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_dictionary(data_type):
        return _plain_type(data_type.value_type)
    if pa.types.is_list(data_type) or pa.types.is_large_list(data_type):
        return pa.list_(_plain_inside(data_type.value_type))
    if pa.types.is_struct(data_type):
        return pa.struct([(field.name, _plain_inside(field.type)) for field in data_type])
    is_view = getattr(pa.types, "is_string_view", None)
    if pa.types.is_large_string(data_type) or (is_view is not None and is_view(data_type)):
        return pa.string()
    return data_type


def _plain_inside(data_type: pa.DataType) -> pa.DataType:
    """The same inside arrays and objects, where Druid knows no instants, only longs."""
    import pyarrow as pa

    return pa.int64() if pa.types.is_timestamp(data_type) else _plain_type(data_type)


def _multi_value(items: list[str | None] | None) -> str | None:
    """The cell that the server writes into JSON: none is NULL, one is itself, several are a list."""
    if not items:
        return None
    return items[0] if len(items) == 1 else json.dumps(items, ensure_ascii=False, separators=(",", ":"))


def python_values(array: pa.Array, column: Column) -> list[Any]:
    """The values of a plain array."""
    # 47.375744 and not 47.37574386596680: the shortest digits that give the same 32 bits.
    as_text = _with_floats(array.type, "text")
    if as_text != array.type:
        array = array.cast(as_text).cast(_with_floats(array.type, "double"))
    try:
        return list(array.to_pylist())
    except (ValueError, OverflowError) as error:
        raise _unrepresentable(f"a value of column {column.name!r}") from error


def _with_floats(data_type: pa.DataType, as_what: str) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_float32(data_type):
        return pa.string() if as_what == "text" else pa.float64()
    if pa.types.is_list(data_type):
        return pa.list_(_with_floats(data_type.value_type, as_what))
    if pa.types.is_struct(data_type):
        return pa.struct([(field.name, _with_floats(field.type, as_what)) for field in data_type])
    return data_type


def arrow_type(column: Column) -> pa.DataType | None:
    """The Arrow type of a column of which there is no value to go by; `None` for JSON, which may be anything."""
    import pyarrow as pa

    if column.sql_type in _LONGS:
        return pa.int64()
    simple = {"TIMESTAMP": pa.timestamp("ms"), "DATE": pa.date32(), "BOOLEAN": pa.bool_()}
    return simple.get(column.sql_type) or _of_druid(column.druid_type)


def _of_druid(name: str) -> pa.DataType | None:
    import pyarrow as pa

    if (item := _item_type(name)) is not None:
        return pa.list_(_of_druid(item) or pa.string())
    if name == "COMPLEX<json>":
        return None
    return {"LONG": pa.int64(), "DOUBLE": pa.float64(), "FLOAT": pa.float32()}.get(name, pa.string())
