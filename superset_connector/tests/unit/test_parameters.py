"""How Python values travel."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any

import pytest

from ovate_connector import dbapi
from ovate_connector.dbapi.parameters import encode

ZURICH = dt.timezone(dt.timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "kind", "wire"),
    [
        (None, "VARCHAR", None),
        (True, "BOOLEAN", True),
        (7, "BIGINT", 7),
        (-(2**63), "BIGINT", -(2**63)),
        (1.5, "DOUBLE", 1.5),
        (float("nan"), "DOUBLE", "NaN"),
        (float("-inf"), "DOUBLE", "-Infinity"),
        (decimal.Decimal("1.10"), "DOUBLE", "1.10"),
        ("it's ü \\", "VARCHAR", "it's ü \\"),
        (uuid.UUID(int=1), "VARCHAR", "00000000-0000-0000-0000-000000000001"),
        (dt.date(2026, 11, 23), "DATE", "2026-11-23"),
        (dt.datetime(2026, 11, 23, 10, 0, 0, 1999), "TIMESTAMP", "2026-11-23T10:00:00.001"),
        (dt.datetime(2026, 11, 23, 10, tzinfo=ZURICH), "TIMESTAMP", "2026-11-23T09:00:00.000Z"),
        ([1, 2], "ARRAY", [1, 2]),
    ],
)
def test_a_value_has_its_type(value: Any, kind: str, wire: Any) -> None:
    assert encode("SELECT ?", [value]) == [{"type": kind, "value": wire}]


def test_question_marks_in_texts_names_and_comments_are_no_placeholders() -> None:
    sql = "SELECT '?''?', \"a?\" -- ?\n, /* ? */ ?"
    assert encode(sql, [1]) == [{"type": "BIGINT", "value": 1}]


@pytest.mark.parametrize("values", [[], [1, 2]])
def test_too_few_and_too_many_are_refused(values: list[int]) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="1 placeholders"):
        encode("SELECT ?", values)


@pytest.mark.parametrize("values", [{"a": 1}, "a", [object()]])
def test_what_cannot_travel_is_refused(values: Any) -> None:
    with pytest.raises(dbapi.ProgrammingError):
        encode("SELECT ?", values)


def test_an_integer_beyond_64_bits_is_refused() -> None:
    with pytest.raises(dbapi.DataError, match="BIGINT"):
        encode("SELECT ?", [2**63])
