"""Python values as parameters of a statement.

Values never become part of the statement's text here: they travel beside it, typed, and the server puts them in.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import DataError, ProgrammingError

_BIGINT_MAX = 2**63 - 1
_BIGINT_MIN = -(2**63)
# What may hold a question mark that is not a placeholder. An unclosed one runs to the end: the server will refuse it.
_OPAQUE = re.compile(r"'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|--[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)


def encode(statement: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """The request's `parameters` for `values`, checked against the placeholders of `statement`."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise ProgrammingError(f"parameters are a sequence, one value for each ?, not a {type(values).__name__}")
    wanted = _OPAQUE.sub("", statement).count("?")
    if wanted != len(values):
        raise ProgrammingError(f"the statement has {wanted} placeholders (?), and {len(values)} values are given")
    return [_parameter(value) for value in values]


def _parameter(value: object) -> dict[str, Any]:
    kind, wire = _wire(value)
    return {"type": kind, "value": wire}


def _wire(value: object) -> tuple[str, Any]:
    # The order matters: a bool is an int, a datetime is a date.
    match value:
        case None:
            return "VARCHAR", None
        case bool():
            return "BOOLEAN", value
        case int():
            if not _BIGINT_MIN <= value <= _BIGINT_MAX:
                raise DataError(f"{value} does not fit into a BIGINT")
            return "BIGINT", int(value)
        case float():
            return "DOUBLE", float(value) if math.isfinite(value) else _non_finite(value)
        case decimal.Decimal():
            if value.is_finite() and math.isinf(float(value)):
                raise DataError(f"{value} does not fit into a DOUBLE")
            return "DOUBLE", str(value)
        case str():
            return "VARCHAR", str(value)
        case uuid.UUID():
            return "VARCHAR", str(value)
        case dt.datetime():
            return "TIMESTAMP", _instant(value)
        case dt.date():
            return "DATE", value.isoformat()
        case list() | tuple():
            return "ARRAY", [_wire(item)[1] for item in value]
    # numpy's scalars know their Python value.
    item = getattr(value, "item", None)
    if callable(item) and not isinstance(plain := item(), type(value)):
        if type(value).__name__ == "datetime64" and isinstance(plain, int):
            # That of a finer unit than a datetime has is a number, and so is that of a year beyond Python's.
            plain = value.astype("datetime64[us]").item()  # type: ignore[attr-defined]
            if isinstance(plain, int):
                raise DataError(f"{value} is beyond the years of a datetime")
        return _wire(plain)
    raise ProgrammingError(f"a {type(value).__name__} cannot be a parameter: {value!r}")


def _instant(value: dt.datetime) -> str:
    """ISO 8601. Without a zone it is the wall clock of the statement's time zone, as the server reads it."""
    if value.tzinfo is None:
        return value.isoformat(timespec="milliseconds")
    return value.astimezone(dt.timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
