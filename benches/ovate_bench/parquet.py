"""The data as Parquet files, sorted by time: what every peer loads its own tables from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .data import NOTIFICATIONS, Alerts, Devices, Events

ROWS_PER_GROUP = 1_000_000


def write(folder: Path, events: Events, alerts: Alerts) -> dict[str, Path]:
    """One file per table, a million rows at a time, so that it never takes the memory of a whole table."""
    folder.mkdir(parents=True, exist_ok=True)
    names = events.devices
    tables = {
        "DEVICES": ([np.arange(len(names.ids))], lambda part: device_columns(names, part)),
        "ALERTS": (parts(alerts.time_ms), lambda part: alert_columns(alerts, part)),
        "EVENTS_GEO": (parts(events.time_ms), lambda part: event_columns(events, part)),
    }
    files = {}
    for table, (pieces, columns) in tables.items():
        files[table] = folder / f"{table}.parquet"
        writer = None
        for piece in pieces:
            batch = pa.table(columns(piece))
            # Readers shall see plain strings, whatever they make of them: hence no Arrow schema in the file.
            writer = writer or pq.ParquetWriter(files[table], batch.schema, compression="zstd", store_schema=False)
            writer.write_table(batch, row_group_size=ROWS_PER_GROUP)
        if writer:
            writer.close()
    return files


def parts(time_ms: np.ndarray) -> list[np.ndarray]:
    """The rows' numbers in the order of time, in pieces."""
    order = np.argsort(time_ms, kind="stable")
    return [order[begin : begin + ROWS_PER_GROUP] for begin in range(0, len(order), ROWS_PER_GROUP)]


def texts(values: list[str] | tuple[str, ...], codes: np.ndarray) -> pa.DictionaryArray:
    distinct, at = np.unique(np.array(values), return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(at.astype(np.int32)[codes.astype(np.int32)]), pa.array(distinct))


def instants(time_ms: np.ndarray) -> pa.Array:
    return pa.array(time_ms * 1000, pa.timestamp("us"))


def places(names: Devices, device: np.ndarray, prefix: str = "") -> dict[str, pa.Array]:
    latitude, longitude = (f"{prefix}{word}" for word in (("Latitude", "Longitude") if prefix else ("latitude", "longitude")))
    return {latitude: pa.array(names.latitudes[device]), longitude: pa.array(names.longitudes[device])}


def device_columns(names: Devices, part: np.ndarray) -> dict[str, pa.Array]:
    """All of one instant, as the specification's missingValue has it."""
    return {
        "__time": instants(np.full(len(part), 1_262_304_000_000)),
        "deviceId": texts(names.ids, part),
        **places(names, part),
    }


def alert_columns(alerts: Alerts, part: np.ndarray) -> dict[str, pa.Array]:
    device = alerts.device[part]
    return {
        "__time": instants(alerts.time_ms[part]),
        "total_count_per_deviceid": pa.array(alerts.count[part]),
        "deviceId": texts(alerts.devices.ids, device),
        **places(alerts.devices, device, "device"),
    }


def event_columns(events: Events, part: np.ndarray) -> dict[str, pa.Array]:
    names, device, time_ms = events.devices, events.device[part], events.time_ms[part]
    written = pc.strftime(pa.array(time_ms, pa.timestamp("ms")), "%Y-%m-%dT%H:%M:%S")
    shortened = pc.utf8_rtrim(pc.utf8_rtrim(written, "0"), ".")
    return {
        "__time": instants(time_ms),
        "deviceId": texts(names.ids, device),
        "deviceCity": texts(names.cities, device),
        "deviceRegion": texts(names.regions, device),
        "messageName": texts(["operatingNotification"], np.zeros(len(part))),
        "eventNotificationName": texts(NOTIFICATIONS, events.rejected[part]),
        "timestamp": pc.binary_join_element_wise(shortened, "Z", ""),
        **places(names, device, "device"),
    }
