"""The case study's queries, each with the answer computed from the arrays that made the messages."""

from __future__ import annotations

import numpy as np

from .data import DAY_MS, NOTIFICATIONS, Alerts, Devices, Events
from .dialects import Dialect
from .queries import Query, Rows

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
DASHBOARD = ("dashboard: devices", "dashboard: events", "dashboard: alerts, last 2 min")
PLACES = 'NOT "deviceLongitude" IS NULL AND NOT "deviceLatitude" IS NULL'
GRID = 'SELECT "deviceLongitude" AS "deviceLongitude", "deviceLatitude" AS "deviceLatitude", '
BY_PLACE = 'GROUP BY "deviceLongitude", "deviceLatitude" ORDER BY'
LIMIT = 10_000


def queries(events: Events, alerts: Alerts) -> list[Query]:
    span_ms = events.end_ms - events.start_ms
    return [*dashboard(events, alerts), *floor(events), *buckets(events), newest(events, span_ms // 10)]


def dashboard(events: Events, alerts: Alerts) -> list[Query]:
    """The three statements that Superset sends, and the events' with the filter that a live dashboard has."""
    names = events.devices
    begin_ms, end_ms = events.end_ms - 2 * MINUTE_MS, events.end_ms
    recent = (alerts.time_ms >= begin_ms) & (alerts.time_ms < end_ms)
    fresh = events.time_ms >= begin_ms
    devices, grid, sums, live = (*DASHBOARD, "events grid, last 2 min")
    return [
        Query(
            "dashboard",
            devices,
            lambda d: (
                'SELECT "longitude" AS "longitude", "latitude" AS "latitude" '
                f'FROM {d.table("DEVICES")} WHERE NOT "longitude" IS NULL AND NOT "latitude" IS NULL '
                f'GROUP BY "longitude", "latitude" LIMIT {LIMIT}'
            ),
            sorted(set(zip(names.longitudes.tolist(), names.latitudes.tolist(), strict=True))),
            limit=LIMIT,
        ),
        Query(
            "dashboard",
            grid,
            lambda d: (
                f'{GRID}COUNT(*) AS "count" FROM {d.table("EVENTS_GEO")} WHERE {PLACES} {BY_PLACE} "count" DESC LIMIT {LIMIT}'
            ),
            by_place(names, events.device),
            descending=2,
            limit=LIMIT,
        ),
        Query(
            "dashboard",
            sums,
            lambda d: (
                f'{GRID}SUM("total_count_per_deviceid") AS "sum" FROM {d.table("ALERTS")} '
                f'WHERE "__time" >= {d.instant(begin_ms)} AND "__time" < {d.instant(end_ms)} AND {PLACES} '
                f'{BY_PLACE} "sum" DESC LIMIT {LIMIT}'
            ),
            by_place(names, alerts.device[recent], alerts.count[recent]),
            descending=2,
            limit=LIMIT,
        ),
        Query(
            "dashboard",
            live,
            lambda d: newest_places(d, begin_ms),
            by_place(names, events.device[fresh]),
            descending=2,
            limit=LIMIT,
        ),
    ]


def newest_places(d: Dialect, begin_ms: int) -> str:
    return (
        f'{GRID}COUNT(*) AS "count" FROM {d.table("EVENTS_GEO")} '
        f'WHERE "__time" >= {d.instant(begin_ms)} AND {PLACES} {BY_PLACE} "count" DESC LIMIT {LIMIT}'
    )


def floor(events: Events) -> list[Query]:
    """What a statement costs when there is nothing to compute."""
    return [
        Query("floor", "SELECT 1", lambda _: 'SELECT 1 AS "n"', [(1,)]),
        Query("floor", "COUNT(*)", lambda d: f'SELECT COUNT(*) AS "n" FROM {d.table("EVENTS_GEO")}', [(events.rows,)]),
    ]


def buckets(events: Events) -> list[Query]:
    """Bucket of time x notification, without and with filters that pass less and less."""
    span_ms = events.end_ms - events.start_ms
    unit, width_ms = ("hour", HOUR_MS) if span_ms > 2 * DAY_MS else ("minute", MINUTE_MS)
    one = events.devices.ids[7]
    begin_ms, end_ms = events.start_ms + span_ms // 2, events.start_ms + span_ms // 2 + span_ms // 10
    in_tenth = (events.time_ms >= begin_ms) & (events.time_ms < end_ms)
    low_ids = np.array([name < "4d" for name in events.devices.ids])
    return [
        bucketed(f"{unit} x notification", unit, width_ms, events),
        bucketed(
            "… filter 0.01 %: one device, a tenth of the span", unit, width_ms, events, (events.device == 7) & in_tenth,
            lambda d: f'"deviceId" = \'{one}\' AND "__time" >= {d.instant(begin_ms)} AND "__time" < {d.instant(end_ms)}',
        ),
        bucketed(
            "… filter 1 %: rejected only", unit, width_ms, events, events.rejected,
            lambda _: f"\"eventNotificationName\" = '{NOTIFICATIONS[1]}'",
        ),
        bucketed(
            "… filter 30 %: deviceId < '4d'", unit, width_ms, events, low_ids[events.device],
            lambda _: "\"deviceId\" < '4d'",
        ),
    ]  # fmt: skip


def newest(events: Events, width_ms: int) -> Query:
    """Touches the same rows, however many older ones there are."""
    begin_ms = events.end_ms - width_ms
    unit = "hour" if width_ms > 2 * DAY_MS else "minute"
    return bucketed(
        f"… the newest {width_ms / HOUR_MS:g} h", unit, MINUTE_MS if unit == "minute" else HOUR_MS, events,
        events.time_ms >= begin_ms, lambda d: f'"__time" >= {d.instant(begin_ms)}',
    )  # fmt: skip


def bucketed(
    name: str, unit: str, width_ms: int, events: Events, keep: np.ndarray | slice = slice(None), where: object = None
) -> Query:
    def text(d: Dialect) -> str:
        condition = f" WHERE {where(d)}" if callable(where) else ""
        return (
            f'SELECT {d.floor(unit)} AS "t", "eventNotificationName", COUNT(*) AS "count" '
            f"FROM {d.table('EVENTS_GEO')}{condition} GROUP BY 1, 2"
        )

    first = events.start_ms // width_ms
    groups = (events.time_ms[keep] // width_ms - first) * 2 + events.rejected[keep]
    counts = np.bincount(groups)
    rows = [((at // 2 + first) * width_ms, NOTIFICATIONS[at % 2], int(counts[at])) for at in np.flatnonzero(counts).tolist()]
    return Query("time bucket x dimension", name, text, rows)


def by_place(names: Devices, device: np.ndarray, weights: np.ndarray | None = None) -> Rows:
    """(longitude, latitude, rows or sum of weights); devices may share a place."""
    cells = names.cells
    size = int(cells.max()) + 1
    hits = np.bincount(cells[device], None, size)
    sums = hits if weights is None else np.bincount(cells[device], weights, size)
    where = {int(cell): index for index, cell in enumerate(cells)}
    return [
        (float(names.longitudes[where[cell]]), float(names.latitudes[where[cell]]), int(sums[cell]))
        for cell in np.flatnonzero(hits).tolist()
    ]


def scans(events: Events) -> list[Query]:
    """Every row of a column is looked at: no metadata, posting list or sorted time answers these."""
    latitudes = np.unique(events.devices.latitudes)
    between = float(latitudes[len(latitudes) // 2 - 1].astype(np.float64) / 2 + latitudes[len(latitudes) // 2] / 2)
    days = events.time_ms // DAY_MS
    values = events.devices.latitudes.astype(np.float64)[events.device]
    by_day = np.bincount(days - days.min(), values)
    table = "EVENTS_GEO"
    return [
        Query(
            "scan",
            "COUNT(*) where a float is greater",
            lambda d: f'SELECT COUNT(*) AS "n" FROM {d.table(table)} WHERE "deviceLatitude" > {between!r}',
            [(int((values > between).sum()),)],
        ),
        Query(
            "scan",
            "SUM(float)",
            lambda d: f'SELECT {d.sum_of_float("deviceLatitude")} AS "sum" FROM {d.table(table)}',
            [(float(values.sum()),)],
        ),
        Query(
            "scan",
            "SUM(float) by day",
            lambda d: (
                f'SELECT {d.floor("day")} AS "t", {d.sum_of_float("deviceLatitude")} AS "sum" FROM {d.table(table)} GROUP BY 1'
            ),
            [((int(day) + int(days.min())) * DAY_MS, float(by_day[day])) for day in np.flatnonzero(by_day).tolist()],
        ),
        *buckets(events)[:1],
    ]
