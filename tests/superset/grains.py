"""What each of Superset's time grains means, computed without any database."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable

_SECONDS = {
    "PT1S": 1, "PT5S": 5, "PT30S": 30, "PT1M": 60, "PT5M": 300, "PT10M": 600, "PT15M": 900, "PT30M": 1800,
    "PT0.5H": 1800, "PT1H": 3600, "PT6H": 21_600, "P1D": 86_400,
}  # fmt: skip


def _monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())


def _sunday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=(day.weekday() + 1) % 7)


def _days_later(floor: Callable[[dt.date], dt.date], days: int) -> Callable[[dt.date], dt.date]:
    return lambda day: floor(day) + dt.timedelta(days=days)


def _quarter(day: dt.date) -> dt.date:
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


_DAYS: dict[str, Callable[[dt.date], dt.date]] = {
    "P1W": _monday,
    "1969-12-28T00:00:00Z/P1W": _sunday,
    "1969-12-29T00:00:00Z/P1W": _monday,
    "P1W/1970-01-03T00:00:00Z": _days_later(_sunday, 6),
    "P1W/1970-01-04T00:00:00Z": _days_later(_monday, 6),
    "P1M": lambda day: day.replace(day=1),
    "P3M": _quarter,
    "P0.25Y": _quarter,
    "P1Y": lambda day: day.replace(month=1, day=1),
}
ALL = [*_SECONDS, *_DAYS]


def bucket_ms(grain: str, time_ms: int) -> int:
    """The bucket of an instant, both in milliseconds since the epoch."""
    if seconds := _SECONDS.get(grain):
        return time_ms - time_ms % (seconds * 1000)
    day = dt.datetime.fromtimestamp(time_ms / 1000, dt.timezone.utc).date()
    return int(dt.datetime.combine(_DAYS[grain](day), dt.time(), dt.timezone.utc).timestamp()) * 1000


def counted(grain: str, times_ms: Iterable[int]) -> dict[int, int]:
    """How many instants there are in each bucket."""
    return dict(Counter(bucket_ms(grain, time) for time in times_ms))
