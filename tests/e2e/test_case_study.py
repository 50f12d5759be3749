"""The published case study, Kafka to answer: its own specifications, its own data, a stock Druid client."""

from __future__ import annotations

import json
import struct
import time
from collections import Counter
from typing import Any

import pytest
import requests
from dashboard import dashboard
from harness import DATA, PASSWORD, USER, Server, lines, produce, wait_for
from pydruid.db import connect
from sqlalchemy import create_engine, inspect, text


def float32(value: str) -> float:
    return float(struct.unpack("f", struct.pack("f", float(value)))[0])


@pytest.fixture(scope="session")
def events() -> list[dict[str, str]]:
    return [json.loads(line) for line in lines("EVENTS_GEO")]


@pytest.fixture(scope="session")
def alerts() -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines("ALERTS")]


def test_ten_aggregates_equal_those_computed_from_the_files(
    case_study: Server, events: list[dict[str, str]], alerts: list[dict[str, Any]]
) -> None:
    one = lambda query: list(case_study.sql(query, resultFormat="array")[0])  # noqa: E731
    by_name = Counter(event["eventNotificationName"] for event in events)
    minutes = Counter(event["eventTimestamp"][:16] for event in events)
    devices = Counter(event["deviceId"] for event in events)
    places = Counter(event["deviceLocation"] for event in events)
    times = sorted(event["eventTimestamp"] for event in events)

    assert one("SELECT COUNT(*) FROM EVENTS_GEO") == [49_000]
    assert dict(
        case_study.sql("SELECT eventNotificationName, COUNT(*) FROM EVENTS_GEO GROUP BY 1", resultFormat="array")
    ) == dict(by_name)
    assert {
        t[:16]: n
        for t, n in case_study.sql(
            "SELECT TIME_FLOOR(__time, 'PT1M'), COUNT(*) FROM EVENTS_GEO GROUP BY 1", resultFormat="array"
        )
    } == dict(minutes)
    assert one("SELECT MIN(__time), MAX(__time) FROM EVENTS_GEO") == [times[0], times[-1]]
    assert one("SELECT COUNT(DISTINCT deviceId) FROM EVENTS_GEO", ) == pytest.approx([len(devices)], rel=0.03)
    top = case_study.sql(
        "SELECT deviceId, COUNT(*) AS n FROM EVENTS_GEO GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10", resultFormat="array"
    )
    assert [tuple(row) for row in top] == sorted(devices.items(), key=lambda item: (-item[1], item[0]))[:10]
    assert one(
        "SELECT COUNT(*) FROM EVENTS_GEO WHERE eventNotificationName = 'accessRejected' AND deviceCity LIKE 'Z%'"
    ) == [by_name["accessRejected"]]
    grid = case_study.sql(
        "SELECT deviceLatitude, deviceLongitude, COUNT(*) FROM EVENTS_GEO GROUP BY 1, 2", resultFormat="array"
    )
    expected: Counter[tuple[float, float]] = Counter()
    for place, count in places.items():
        latitude, longitude = place.split(",")
        expected[float32(latitude), float32(longitude)] += count
    assert {(float32(a), float32(b)): n for a, b, n in grid} == dict(expected)
    assert one("SELECT SUM(total_count_per_deviceid), MAX(avg_error_count) FROM ALERTS") == [
        sum(alert["total_count_per_deviceid"] for alert in alerts),
        max(alert["avg_error_count"] for alert in alerts),
    ]
    assert dict(
        case_study.sql("SELECT window_start, COUNT(*) FROM ALERTS GROUP BY 1", resultFormat="array")
    ) == dict(Counter(alert["window_start"] for alert in alerts))


