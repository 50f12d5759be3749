"""Doors and what happens at them: the messages of topics `DEVICES` and `EVENTS`, as the case study defines them.

Nothing here knows Kafka, the store or the clock: times and the source of chance are given, so that the tests draw the
same events again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from math import asin, cos, radians, sin, sqrt
from typing import Any

EARTH_RADIUS_KM = 6373
# Doors this near to the disruption reject almost everyone while it lasts.
DISRUPTION = (47.37, 8.52)
DISRUPTION_RADIUS_KM = 0.1
NAMES = ("accessGranted", "accessRejected")
CALM, DISRUPTED = (100, 1), (1, 100)


@dataclass(frozen=True)
class Door:
    """A device: its id, and where it stands, in degrees."""

    device_id: str
    latitude: float
    longitude: float

    @property
    def is_disrupted(self) -> bool:
        """Whether it stands where the disruption is."""
        return distance_km((self.latitude, self.longitude), DISRUPTION) <= DISRUPTION_RADIUS_KM


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The distance of two points (latitude, longitude in degrees) on a sphere, by the haversine formula."""
    (latitude_a, longitude_a), (latitude_b, longitude_b) = (map(radians, a), map(radians, b))
    chord = (
        sin((latitude_b - latitude_a) / 2) ** 2
        + cos(latitude_a) * cos(latitude_b) * sin((longitude_b - longitude_a) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * asin(sqrt(chord))


def door_of(device: dict[str, Any]) -> Door:
    """The door that a message of topic `DEVICES` describes."""
    latitude, longitude = device["payload"]["location"]["loc"].split(",")
    return Door(device["deviceId"], float(latitude), float(longitude))


def event(door: Door, time_ms: int, *, disruption: bool, chance: random.Random) -> dict[str, Any]:
    """A message of topic `EVENTS`: someone at `door`, granted or rejected."""
    weights = DISRUPTED if disruption and door.is_disrupted else CALM
    return message(door.device_id, chance.choices(NAMES, weights)[0], time_ms)


def message(device_id: str, notification: str, time_ms: int) -> dict[str, Any]:
    """A message of topic `EVENTS`."""
    timestamp = iso(time_ms)
    return {
        "deviceId": device_id,
        "messageName": "operatingNotification",
        "payload": {"notificationName": notification, "eventTimestamp": timestamp},
        "timestamp": timestamp,
    }


def iso(time_ms: int) -> str:
    """ISO-8601 with milliseconds and `Z`."""
    seconds, millis = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{millis:03}Z"
