"""The jobs' rules on drawn events and at their edges, over four partitions, against the reference."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import reference
from doors import door_of, event, message
from pipeline import Pipeline, alerts_of, as_stored, events_of, in_order, send, without_place

SEED = 20_260_101
BEGIN_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z, the beginning of a window
DRAWN_MS = 240_000
# Rejected accesses of the devices of one window each: so many devices with one, so many with two, and one with more.
EDGES = {
    "equal to the threshold: no alert": (2, 9, 26),
    "above a deviation of 6.93 cut to 6": (12, 0, 26),
    "above a deviation of 4, which whole numbers all the way make 5": (8, 5, 20),
    "below a deviation of exactly 1, which rounding on the way makes 0": (35, 0, 7),
    "alone: no deviation, no alert": (0, 0, 40),
}


def drawn(devices: list[dict[str, Any]], begin_ms: int) -> list[dict[str, Any]]:
    """250 events a second."""
    chance = random.Random(SEED)
    doors = [door_of(device) for device in devices]
    return [
        event(chance.choice(doors), time_ms, disruption=True, chance=chance)
        for time_ms in range(begin_ms, begin_ms + DRAWN_MS, 4)
    ]


def edge(devices: list[dict[str, Any]], counts: tuple[int, int, int], begin_ms: int) -> list[dict[str, Any]]:
    """One case of `EDGES`, in a minute of its own."""
    ones, twos, many = counts
    ids = [device["deviceId"] for device in devices]
    rejecting = ids[:ones] + 2 * ids[ones : ones + twos] + many * ids[ones + twos : ones + twos + 1]
    return [
        message(device_id, "accessRejected", begin_ms + 30_000 + number) for number, device_id in enumerate(rejecting)
    ]


def closing(devices: list[dict[str, Any]], begin_ms: int) -> list[dict[str, Any]]:
    """An access of every device, so that time goes on in every partition."""
    return [message(device["deviceId"], "accessGranted", begin_ms + n) for n, device in enumerate(devices)]


def all_events(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    events, now_ms = [], BEGIN_MS
    for counts in EDGES.values():
        events += edge(devices, counts, now_ms)
        now_ms += 180_000
    events += drawn(devices, now_ms)
    return events + closing(devices, now_ms + DRAWN_MS + 100_000)


@pytest.fixture(scope="module")
def events_geo(devices: list[dict[str, Any]]) -> list[dict[str, str]]:
    return reference.enriched(all_events(devices), devices)


@pytest.fixture(scope="module")
def run(
    new_pipeline: Callable[[int], Pipeline], devices: list[dict[str, Any]], events_geo: list[dict[str, str]]
) -> Pipeline:
    pipeline = new_pipeline(4)
    pipeline.submit("enrichment")
    pipeline.submit("alerts")
    pipeline.send_devices(devices)
    strangers = [message(f"stranger {n}", "accessRejected", BEGIN_MS + n) for n in range(100)]
    send("EVENTS", strangers + all_events(devices))
    pipeline.server.wait_for_rows("EVENTS_GEO", len(events_geo), 180)
    pipeline.server.wait_for_rows("ALERTS", len(reference.alerts(events_geo)), 60)
    return pipeline


def test_the_edges_lie_where_they_are_meant_to(devices: list[dict[str, Any]]) -> None:
    """Were one of them not at its edge, the comparison below would say nothing."""
    raised = {}
    for name, counts in EDGES.items():
        rows = reference.enriched(edge(devices, counts, BEGIN_MS) + closing(devices, BEGIN_MS + 180_000), devices)
        raised[name.split()[0]] = len(reference.alerts(rows))
    # The rows of an edge lie in two windows.
    assert raised == {"equal": 0, "above": 2, "below": 0, "alone:": 0}


def test_alerts_are_those_of_the_reference(run: Pipeline, events_geo: list[dict[str, str]]) -> None:
    expected = reference.alerts(events_geo)
    assert in_order(alerts_of(run.server)) == in_order(without_place(expected))


def test_events_of_known_devices_are_there_once_and_strangers_are_not(
    run: Pipeline, events_geo: list[dict[str, str]]
) -> None:
    assert events_of(run.server) == as_stored(events_geo)


def test_a_rejection_later_than_its_window_changes_nothing(
    run: Pipeline, devices: list[dict[str, Any]], events_geo: list[dict[str, str]]
) -> None:
    """The alerts of the last drawn window are in the store, so the watermark has passed all the edges' windows.

    What comes after the late ones raises alerts, which show that the late ones have been dealt with.
    """
    late = [message(devices[0]["deviceId"], "accessRejected", BEGIN_MS + 30_500) for _ in range(200)]
    after_ms = BEGIN_MS + 10_020_000
    after = edge(devices, EDGES["above a deviation of 6.93 cut to 6"], after_ms) + closing(devices, after_ms + 180_000)
    send("EVENTS", late + after)
    expected = reference.alerts(events_geo + reference.enriched(after, devices))
    run.server.wait_for_rows("ALERTS", len(expected), 120)
    assert in_order(alerts_of(run.server)) == in_order(without_place(expected))
    run.server.wait_for_rows("EVENTS_GEO", len(events_geo) + len(late) + len(after), 120)
