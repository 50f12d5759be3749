"""What is asked: a statement in every dialect, the right answer, and the comparison that comes before any time counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone
from itertools import pairwise
from typing import Any

import numpy as np

from .dialects import Dialect

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Query:
    """`expected` are the rows without the statement's LIMIT, in any order. Means are taken per `group`."""

    group: str
    name: str
    text: Callable[[Dialect], str]
    expected: Rows
    descending: int | None = None  # the column by which the answer must fall
    limit: int | None = None

    def asked(self, dialect: Dialect) -> Asked:
        return Asked(self.name, self.text(dialect), canonical(self.expected), self.descending, self.limit)


@dataclass(frozen=True)
class Asked:
    """A query in one system's words; plain values, so that another process can ask it."""

    name: str
    sql: str
    expected: Rows
    descending: int | None
    limit: int | None

    def check(self, rows: list[Any], who: str) -> int:
        """Fails unless `rows` answer the query; gives their number. Sums of floats may differ in the seventh digit."""
        got = canonical(rows)
        right, first = self.expected, self.descending
        if first is not None:
            column = [row[first] for row in got]
            if any(not (a > b or close(a, b)) for a, b in pairwise(column)):
                raise AssertionError(f"{who}: {self.name}: the rows do not fall by column {first + 1}")
        if self.limit is not None and len(right) > self.limit:
            right = self._right_ones(got, right, who)
        pairs = list(zip(sorted(got, key=order), sorted(right, key=order), strict=False))
        wrong = [pair for pair in pairs if not alike(*pair)]
        if len(got) != len(right) or wrong:
            raise AssertionError(
                f"{who}: {self.name}: {len(got)} rows where {len(right)} are right; first got and right: {wrong[:3]}"
            )
        return len(got)

    def _right_ones(self, got: Rows, right: Rows, who: str) -> Rows:
        """Under a LIMIT any of the rows that tie are right: each must be one of all, and none may be left out for less."""
        assert self.limit is not None
        if self.descending is not None:
            at = self.descending
            least = sorted((row[at] for row in right), reverse=True)[self.limit - 1]
            if any(row[at] < least and not close(row[at], least) for row in got):
                raise AssertionError(f"{who}: {self.name}: rows below the {self.limit} greatest")
        among = set(right)
        kept = [row for row in set(got) if row in among]
        if len(kept) != self.limit:
            raise AssertionError(f"{who}: {self.name}: {len(kept)} right rows, the limit is {self.limit}")
        return kept


def canonical(rows: list[Any]) -> Rows:
    """Rows of any system: times in milliseconds, floats as 32 bits would hold them."""

    def value(item: Any) -> Any:
        if type(item) is date:
            item = datetime(item.year, item.month, item.day)
        if isinstance(item, datetime):
            return round(item.replace(tzinfo=timezone.utc).timestamp() * 1000)
        if isinstance(item, str) and item.endswith("Z") and item[4:5] == "-":
            return round(datetime.fromisoformat(item).timestamp() * 1000)
        return float(np.float32(item)) if isinstance(item, float) else item

    return [tuple(value(item) for item in (row.values() if isinstance(row, dict) else row)) for row in rows]


def close(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6)
    return bool(a == b)


def alike(got: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    return len(got) == len(right) and all(map(close, got, right))


def order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Rows by their keys: what is not a float decides first, since sums of floats differ in their last digits."""
    return (
        [str(item) for item in row if not isinstance(item, float)],
        [item for item in row if isinstance(item, float)],
    )