def test_the_producer_gets_its_devices(case_study: Server) -> None:
    """As the case study's producer asks: credentials in the URL, a slash at the end of the path."""
    url = f"http://{USER}:{PASSWORD}@127.0.0.1:{case_study.port}/druid/v2/sql/"
    answer = requests.post(url, json={"query": "SELECT deviceId, latitude, longitude FROM DEVICES"}, timeout=10)
    devices = json.loads((DATA / "devices_zurich.json").read_text())
    expected = {
        device["deviceId"]: tuple(float32(part) for part in device["payload"]["location"]["loc"].split(","))
        for device in devices
    }
    assert {row["deviceId"]: (float32(row["latitude"]), float32(row["longitude"])) for row in answer.json()} == expected


def test_strangers_are_refused(case_study: Server) -> None:
    url = f"{case_study.url}/druid/v2/sql"
    assert requests.post(url, json={"query": "SELECT 1"}, timeout=10).status_code == 401
    wrong = requests.post(url, json={"query": "SELECT 1"}, auth=(USER, "wrong"), timeout=10)
    assert wrong.status_code == 401


DASHBOARD = dashboard("2026-11-23 20:21:00", "2026-11-23 20:22:30")


def test_a_stock_client_draws_the_dashboard(
    case_study: Server, events: list[dict[str, str]], alerts: list[dict[str, Any]]
) -> None:
    connection = connect(host="127.0.0.1", port=case_study.port, path="/druid/v2/sql/", user=USER, password=PASSWORD)
    cursor = connection.cursor()
    results = {name: cursor.execute(query).fetchall() for name, query in DASHBOARD.items()}
    assert len(results["devices"]) == 1_000
    assert sum(row.count for row in results["events"]) == len(events)
    seen = [alert for alert in alerts if "2026-11-23T20:21:00" <= alert["window_end"] < "2026-11-23T20:22:30"]
    assert sum(row[2] for row in results["alerts"]) == sum(alert["total_count_per_deviceid"] for alert in seen)


def test_sqlalchemy_sees_tables_and_columns(case_study: Server) -> None:
    engine = create_engine(f"druid://{USER}:{PASSWORD}@127.0.0.1:{case_study.port}/druid/v2/sql/")
    inspector = inspect(engine)
    assert {"DEVICES", "EVENTS_GEO", "ALERTS"} <= set(inspector.get_table_names(schema="druid"))
    columns = {c["name"]: str(c["type"]) for c in inspector.get_columns("EVENTS_GEO", schema="druid")}
    assert list(columns) == [
        "__time", "deviceId", "deviceCity", "deviceRegion", "messageName", "eventNotificationName", "timestamp",
        "deviceLatitude", "deviceLongitude",
    ]  # fmt: skip
    assert columns["__time"] == "TIMESTAMP"
    with engine.connect() as connection:
        for query in DASHBOARD.values():
            assert connection.execute(text(query)).fetchall()


NASTY = [
    "plain", "", " ", 'quo"te', "apo'strophe", "back\\slash", "ends in a backslash\\", '\\"', "emoji 🚪🇨🇭", "nul\u0000inside",
    "tab\tnewline\nreturn\r", "\u2028\u2029", "ü→ß", "{}[],:", "null", "\u007f", "a" * 5_000,
]  # fmt: skip


def spec(datasource: str, dimensions: list[Any], **tuning: Any) -> dict[str, Any]:
    return {
        "type": "kafka",
        "spec": {
            "dataSchema": {
                "dataSource": datasource,
                "timestampSpec": {"column": "t", "format": "millis"},
                "dimensionsSpec": {"dimensions": dimensions},
                "granularitySpec": {"segmentGranularity": "HOUR", "queryGranularity": "NONE", "rollup": False},
            },
            "ioConfig": {
                "topic": datasource,
                "inputFormat": {"type": "json"},
                "consumerProperties": {"bootstrap.servers": "kafka_broker:29092"},
                "useEarliestOffset": True,
            },
            "tuningConfig": {"type": "kafka", **tuning},
        },
    }


