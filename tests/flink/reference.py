"""What the two jobs have to give, written plainly from the case study's rules and in whole numbers.

Enrichment is an inner join on `deviceId`. An alert is raised in a window of a minute (one begins every 30 seconds)
for a device and place with more than `average + 3 * deviation + 5` rejected accesses. Average and sample standard
deviation are those of the window's devices that had any, cut to whole numbers before the comparison. A window counts
once the watermark, five seconds behind the latest event, has passed its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from math import isqrt
from typing import Any

LENGTH = timedelta(minutes=1)
SLIDE = timedelta(seconds=30)
DELAY = timedelta(seconds=5)


def enriched(events: list[dict[str, Any]], devices: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The messages of topic `EVENTS_GEO`."""
    location_of = {device["deviceId"]: device["payload"]["location"] for device in devices}
    rows = []
    for event in events:
        if event["deviceId"] not in location_of:
            continue
        location = location_of[event["deviceId"]]
        rows.append({
            "deviceId": event["deviceId"],
            "deviceCity": location["city"],
            "deviceRegion": location["region"],
            "deviceLocation": location["loc"],
            "messageName": event["messageName"],
            "eventNotificationName": event["payload"]["notificationName"],
            "timestamp": without_trailing_zeros(event["timestamp"]),
            "eventTimestamp": event["payload"]["eventTimestamp"],
        })  # fmt: skip
    return rows


def without_trailing_zeros(timestamp: str) -> str:
    """`20:20:33.600Z` as `20:20:33.6Z`: `timestamp` is a time to Flink, and this is how it writes one."""
    whole, _, fraction = timestamp.removesuffix("Z").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


def alerts(events_geo: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The messages of topic `ALERTS`, for events that come in the order of their times."""
    counts: defaultdict[datetime, Counter[tuple[str, str]]] = defaultdict(Counter)
    watermark = datetime.min
    for event in events_geo:
        time = datetime.fromisoformat(event["eventTimestamp"].removesuffix("Z"))
        watermark = max(watermark, time - DELAY)
        if event["eventNotificationName"] != "accessRejected":
            continue
        for start in windows_of(time):
            counts[start][event["deviceId"], event["deviceLocation"]] += 1
    closed = sorted(start for start in counts if start + LENGTH <= watermark)
    return [alert for start in closed for alert in alerts_of(start, counts[start])]


def windows_of(time: datetime) -> list[datetime]:
    """The beginnings of the two windows that hold `time`."""
    last = time - (time - datetime.min) % SLIDE
    return [last - SLIDE, last]


def alerts_of(start: datetime, counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """The alerts of one window."""
    values = list(counts.values())
    average, deviation = sum(values) // len(values), whole_deviation(values)
    if deviation is None:
        return []
    return [
        {
            "window_start": start.isoformat(),
            "window_end": (start + LENGTH).isoformat(),
            "total_count_per_deviceid": count,
            "deviceId": device_id,
            "deviceLocation": location,
            "avg_error_count": average,
            "std_error_count": deviation,
        }
        for (device_id, location), count in counts.items()
        if count > average + 3 * deviation + 5
    ]


def whole_deviation(values: list[int]) -> int | None:
    """The sample standard deviation of `values`, cut to a whole number; one value has none.

    The variance is `(n * sum(v * v) - sum(v) ** 2) / (n * (n - 1))`; cutting it before the root is taken changes
    nothing.
    """
    n = len(values)
    if n < 2:
        return None
    return isqrt((n * sum(value * value for value in values) - sum(values) ** 2) // (n * (n - 1)))
