"""Superset's time grains as SQL, by their ISO 8601 names (the values of `superset.constants.TimeGrain`)."""

from __future__ import annotations

_TIME = "CAST({col} AS TIMESTAMP)"


def _floor(period: str, time: str = _TIME) -> str:
    return f"TIME_FLOOR({time}, '{period}')"


def _shift(time: str, days: int) -> str:
    return f"TIME_SHIFT({time}, 'P1D', {days})"


# Weeks floor to Mondays. A week that starts on Sunday is one that starts on Monday, a day earlier.
_MONDAY = _floor("P1W")
_SUNDAY = _shift(_floor("P1W", _shift(_TIME, 1)), -1)
_SATURDAY = _shift(_floor("P1W", _shift(_TIME, 1)), 5)

EXPRESSIONS: dict[str | None, str] = {
    None: "{col}",
    "PT1S": _floor("PT1S"),
    "PT5S": _floor("PT5S"),
    "PT30S": _floor("PT30S"),
    "PT1M": _floor("PT1M"),
    "PT5M": _floor("PT5M"),
    "PT10M": _floor("PT10M"),
    "PT15M": _floor("PT15M"),
    "PT30M": _floor("PT30M"),
    "PT0.5H": _floor("PT30M"),
    "PT1H": _floor("PT1H"),
    "PT6H": _floor("PT6H"),
    "P1D": _floor("P1D"),
    "P1W": _MONDAY,
    "1969-12-28T00:00:00Z/P1W": _SUNDAY,
    "1969-12-29T00:00:00Z/P1W": _MONDAY,
    "P1W/1970-01-03T00:00:00Z": _SATURDAY,
    "P1W/1970-01-04T00:00:00Z": _shift(_MONDAY, 6),
    "P1M": _floor("P1M"),
    "P3M": _floor("P3M"),
    "P0.25Y": _floor("P3M"),
    "P1Y": _floor("P1Y"),
}
