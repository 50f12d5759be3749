"""Flink dies, is stopped and goes on: no row is lost or doubled, and no row of an aborted transaction is seen.

The tests follow one another on one run. The enrichment takes checkpoints only when told to, so that it is known which
rows lie in an open transaction; the alerts take theirs every two seconds, as usual.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import reference
from doors import door_of, event, message
from harness import wait_for
from pipeline import Pipeline, alerts_of, as_stored, events_of, in_order, send, without_place

SEED = 7
BEGIN_MS = 1_767_225_600_000
# The parts of the stream; they end in the middle of windows.
PARTS_MS = ((0, 100_000), (100_000, 200_000), (200_000, 300_000))
BY_HAND = {"execution.checkpointing.interval": "1 h"}


@pytest.fixture(scope="module")
def parts(devices: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Three parts of a stream, 100 events a second at a quarter of the doors; a minute later, one at every door."""
    chance = random.Random(SEED)
    doors = [door_of(device) for device in devices]
    busy = [door for number, door in enumerate(doors) if number % 4 == 0 or door.is_disrupted]
    parts = [
        [
            event(chance.choice(busy), BEGIN_MS + time_ms, disruption=True, chance=chance)
            for time_ms in range(begin_ms, end_ms, 10)
        ]
        for begin_ms, end_ms in PARTS_MS
    ]
    after_ms = BEGIN_MS + PARTS_MS[-1][1] + 70_000
    parts[-1] += [message(door.device_id, "accessGranted", after_ms + n) for n, door in enumerate(doors)]
    return parts


@pytest.fixture(scope="module")
def run(
    new_pipeline: Callable[[int], Pipeline], devices: list[dict[str, Any]], parts: list[list[dict[str, Any]]]
) -> Pipeline:
    """The first part is in the store; nothing is open."""
    pipeline = new_pipeline(4)
    pipeline.submit("enrichment", **BY_HAND)
    pipeline.submit("alerts")
    pipeline.send_devices(devices)
    send("EVENTS", parts[0])
    pipeline.wait_for_messages("EVENTS_GEO", len(parts[0]), committed=False)
    assert pipeline.server.count("EVENTS_GEO") == 0, "nothing is committed yet"
    pipeline.cluster.checkpoint(pipeline.jobs["enrichment"])
    pipeline.server.wait_for_rows("EVENTS_GEO", len(parts[0]))
    return pipeline


def test_rows_of_the_transaction_in_which_flink_died_are_in_the_topic_and_not_in_the_store(
    run: Pipeline, devices: list[dict[str, Any]], parts: list[list[dict[str, Any]]]
) -> None:
    first, second = len(parts[0]), len(parts[1])
    send("EVENTS", parts[1])
    run.wait_for_messages("EVENTS_GEO", first + second, committed=False)
    assert run.server.count("EVENTS_GEO") == first, "the second part is written, not committed"

    run.cluster.kill_task_manager()
    run.cluster.up()
    # The job goes on from its checkpoint and writes the second part again.
    run.wait_for_messages("EVENTS_GEO", first + 2 * second, committed=False)
    run.cluster.wait_until_running(run.jobs["enrichment"])
    run.cluster.checkpoint(run.jobs["enrichment"])

    run.server.wait_for_rows("EVENTS_GEO", first + second)
    assert len(run.messages("EVENTS_GEO", committed=False)) == first + 2 * second
    assert len(run.messages("EVENTS_GEO", committed=True)) == first + second
    assert events_of(run.server) == as_stored(reference.enriched(parts[0] + parts[1], devices))


def test_jobs_that_go_on_from_a_savepoint_double_and_lose_nothing(
    run: Pipeline, devices: list[dict[str, Any]], parts: list[list[dict[str, Any]]]
) -> None:
    states = {name: run.cluster.stop_with_savepoint(job) for name, job in run.jobs.items()}
    send("EVENTS", parts[2])
    for name, state in states.items():
        settings = BY_HAND if name == "enrichment" else {}
        run.submit(name, **settings, **{"execution.state-recovery.path": state})
    sent = sum(len(part) for part in parts)
    run.wait_for_messages("EVENTS_GEO", sent + len(parts[1]), committed=False)
    run.cluster.checkpoint(run.jobs["enrichment"])
    run.server.wait_for_rows("EVENTS_GEO", sent)
    assert events_of(run.server) == as_stored(reference.enriched([e for part in parts for e in part], devices))


def test_windows_that_were_open_when_flink_died_or_stopped_are_whole(
    run: Pipeline, devices: list[dict[str, Any]], parts: list[list[dict[str, Any]]]
) -> None:
    expected = reference.alerts(reference.enriched([e for part in parts for e in part], devices))
    ends = {alert["window_end"] for alert in expected}
    assert {"2026-01-01T00:02:00", "2026-01-01T00:03:30"} <= ends, "windows that hold a cut between two parts"
    run.server.wait_for_rows("ALERTS", len(expected), 120)
    assert in_order(alerts_of(run.server)) == in_order(without_place(expected))


def test_a_store_that_is_killed_as_well_reads_on_past_the_aborted_rows(
    run: Pipeline, devices: list[dict[str, Any]], parts: list[list[dict[str, Any]]]
) -> None:
    expected = as_stored(reference.enriched([e for part in parts for e in part], devices))
    run.server.kill()
    run.server.start()
    run.server.wait_for_rows("EVENTS_GEO", sum(expected.values()))
    assert events_of(run.server) == expected
    lag = lambda: run.server.get("/druid/indexer/v1/supervisor/EVENTS_GEO/status")["payload"]["aggregateLag"]  # noqa: E731
    wait_for("no lag behind aborted rows and markers", lambda: lag() == 0)
