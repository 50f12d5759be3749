"""DuckDB in this process, on the same rows in a database file of its own, sorted by time as segments are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from .data import NOTIFICATIONS, Alerts, Events
from .measure import repeat, summary
from .queries import Query, check


def load(file: Path, events: Events, alerts: Alerts) -> duckdb.DuckDBPyConnection:
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(str(file), config={"threads": len(os.sched_getaffinity(0))})
    names = events.devices
    devices = {
        "device": np.arange(len(names.ids), dtype=np.int16),
        "id": np.array(names.ids, dtype=object),
        "city": np.array(names.cities, dtype=object),
        "region": np.array(names.regions, dtype=object),
        "latitude": names.latitudes,
        "longitude": names.longitudes,
    }
    raw = {"ms": events.time_ms, "device": events.device, "rejected": events.rejected}
    raw_alerts = {"ms": alerts.time_ms, "device": alerts.device, "count": alerts.count}
    for name, arrays in (("devices", devices), ("raw", raw), ("raw_alerts", raw_alerts)):
        connection.register(name, arrays)
    connection.execute(
        f"""
        CREATE TABLE "DEVICES" AS SELECT id AS "deviceId", city, region, latitude, longitude FROM devices;
        CREATE TABLE "EVENTS_GEO" AS SELECT
            make_timestamp(ms * 1000) AS "__time", id AS "deviceId", city AS "deviceCity", region AS "deviceRegion",
            'operatingNotification' AS "messageName",
            CASE WHEN rejected THEN '{NOTIFICATIONS[1]}' ELSE '{NOTIFICATIONS[0]}' END AS "eventNotificationName",
            regexp_replace(strftime(make_timestamp(ms * 1000), '%Y-%m-%dT%H:%M:%S.%g'), '\\.?0+$', '') || 'Z' AS "timestamp",
            latitude AS "deviceLatitude", longitude AS "deviceLongitude"
        FROM raw JOIN devices USING (device) ORDER BY ms;
        CREATE TABLE "ALERTS" AS SELECT
            make_timestamp(ms * 1000) AS "__time", "count" AS "total_count_per_deviceid", id AS "deviceId",
            latitude AS "deviceLatitude", longitude AS "deviceLongitude"
        FROM raw_alerts JOIN devices USING (device) ORDER BY ms;
        CHECKPOINT
        """
    )
    return connection


def latency(connection: duckdb.DuckDBPyConnection, asked: list[Query]) -> dict[str, dict[str, Any]]:
    """Execute and fetch as arrays: no rows are made in Python."""
    results = {}
    for query in asked:
        sql = query.in_duckdb()
        rows = check(query, connection.execute(sql).fetchall(), "duckdb")
        results[query.name] = {**summary(repeat(lambda sql=sql: connection.execute(sql).fetchnumpy())), "rows": rows}
    return results
