"""The case study's data from a seed: arrays for the reference answers, JSON messages as its Flink job writes them.

The span ends 36 hours after the day's start, so that the newest time chunk has not ended while a run lasts: rows stay
unpublished ("hot") until they are told otherwise.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

DEVICES_FILE = Path(__file__).resolve().parents[2] / "tests" / "data" / "devices_zurich.json"
DAY_MS = 86_400_000
LATE_SHARE, LATE_MAX_MS = 0.05, 600_000
REJECTED_SHARE = 1 / 101
NOTIFICATIONS = ("accessGranted", "accessRejected")


@dataclass(frozen=True)
class Devices:
    """The case study's 1,000 devices, or more of their kind."""

    messages: list[bytes]
    ids: list[str]
    cities: list[str]
    regions: list[str]
    places: list[str]
    latitudes: np.ndarray  # float32, as the specification's regular expressions cut them out of the place
    longitudes: np.ndarray

    @staticmethod
    def load(count: int = 1_000, seed: int = 0) -> Devices:
        """More than the file has are made after its pattern: another id, and a place up to some metres beside."""
        raw = json.loads(DEVICES_FILE.read_text(encoding="utf-8"))
        random = np.random.default_rng(seed)
        known = len(raw)
        for number in range(known, count):
            device = json.loads(json.dumps(raw[number % known]))
            latitude, longitude = map(float, device["payload"]["location"]["loc"].split(","))
            device["deviceId"] = str(uuid.UUID(bytes=random.bytes(16)))
            device["payload"]["location"]["loc"] = (
                f"{latitude + random.uniform(-1e-3, 1e-3):.14f},{longitude + random.uniform(-1e-3, 1e-3):.14f}"
            )
            raw.append(device)
        raw = raw[:count]
        locations = [device["payload"]["location"] for device in raw]
        pairs = [location["loc"].split(",") for location in locations]
        return Devices(
            messages=[json.dumps(device, ensure_ascii=False).encode() for device in raw],
            ids=[device["deviceId"] for device in raw],
            cities=[location["city"] for location in locations],
            regions=[location["region"] for location in locations],
            places=[location["loc"] for location in locations],
            latitudes=np.array([np.float32(pair[0]) for pair in pairs]),
            longitudes=np.array([np.float32(pair[1]) for pair in pairs]),
        )

    @cached_property
    def cells(self) -> np.ndarray:
        """Per device, the number of its (longitude, latitude) pair: devices may share a place."""
        pairs = np.stack([self.longitudes, self.latitudes], axis=1)
        return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True)
class Events:
    """Rows of EVENTS_GEO in the order in which they are produced."""

    devices: Devices
    seed: int
    start_ms: int
    end_ms: int
    time_ms: np.ndarray  # int64
    device: np.ndarray  # int32
    rejected: np.ndarray  # bool

    @staticmethod
    def generate(devices: Devices, rows: int, span_ms: int, seed: int) -> Events:
        random = np.random.default_rng(seed)
        end_ms = int(time.time() * 1000) // DAY_MS * DAY_MS + DAY_MS + DAY_MS // 2
        start_ms = end_ms - span_ms
        time_ms = np.sort(random.integers(start_ms, end_ms, rows))
        late = random.random(rows) < LATE_SHARE
        time_ms = np.maximum(time_ms - late * random.integers(0, LATE_MAX_MS, rows), start_ms)
        device = random.integers(0, len(devices.ids), rows).astype(np.int32)
        return Events(devices, seed, start_ms, end_ms, time_ms, device, random.random(rows) < REJECTED_SHARE)

    @property
    def rows(self) -> int:
        return len(self.time_ms)

    def messages(self) -> Iterator[bytes]:
        """Field order and number formats are those of the job's output: `timestamp` without trailing zeros."""
        names = self.devices
        heads = [
            [
                '{"deviceId":%s,"deviceCity":%s,"deviceRegion":%s,"deviceLocation":%s,"messageName":"operatingNotification",'
                '"eventNotificationName":"%s","timestamp":"'
                % (*(json.dumps(text, ensure_ascii=False) for text in device), notification)
                for notification in NOTIFICATIONS
            ]
            for device in zip(names.ids, names.cities, names.regions, names.places, strict=True)
        ]
        for begin in range(0, self.rows, 100_000):
            part = slice(begin, begin + 100_000)
            instants = np.datetime_as_string(self.time_ms[part].astype("datetime64[ms]")).tolist()
            devices, rejected = self.device[part].tolist(), self.rejected[part].tolist()
            for instant, device, is_rejected in zip(instants, devices, rejected, strict=True):
                cut = instant.rstrip("0").rstrip(".") if instant[-1] == "0" else instant
                yield f'{heads[device][is_rejected]}{cut}Z","eventTimestamp":"{instant}Z"}}'.encode()


@dataclass(frozen=True)
class Alerts:
    """Rows of ALERTS over the same span, a tenth of them in its last five minutes."""

    devices: Devices
    time_ms: np.ndarray  # the window's end
    device: np.ndarray
    count: np.ndarray

    @staticmethod
    def generate(events: Events, rows: int) -> Alerts:
        random = np.random.default_rng(events.seed + 1)
        begins = np.where(random.random(rows) < 0.1, events.end_ms - 300_000, events.start_ms)
        time_ms = np.sort(random.integers(begins, events.end_ms) // 30_000 * 30_000)
        device = random.integers(0, len(events.devices.ids), rows).astype(np.int32)
        return Alerts(events.devices, time_ms, device, random.integers(6, 40, rows))

    def messages(self) -> Iterator[bytes]:
        for time_ms, device, count in zip(self.time_ms.tolist(), self.device.tolist(), self.count.tolist(), strict=True):
            yield json.dumps(
                {
                    "window_start": iso(time_ms - 60_000)[:19],
                    "window_end": iso(time_ms)[:19],
                    "total_count_per_deviceid": count,
                    "deviceId": self.devices.ids[device],
                    "deviceLocation": self.devices.places[device],
                    "avg_error_count": 1,
                    "std_error_count": 1,
                }
            ).encode()


def iso(time_ms: int) -> str:
    """`2026-11-23T20:20:33.600`, in UTC."""
    return str(np.datetime_as_string(np.datetime64(int(time_ms), "ms")))