def test_nasty_values_survive_the_whole_way(server: Server) -> None:
    assert server.post("/druid/indexer/v1/supervisor", spec("NASTY", ["value", {"type": "long", "name": "n"}])).ok
    rows = [{"t": 1_700_000_000_000 + n, "n": n, "value": value} for n, value in enumerate(NASTY)]
    produce("NASTY", [json.dumps(row) for row in rows])
    server.wait_for_rows("NASTY", len(NASTY))
    query = 'SELECT n, "value" FROM NASTY ORDER BY n'
    assert [row["value"] for row in server.sql(query)] == NASTY
    cursor = connect(host="127.0.0.1", port=server.port, path="/druid/v2/sql/", user=USER, password=PASSWORD).cursor()
    assert [row.value for row in cursor.execute(query).fetchall()] == NASTY
    for value in NASTY:
        found = server.sql('SELECT n FROM NASTY WHERE "value" = ?', parameters=[{"type": "VARCHAR", "value": value}])
        assert found == [{"n": NASTY.index(value)}]


def test_bad_rows_are_counted_and_kept_and_stop_nothing(server: Server) -> None:
    assert server.post("/druid/indexer/v1/supervisor", spec("BAD", ["a"], maxSavedParseExceptions=10)).ok
    produce("BAD", [b'{"t": 1, "a": "good"}', b"{not json", b'{"a": "no time"}', b"\xff\xfe", b'{"t": 2, "a": "good"}'])
    server.wait_for_rows("BAD", 2)
    stats = next(iter(next(iter(server.get("/druid/indexer/v1/supervisor/BAD/stats").values())).values()))
    totals = stats["totals"]["buildSegments"]
    assert (totals["processed"], totals["unparseable"]) == (2, 3)
    assert len(server.get("/druid/indexer/v1/supervisor/BAD/parseErrors")) == 3


def test_kill_in_the_middle_loses_and_doubles_nothing(server: Server, events: list[dict[str, str]]) -> None:
    """Ids 0..N are produced while the server is killed twice, once after a publish has begun."""
    total = 30_000
    ids = spec("IDS", [{"type": "long", "name": "id"}, "text"], maxRowsPerSegment=7_000)
    assert server.post("/druid/indexer/v1/supervisor", ids).ok
    for number, start in enumerate(range(0, total, 10_000)):
        batch = range(start, start + 10_000)
        produce("IDS", [json.dumps({"t": 1_700_000_000_000 + i * 250, "id": i, "text": f"row {i}"}) for i in batch])
        wait_for("some rows", lambda start=start: server.count("IDS") > start + 2_000)
        if number < 2:
            server.kill()
            began = time.monotonic()
            server.start()
            assert time.monotonic() - began < 10
    server.wait_for_rows("IDS", total)
    checks = server.sql("SELECT COUNT(*) AS n, SUM(id) AS s, MIN(id) AS low, MAX(id) AS high FROM IDS")
    assert checks == [{"n": total, "s": total * (total - 1) // 2, "low": 0, "high": total - 1}]
    seen = [row[0] for row in server.sql("SELECT id FROM IDS", resultFormat="array")]
    assert sorted(seen) == list(range(total))


def test_the_case_study_survives_a_kill(case_study: Server) -> None:
    case_study.kill()
    case_study.start()
    for table, rows in (("DEVICES", 1_000), ("EVENTS_GEO", 49_000), ("ALERTS", 20)):
        case_study.wait_for_rows(table, rows)


def test_a_suspended_supervisor_hands_off_and_answers_the_same(case_study: Server) -> None:
    before = case_study.sql(DASHBOARD["events"])
    assert case_study.post("/druid/indexer/v1/supervisor/EVENTS_GEO/suspend", None).ok
    wait_for(
        "a published segment",
        lambda: case_study.sql("SELECT 1 FROM sys.segments WHERE datasource = 'EVENTS_GEO' AND is_published = 1"),
    )
    key = lambda row: (row["deviceLongitude"], row["deviceLatitude"])  # noqa: E731
    assert sorted(case_study.sql(DASHBOARD["events"]), key=key) == sorted(before, key=key)
    assert case_study.post("/druid/indexer/v1/supervisor/EVENTS_GEO/resume", None).ok
    case_study.wait_for_rows("EVENTS_GEO", 49_000)
