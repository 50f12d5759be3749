"""What is asked, in Druid's SQL and in DuckDB's, with the answer computed from the arrays that made the messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from .data import NOTIFICATIONS, Alerts, Events, iso

Rows = list[tuple[Any, ...]]
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


@dataclass(frozen=True)
class Query:
    """`peer_sql` is DuckDB's text where it differs. Answers are compared without regard to order."""

    name: str
    sql: str
    expected: Callable[[], Rows]
    peer_sql: str | None = None
    descending: int | None = None  # the column by which the answer must fall

    def in_duckdb(self) -> str:
        return self.peer_sql or self.sql.replace('"druid".', "")


def queries(events: Events, alerts: Alerts) -> list[Query]:
    names = events.devices
    first, last = _text(events.end_ms - 2 * MINUTE_MS), _text(events.end_ms)
    recent = (alerts.time_ms >= events.end_ms - 2 * MINUTE_MS) & (alerts.time_ms < events.end_ms)
    span_ms = events.end_ms - events.start_ms
    period, width_ms = ("PT1H", HOUR_MS) if span_ms > 2 * 86_400_000 else ("PT1M", MINUTE_MS)
    one = names.ids[7]
    tenth_begin, tenth_end = events.start_ms + span_ms // 2, events.start_ms + span_ms // 2 + span_ms // 10
    low_ids = np.array([name < "4d" for name in names.ids])
    fresh = events.time_ms >= events.end_ms - 2 * MINUTE_MS
    in_tenth = (events.time_ms >= tenth_begin) & (events.time_ms < tenth_end)
    tenth = f"\"__time\" >= '{_text(tenth_begin)}' AND \"__time\" < '{_text(tenth_end)}'"
    places = 'NOT "deviceLongitude" IS NULL AND NOT "deviceLatitude" IS NULL'
    grid = 'SELECT "deviceLongitude" AS "deviceLongitude", "deviceLatitude" AS "deviceLatitude", '

    def bucketed(name: str, where: str, keep: Callable[[], np.ndarray | slice]) -> Query:
        condition = f" WHERE {where}" if where else ""
        tail = f'"eventNotificationName", COUNT(*) AS "count" FROM "EVENTS_GEO"{condition} GROUP BY 1, 2'
        unit = "hour" if width_ms == HOUR_MS else "minute"
        return Query(
            name,
            f"SELECT TIME_FLOOR(\"__time\", '{period}') AS \"t\", {tail}",
            lambda: _buckets(events, width_ms, keep()),
            f"SELECT date_trunc('{unit}', \"__time\") AS \"t\", {tail}",
        )

    return [
        Query(
            "dashboard: devices",
            'SELECT "longitude" AS "longitude", "latitude" AS "latitude" FROM "druid"."DEVICES" '
            'WHERE NOT "longitude" IS NULL AND NOT "latitude" IS NULL GROUP BY "longitude", "latitude" LIMIT 10000',
            lambda: sorted(set(zip(names.longitudes.tolist(), names.latitudes.tolist(), strict=True))),
        ),
        Query(
            "dashboard: events",
            f'{grid}COUNT(*) AS "count" FROM "druid"."EVENTS_GEO" WHERE {places} '
            'GROUP BY "deviceLongitude", "deviceLatitude" ORDER BY "count" DESC LIMIT 10000',
            lambda: _grid(events.device, names, None),
            descending=2,
        ),
        Query(
            "dashboard: alerts, last 2 min",
            f'{grid}SUM("total_count_per_deviceid") AS "sum" FROM "druid"."ALERTS" '
            f"WHERE \"__time\" >= '{first}' AND \"__time\" < '{last}' AND {places} "
            'GROUP BY "deviceLongitude", "deviceLatitude" ORDER BY "sum" DESC LIMIT 10000',
            lambda: _grid(alerts.device[recent], names, alerts.count[recent]),
            descending=2,
        ),
        Query(
            "events grid, last 2 min",
            f'{grid}COUNT(*) AS "count" FROM "druid"."EVENTS_GEO" '
            f"WHERE \"__time\" >= '{_text(events.end_ms - 2 * MINUTE_MS)}' AND {places} "
            'GROUP BY "deviceLongitude", "deviceLatitude" ORDER BY "count" DESC LIMIT 10000',
            lambda: _grid(events.device[fresh], names, None),
            descending=2,
        ),
        Query("SELECT 1", 'SELECT 1 AS "n"', lambda: [(1,)]),
        Query("COUNT(*)", 'SELECT COUNT(*) AS "n" FROM "EVENTS_GEO"', lambda: [(events.rows,)]),
        bucketed(f"{period} x notification", "", lambda: slice(None)),
        bucketed(
            "… filter 0.01 %: one device, a tenth of the span",
            f"\"deviceId\" = '{one}' AND {tenth}",
            lambda: (events.device == 7) & in_tenth,
        ),
        bucketed(
            "… filter 1 %: rejected only",
            f"\"eventNotificationName\" = '{NOTIFICATIONS[1]}'",
            lambda: events.rejected,
        ),
        bucketed("… filter 30 %: deviceId < '4d'", "\"deviceId\" < '4d'", lambda: low_ids[events.device]),
    ]


def _text(time_ms: int) -> str:
    return iso(time_ms).replace("T", " ") + "000"  # as Superset writes a timestamp


def _grid(device: np.ndarray, names: Any, weights: np.ndarray | None) -> Rows:
    cells = names.cells
    size = int(cells.max()) + 1
    sums = np.bincount(cells[device], weights, size)
    hits = np.bincount(cells[device], None, size)
    where = {int(cell): index for index, cell in enumerate(cells)}
    return [
        (float(names.longitudes[where[cell]]), float(names.latitudes[where[cell]]), int(sums[cell]))
        for cell in range(size)
        if hits[cell]
    ]


def _buckets(events: Events, width_ms: int, keep: np.ndarray | slice) -> Rows:
    begins = events.time_ms[keep] // width_ms
    keys, counts = np.unique(begins * 2 + events.rejected[keep], return_counts=True)
    return [
        (int(key) // 2 * width_ms, NOTIFICATIONS[int(key) % 2], int(count))
        for key, count in zip(keys, counts, strict=True)
    ]


def canonical(rows: list[Any]) -> Rows:
    """Rows of any system: times in milliseconds, floats as 32 bits would hold them."""

    def value(item: Any) -> Any:
        if isinstance(item, datetime):
            return round(item.replace(tzinfo=timezone.utc).timestamp() * 1000)
        if isinstance(item, str) and item.endswith("Z") and item[4:5] == "-":
            return round(datetime.fromisoformat(item).timestamp() * 1000)
        return float(np.float32(item)) if isinstance(item, float) else item

    return [tuple(value(item) for item in (row.values() if isinstance(row, dict) else row)) for row in rows]


def check(query: Query, rows: list[Any], who: str) -> int:
    """Fails unless the answer is the reference answer; gives its number of rows."""
    got = canonical(rows)
    if query.descending is not None:
        column = [row[query.descending] for row in got]
        if column != sorted(column, reverse=True):
            raise AssertionError(f"{who}: {query.name}: the rows do not fall by column {query.descending + 1}")
    expected = sorted(canonical(query.expected()))
    if sorted(got) != expected:
        wrong = set(got) ^ set(expected)
        raise AssertionError(
            f"{who}: {query.name}: {len(got)} rows where {len(expected)} are right; differing: {sorted(wrong)[:6]}"
        )
    return len(got)
