"""What charts ask, through Superset's chart data API and both dialects, held against SQL asked of the server directly.

Rows keep coming in. A question is about a minute that is over, whose rows are all there.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import grains
import pytest
from conftest import Imported

from demo import Demo

#: Grains that a chart may ask for and Superset's menu has no name for, beside PT30M and P3M which mean the same.
UNNAMED = {"PT0.5H", "P0.25Y"}
#: Grains that Superset's own engine spec for Druid leaves out.
NOT_FOR_DRUID = UNNAMED | {"1969-12-29T00:00:00Z/P1W", "P1W/1970-01-04T00:00:00Z"}


@dataclass(frozen=True)
class Minute:
    """A minute that is over: the condition in SQL, and as Superset's time range."""

    start: dt.datetime

    @property
    def end(self) -> dt.datetime:
        return self.start + dt.timedelta(minutes=1)

    @property
    def sql(self) -> str:
        return f"__time >= TIMESTAMP '{self.start}' AND __time < TIMESTAMP '{self.end}'"

    @property
    def range(self) -> str:
        return f"{self.start.isoformat()} : {self.end.isoformat()}"

    @property
    def filter(self) -> dict[str, Any]:
        return {"col": "__time", "op": "TEMPORAL_RANGE", "val": self.range}


@pytest.fixture(scope="module")
def minute(demo: Demo) -> Minute:
    """The minute before the latest whole one."""
    latest_ms = demo.value("SELECT TIMESTAMP_TO_MILLIS(MAX(__time)) FROM EVENTS_GEO")
    latest = dt.datetime.fromtimestamp(latest_ms / 1000, dt.timezone.utc).replace(tzinfo=None)
    return Minute(latest.replace(second=0, microsecond=0) - dt.timedelta(minutes=1, seconds=10))


def _axis(grain: str) -> dict[str, Any]:
    return {
        "columnType": "BASE_AXIS",
        "expressionType": "SQL",
        "sqlExpression": "__time",
        "label": "__time",
        "timeGrain": grain,
    }


def test_every_time_grain_counts_each_event_in_its_bucket(either: Imported, demo: Demo, minute: Minute) -> None:
    times = [row[0] for row in demo.sql(f"SELECT TIMESTAMP_TO_MILLIS(__time) FROM EVENTS_GEO WHERE {minute.sql}")]
    assert times
    dataset = either.dataset("EVENTS_GEO")
    is_druid = either.uri.startswith("druid:")
    menu = either.superset.get(f"/api/v1/dataset/{dataset}")["result"]["time_grain_sqla"]
    assert {grain for grain, _ in menu if grain} == set(grains.ALL) - (NOT_FOR_DRUID if is_druid else UNNAMED)
    for grain in sorted(set(grains.ALL) - (NOT_FOR_DRUID if is_druid else set())):
        result = either.superset.chart_data(
            dataset, columns=[_axis(grain)], metrics=["count"], filters=[minute.filter], orderby=[["count", False]]
        )
        shown = {row["__time"]: row["count"] for row in result["data"]}
        assert shown == grains.counted(grain, times), (grain, result["query"])


NAME = "eventNotificationName"
FILTERS = [
    ({"col": NAME, "op": "==", "val": "accessRejected"}, f"{NAME} = 'accessRejected'"),
    ({"col": NAME, "op": "!=", "val": "accessRejected"}, f"{NAME} <> 'accessRejected'"),
    ({"col": NAME, "op": "IN", "val": ["accessRejected", "x"]}, f"{NAME} IN ('accessRejected', 'x')"),
    ({"col": NAME, "op": "NOT IN", "val": ["accessRejected"]}, f"{NAME} NOT IN ('accessRejected')"),
    ({"col": "deviceLatitude", "op": ">", "val": 47.37}, "deviceLatitude > 47.37"),
    ({"col": "deviceLatitude", "op": "<=", "val": 47.37}, "deviceLatitude <= 47.37"),
    ({"col": "deviceId", "op": "LIKE", "val": "a%"}, "deviceId LIKE 'a%'"),
    ({"col": "deviceCity", "op": "ILIKE", "val": "z%"}, "LOWER(deviceCity) LIKE 'z%'"),
    ({"col": "deviceId", "op": "NOT LIKE", "val": "%f"}, "deviceId NOT LIKE '%f'"),
    ({"col": "deviceCity", "op": "IS NULL"}, "deviceCity IS NULL"),
    ({"col": "deviceCity", "op": "IS NOT NULL"}, "deviceCity IS NOT NULL"),
    ({"col": "deviceCity", "op": "==", "val": "it's \\ not"}, "deviceCity = 'it''s \\ not'"),
]  # fmt: skip


@pytest.mark.parametrize(("superset_filter", "sql"), FILTERS, ids=[sql for _, sql in FILTERS])
def test_a_filter_keeps_the_rows_that_sql_keeps(
    either: Imported, demo: Demo, minute: Minute, superset_filter: Any, sql: str
) -> None:
    result = either.superset.chart_data(
        either.dataset("EVENTS_GEO"), columns=[], metrics=["count"], filters=[minute.filter, superset_filter]
    )
    expected = demo.value(f"SELECT COUNT(*) FROM EVENTS_GEO WHERE {minute.sql} AND {sql}")
    assert [row["count"] for row in result["data"]] == [expected], result["query"]


