"""SQL Lab and the tables beside it, through both dialects."""

from __future__ import annotations

import csv
import io
import threading
from typing import Any

import pytest
import requests
from conftest import Imported

from demo import PASSWORD, USER, Demo, wait_for

LONG = (
    "SELECT COUNT(*) FROM EVENTS_GEO a JOIN EVENTS_GEO b ON a.deviceCity = b.deviceCity "
    "WHERE a.deviceId < b.messageName"
)


def _is_ovate(imported: Imported) -> bool:
    return imported.uri.startswith("ovate:")


def test_a_statement_shows_its_rows_and_types(either: Imported, demo: Demo) -> None:
    sql = "SELECT deviceId, latitude, CHAR_LENGTH(location) AS len, __time FROM DEVICES ORDER BY deviceId"
    answer = either.superset.run(either.database, sql, limit=20)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "success"
    assert [column["column_name"] for column in body["columns"]] == ["deviceId", "latitude", "len", "__time"]
    asked = demo.sql("SELECT deviceId, latitude, CHAR_LENGTH(location) FROM DEVICES ORDER BY deviceId LIMIT 20")
    assert [[row["deviceId"], row["latitude"], row["len"]] for row in body["data"]] == asked
    if _is_ovate(either):
        assert [column["type"] for column in body["columns"]] == ["VARCHAR", "FLOAT", "BIGINT", "TIMESTAMP"]
        assert [column["is_dttm"] for column in body["columns"]] == [False, False, False, True]


def test_no_rows_are_a_result_too(either: Imported) -> None:
    answer = either.superset.run(either.database, "SELECT deviceId FROM DEVICES WHERE 1 = 0")
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == []
    if _is_ovate(either):
        assert [column["column_name"] for column in answer.json()["columns"]] == ["deviceId"]


def test_a_result_of_100000_rows_arrives_whole(either: Imported) -> None:
    sql = "SELECT __time, deviceId, eventNotificationName, deviceLatitude FROM EVENTS_GEO"
    client_id = f"rows{either.database}"
    answer = either.superset.run(either.database, sql, limit=100_000, client_id=client_id)
    assert answer.status_code == 200, answer.text[:2000]
    assert answer.json()["query"]["rows"] == 100_000
    exported = either.superset.request("GET", f"/api/v1/sqllab/export/{client_id}/")
    assert exported.status_code == 200, exported.text[:2000]
    header, *rows = csv.reader(io.StringIO(exported.content.decode("utf-8-sig")))
    assert header == ["__time", "deviceId", "eventNotificationName", "deviceLatitude"]
    assert len(rows) == 100_000
    assert all(row[2] in ("accessGranted", "accessRejected") and 47 < float(row[3]) < 48 for row in rows)


@pytest.mark.parametrize(
    ("sql", "text", "kind"),
    [
        ("SELECT deviceIdd FROM DEVICES", "did you mean 'deviceId'", "COLUMN_DOES_NOT_EXIST_ERROR"),
        ("SELECT * FROM NOPE", "Object 'NOPE' not found", "TABLE_DOES_NOT_EXIST_ERROR"),
        ("SELECT FOOBAR(1)", "FOOBAR", "SYNTAX_ERROR"),
        ("SELECT 1/0", "/ by zero", None),
    ],
)
def test_an_error_is_told_in_the_servers_words(either: Imported, sql: str, text: str, kind: str | None) -> None:
    answer = either.superset.run(either.database, sql)
    assert answer.status_code in (400, 422, 500)
    (error,) = answer.json()["errors"]
    assert text in error["message"]
    if _is_ovate(either) and kind:
        assert error["error_type"] == kind
        assert error["extra"]["line"] >= 1


def _cancelled(demo: Demo) -> float:
    """How many statements the server has stopped, by its own count."""
    metrics = requests.get(f"{demo.url}/metrics", auth=(USER, PASSWORD), timeout=10).text
    counted = 'ovate_sql_statements_total{outcome="CANCELED"}'
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(counted))


def test_stop_ends_the_statement_on_the_server(ours: Imported, demo: Demo) -> None:
    client_id, answers, before = "stopme0001", list[requests.Response](), _cancelled(demo)
    thread = threading.Thread(
        target=lambda: answers.append(ours.superset.run(ours.database, LONG, client_id=client_id))
    )
    thread.start()

    def stopped() -> bool:
        # Superset refuses while it does not know the statement yet, and the server while it does not run it.
        ours.superset.request("POST", "/api/v1/query/stop", json={"client_id": client_id})
        return _cancelled(demo) > before

    wait_for("the server to stop the statement", stopped, 30)
    thread.join(60)
    assert not thread.is_alive()
    assert answers[0].json()["status"] == "stopped", answers[0].text
    assert ours.superset.run(ours.database, "SELECT 1 AS one").json()["data"] == [{"one": 1}]


def test_the_cost_of_a_statement_is_estimated_before_it_runs(ours: Imported) -> None:
    body = {"database_id": ours.database, "sql": "SELECT deviceId, COUNT(*) FROM DEVICES GROUP BY 1", "schema": "druid"}
    (cost,) = ours.superset.post("/api/v1/sqllab/estimate/", body)["result"]
    assert cost["Rows to read"] == "1,000"
    assert int(cost["Segments to read"]) >= 1


def test_a_table_shows_its_columns_and_a_preview(either: Imported, demo: Demo) -> None:
    base = f"/api/v1/database/{either.database}"
    tables = either.superset.get(f"{base}/tables/", q="(schema_name:druid)")["result"]
    assert {table["value"] for table in tables} >= {"ALERTS", "DEVICES", "EVENTS_GEO"}
    shown = either.superset.get(f"{base}/table_metadata/", name="EVENTS_GEO", schema="druid")
    columns = demo.sql("SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'EVENTS_GEO'")
    assert {column["name"] for column in shown["columns"]} == {row[0] for row in columns}
    preview = either.superset.run(either.database, shown["selectStar"], limit=100)
    assert preview.status_code == 200, preview.text
    assert len(preview.json()["data"]) == 100


def test_a_table_tells_how_much_there_is(ours: Imported, demo: Demo) -> None:
    path = f"/api/v1/database/{ours.database}/table_metadata/extra/"
    told: Any = ours.superset.get(path, name="DEVICES", schema="druid")
    assert told["metadata"]["rows"] == 1000
    assert told["metadata"]["segments"] == demo.value("SELECT COUNT(*) FROM sys.segments WHERE datasource = 'DEVICES'")


def test_functions_are_offered_for_completion(ours: Imported) -> None:
    names = ours.superset.get(f"/api/v1/database/{ours.database}/function_names/")["function_names"]
    assert {"TIME_FLOOR", "APPROX_COUNT_DISTINCT", "MILLIS_TO_TIMESTAMP"} <= set(names)
