"""Types of columns: from the names in INFORMATION_SCHEMA to SQLAlchemy's, and how values are written as literals."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

from sqlalchemy import types

Literal = Callable[[Any], str]


class OvateTimestamp(types.TIMESTAMP):
    """An instant; its literal has milliseconds, which is what the server keeps."""

    cache_ok = True
    __visit_name__ = "TIMESTAMP"

    def literal_processor(self, dialect: Any) -> Literal:
        """`TIMESTAMP '2026-11-23 10:00:00.000'`, wall clock time; a value with a zone is written in UTC, with a `Z`."""

        def process(value: dt.datetime) -> str:
            zone = ""
            if value.tzinfo is not None:
                value, zone = value.astimezone(dt.timezone.utc).replace(tzinfo=None), "Z"
            return f"TIMESTAMP '{value.isoformat(' ', 'milliseconds')}{zone}'"

        return process


class OvateDate(types.DATE):
    """A day."""

    cache_ok = True
    __visit_name__ = "DATE"

    def literal_processor(self, dialect: Any) -> Literal:
        """`DATE '2026-11-23'`."""
        return lambda value: f"DATE '{value.isoformat()}'"

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        """The day, also where the server calls an expression of a DATE a TIMESTAMP."""
        return lambda value: value.date() if isinstance(value, dt.datetime) else value


class OvateFloat(types.Float):  # type: ignore[type-arg]
    """A fraction. NaN and the infinities have no literal of their own."""

    cache_ok = True

    def literal_processor(self, dialect: Any) -> Literal:
        """Digits, or a CAST where there are none."""

        def process(value: float) -> str:
            if isinstance(value, float) and not math.isfinite(value):
                name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
                return f"CAST('{name}' AS DOUBLE)"
            return repr(value) if isinstance(value, float) else str(value)

        return process


class ARRAY(types.ARRAY):  # type: ignore[type-arg]
    """An array of the server. Its values are lists."""

    cache_ok = True
    __visit_name__ = "ARRAY"


class COMPLEX(types.UserDefinedType):  # type: ignore[type-arg]
    """A column without a value to show, such as a sketch."""

    cache_ok = True

    def __init__(self, name: str = "COMPLEX") -> None:
        self.name = name

    def get_col_spec(self, **kw: Any) -> str:
        """The type's name."""
        return self.name


DOUBLE: type[types.TypeEngine[Any]] = getattr(types, "DOUBLE", None) or type(
    "DOUBLE", (types.Float,), {"__visit_name__": "DOUBLE", "cache_ok": True}
)

ISCHEMA_NAMES: dict[str, type[types.TypeEngine[Any]]] = {
    "VARCHAR": types.VARCHAR,
    "CHAR": types.CHAR,
    "BIGINT": types.BIGINT,
    "INTEGER": types.INTEGER,
    "SMALLINT": types.SMALLINT,
    "TINYINT": types.SMALLINT,
    "FLOAT": types.FLOAT,
    "REAL": types.REAL,
    "DOUBLE": DOUBLE,
    "DECIMAL": DOUBLE,
    "BOOLEAN": types.BOOLEAN,
    "TIMESTAMP": types.TIMESTAMP,
    "DATE": types.DATE,
    "OTHER": COMPLEX,
    "NULL": types.NullType,
}

_DRUID_NAMES: dict[str, type[types.TypeEngine[Any]]] = {
    "STRING": types.VARCHAR,
    "LONG": types.BIGINT,
    "FLOAT": types.FLOAT,
    "DOUBLE": DOUBLE,
}


def column_type(name: str) -> types.TypeEngine[Any]:
    """The type of a column, from a name such as `VARCHAR`, `ARRAY<LONG>` or `VARCHAR ARRAY`."""
    upper = name.strip().upper()
    if upper.startswith("ARRAY<") and upper.endswith(">"):
        return ARRAY(_item(upper[len("ARRAY<") : -1]))
    if upper.endswith(" ARRAY"):
        return ARRAY(_item(upper[: -len(" ARRAY")]))
    if upper == "ARRAY":
        return ARRAY(types.VARCHAR())
    if upper.startswith("COMPLEX"):
        return COMPLEX(name)
    return ISCHEMA_NAMES.get(upper, types.NullType)()


def _item(name: str) -> types.TypeEngine[Any]:
    # Arrays of arrays: SQLAlchemy has one ARRAY with dimensions, whose items are those of the innermost.
    if name.startswith("ARRAY<") and name.endswith(">"):
        return _item(name[len("ARRAY<") : -1])
    return _DRUID_NAMES.get(name, ISCHEMA_NAMES.get(name, types.VARCHAR))()