def test_top_n_keeps_the_largest_and_sums_the_others(either: Imported, demo: Demo, minute: Minute) -> None:
    ranked = demo.sql(f"SELECT deviceId, COUNT(*) FROM EVENTS_GEO WHERE {minute.sql} GROUP BY 1 ORDER BY 2 DESC, 1")
    # Ties may fall on either side of a limit: take one that has none there.
    size = next(n for n in range(3, len(ranked)) if ranked[n - 1][1] > ranked[n][1])
    query = {
        "columns": [_axis("P1Y"), "deviceId"],
        "metrics": ["count"],
        "filters": [minute.filter],
        "series_columns": ["deviceId"],
        "series_limit": size,
        "series_limit_metric": "count",
    }
    top = dict(ranked[:size])
    others = sum(count for _, count in ranked[size:])

    plain = either.superset.chart_data(either.dataset("EVENTS_GEO"), **query)
    assert {row["deviceId"]: row["count"] for row in plain["data"]} == top, plain["query"]
    grouped = either.superset.chart_data(either.dataset("EVENTS_GEO"), **query, group_others_when_limit_reached=True)
    assert {row["deviceId"]: row["count"] for row in grouped["data"]} == {**top, "Others": others}, grouped["query"]


def test_a_time_comparison_shows_the_minute_before_beside(either: Imported, demo: Demo, minute: Minute) -> None:
    result = either.superset.chart_data(
        either.dataset("EVENTS_GEO"),
        columns=[_axis("PT5S")],
        metrics=["count"],
        filters=[minute.filter],
        time_offsets=["1 minute ago"],
    )
    before = Minute(minute.start - dt.timedelta(minutes=1))

    def counts(when: Minute) -> dict[int, int]:
        rows = demo.sql(f"SELECT TIMESTAMP_TO_MILLIS(__time) FROM EVENTS_GEO WHERE {when.sql}")
        return grains.counted("PT5S", (row[0] for row in rows))

    now, then = counts(minute), counts(before)
    shown = {row["__time"]: (row["count"], row["count__1 minute ago"]) for row in result["data"]}
    assert shown == {bucket: (count, then.get(bucket - 60_000)) for bucket, count in now.items()}, result["query"]
    assert len(then) > 1


def test_row_counts_and_samples_are_those_of_the_table(either: Imported, demo: Demo) -> None:
    dataset = either.dataset("DEVICES")
    counted = either.superset.chart_data(dataset, columns=["deviceId"], metrics=[], is_rowcount=True)
    assert [row["rowcount"] for row in counted["data"]] == [1000], counted["query"]

    path = f"/datasource/samples?datasource_id={dataset}&datasource_type=table&per_page=50&page=2&force=true"
    samples = either.superset.post(path, {})["result"]
    assert samples["total_count"] == 1000
    assert len(samples["data"]) == 50
    for row in samples["data"]:
        asked = demo.sql(f"SELECT latitude, longitude, location FROM DEVICES WHERE deviceId = '{row['deviceId']}'")
        assert asked == [[row["latitude"], row["longitude"], row["location"]]]


def test_an_aggregate_of_each_kind_is_what_sql_says(either: Imported, demo: Demo, minute: Minute) -> None:
    def metric(expression: str) -> dict[str, Any]:
        return {"expressionType": "SQL", "sqlExpression": expression, "label": expression}

    expressions = [
        "COUNT(*)", "COUNT(DISTINCT deviceId)", "AVG(deviceLatitude)", "MIN(deviceLongitude)", "MAX(deviceLongitude)",
        "SUM(CASE WHEN eventNotificationName = 'accessRejected' THEN 1 ELSE 0 END)",
        "COUNT(*) FILTER (WHERE eventNotificationName = 'accessRejected')",
        "SUM(CHAR_LENGTH(deviceId))", "MAX(LOG10(deviceLatitude))", "APPROX_COUNT_DISTINCT(deviceCity)",
    ]  # fmt: skip
    result = either.superset.chart_data(
        either.dataset("EVENTS_GEO"),
        columns=["eventNotificationName"],
        metrics=[metric(expression) for expression in expressions],
        filters=[minute.filter],
        orderby=[[metric("COUNT(*)"), False]],
    )
    asked = demo.sql(
        f"SELECT eventNotificationName, {', '.join(expressions)} FROM EVENTS_GEO WHERE {minute.sql} GROUP BY 1"
    )
    shown = {row["eventNotificationName"]: [row[name] for name in expressions] for row in result["data"]}
    assert shown.keys() == {row[0] for row in asked}
    for name, *values in asked:
        assert shown[name] == pytest.approx(values, rel=1e-9), result["query"]


def test_what_goes_wrong_in_a_chart_is_told_in_the_servers_words(either: Imported) -> None:
    body = {
        "datasource": {"id": either.dataset("EVENTS_GEO"), "type": "table"},
        "queries": [
            {"columns": [], "metrics": [{"expressionType": "SQL", "sqlExpression": "SUM(nope)", "label": "x"}]}
        ],
        "force": True,
    }
    answer = either.superset.request("POST", "/api/v1/chart/data", json=body)
    assert answer.status_code == 400
    assert "nope" in answer.text
    assert "NoneType" not in answer.text
