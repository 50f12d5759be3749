"""The published devices and the 49,000 events of one recorded run, through both jobs and into the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import reference
from dashboard import dashboard
from harness import PASSWORD, USER, lines
from pipeline import Pipeline, alerts_of, as_stored, events_of, in_order, send, without_place
from pydruid.db import connect


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines("EVENTS")]


@pytest.fixture(scope="module")
def run(
    new_pipeline: Callable[[int], Pipeline], devices: list[dict[str, Any]], events: list[dict[str, Any]]
) -> Pipeline:
    pipeline = new_pipeline(1)
    pipeline.submit("enrichment")
    pipeline.submit("alerts")
    pipeline.send_devices(devices)
    send("EVENTS", events)
    for table, rows in (("DEVICES", 1_000), ("EVENTS_GEO", 49_000), ("ALERTS", 20)):
        pipeline.server.wait_for_rows(table, rows, 180)
    return pipeline


def test_the_topics_hold_what_the_recorded_run_left(run: Pipeline) -> None:
    assert len(run.messages("DEVICES", committed=True)) == 1_000
    assert len(run.messages("EVENTS", committed=True)) == 49_000
    for topic in ("EVENTS_GEO", "ALERTS"):
        assert sorted(run.messages(topic, committed=True)) == sorted(lines(topic)), topic


def test_the_reference_gives_what_the_recorded_run_left(
    devices: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    events_geo = reference.enriched(events, devices)
    assert in_order(events_geo) == in_order([json.loads(line) for line in lines("EVENTS_GEO")])
    assert in_order(reference.alerts(events_geo)) == in_order([json.loads(line) for line in lines("ALERTS")])


def test_the_store_holds_every_event_and_alert_once(
    run: Pipeline, devices: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    events_geo = reference.enriched(events, devices)
    assert events_of(run.server) == as_stored(events_geo)
    assert in_order(alerts_of(run.server)) == in_order(without_place(reference.alerts(events_geo)))


def test_the_dashboard_shows_the_alerts(run: Pipeline, devices: list[dict[str, Any]]) -> None:
    cursor = connect(
        host="127.0.0.1", port=run.server.port, path="/druid/v2/sql/", user=USER, password=PASSWORD
    ).cursor()
    queries = dashboard("2026-11-23 20:22:00", "2026-11-23 20:24:00")
    shown = {name: cursor.execute(query).fetchall() for name, query in queries.items()}
    assert len(shown["devices"]) == len(devices)
    assert sum(row.count for row in shown["events"]) == 49_000
    alerts = [json.loads(line) for line in lines("ALERTS")]
    expected: dict[str, int] = {}
    for alert in alerts:
        if alert["window_end"] >= "2026-11-23T20:22:00":
            place = alert["deviceLocation"]
            expected[place] = expected.get(place, 0) + alert["total_count_per_deviceid"]
    found = {(round(row[1], 4), round(row[0], 4)): row[2] for row in shown["alerts"]}
    rounded = {tuple(round(float(part), 4) for part in place.split(",")): total for place, total in expected.items()}
    assert found == rounded
    assert len(found) == 5, "the five doors near the disruption"
