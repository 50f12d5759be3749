"""What the engine spec knows, without Superset."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
import sqlglot

from ovate_connector.superset import facts, sqlglot_dialects
from ovate_connector.superset.failures import FAILURES, place_of, unwrapped
from ovate_connector.superset.grains import EXPRESSIONS

DIALECT = sqlglot_dialects()["ovate"]


def test_there_are_21_grains_and_the_column_itself() -> None:
    assert len(EXPRESSIONS) == 22
    assert all("{col}" in expression for expression in EXPRESSIONS.values())


def test_the_cost_is_the_sum_over_the_scans() -> None:
    scans = [{"segments": 4, "rows": 30825, "bytes": 111588692}, {"segments": 1, "rows": 5, "bytes": 8}]
    cost = facts.cost_of_plan(json.dumps([{"query": {"scans": scans}}]))
    assert cost == {"segments": 5, "rows": 30830, "bytes": 111588700}
    assert facts.readable_cost(cost)["Bytes to read"] == "106.4 MiB"
    assert facts.cost_of_plan('[{"query": {"scans": []}}]') == {"segments": 0, "rows": 0, "bytes": 0}


def test_metrics_aggregate_further_what_ingestion_aggregated() -> None:
    aggregators = [
        {"type": "count", "name": "events"},
        {"type": "doubleMax", "name": 'odd "name"', "fieldName": "x"},
        {"type": "stringLast", "name": "last"},
        {"type": "thetaSketch", "name": "unknown"},
    ]
    metrics = facts.metrics_of_spec({"spec": {"dataSchema": {"metricsSpec": aggregators}}})
    expressions = [metric["expression"] for metric in metrics]
    assert expressions == ['SUM("events")', 'MAX("odd ""name""")', 'LATEST("last")']
    assert facts.metrics_of_spec(None) == []
    assert facts.metrics_of_spec({"spec": {}}) == []


def test_the_newest_chunk_is_that_which_starts_last() -> None:
    segments = [
        ("-146136543-09-08T08:23:32.096Z", "x", 1, 1),
        ("2026-11-23T00:00:00.000Z", "x", 10, 2048),
        ("2026-11-22T00:00:00.000Z", "x", 5, None),
    ]
    assert facts.latest_start(segments) == dt.datetime(2026, 11, 23)
    shown = facts.table_facts("it's", segments)
    assert shown["metadata"] == {"segments": 3, "rows": 16, "size": "2.0 KiB"}
    assert "'it''s'" in shown["partitions"]["partitionQuery"]
    assert facts.table_facts("t", []) == {}
    assert facts.latest_start([]) is None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Column 'nope' not found in any table (line [1], column [8])", "COLUMN_DOES_NOT_EXIST_ERROR"),
        ("Object 'NOPE' not found (line [1], column [15])", "TABLE_DOES_NOT_EXIST_ERROR"),
        ("No match found for function signature FOOBAR(<CHARACTER>) (line [1], column [8])", "SYNTAX_ERROR"),
        ("Incorrect syntax near the keyword 'DROP' at line 1, column 1.", "SYNTAX_ERROR"),
        ("Query[x] timed out after 1000 ms", "CONNECTION_DATABASE_TIMEOUT"),
        ("no connection to h:1: [Errno 111] Connection refused", "CONNECTION_PORT_CLOSED_ERROR"),
        ("no connection to h:1: [Errno -2] Name or service not known", "CONNECTION_INVALID_HOSTNAME_ERROR"),
        ("no connection to h:1 within 10 seconds", "CONNECTION_HOST_DOWN_ERROR"),
    ],
)
def test_messages_have_their_kind(message: str, kind: str) -> None:
    assert next(failure.error_type for failure in FAILURES if failure.pattern.search(message)) == kind


def test_the_place_of_a_mistake_is_read_from_the_message() -> None:
    assert place_of("Object 'NOPE' not found (line [2], column [15])") == {"line": 2, "column": 15}
    assert place_of("near the keyword 'DROP' at line 1, column 3.") == {"line": 1, "column": 3}
    assert place_of("no place") == {}


@pytest.mark.parametrize(
    "expression",
    [
        "APPROX_COUNT_DISTINCT(x)",
        "CHAR_LENGTH(x)",
        "STRING_AGG(DISTINCT x, ',', 1024)",
        "POSITION('a' IN s)",
        "LOG10(x)",
        "TRIM(BOTH ' ' FROM s)",
        "TRIM(LEADING 'x' FROM s)",
        "DATE_TRUNC('hour', t)",
        "TIMESTAMPDIFF(HOUR, a, b)",
        "TIMESTAMPADD(HOUR, 1, t)",
        "SAFE_DIVIDE(a, b)",
        "NVL(a, b)",
        "VAR_SAMP(x)",
        "STRPOS(s, 'a')",
        "FLOOR(t TO HOUR)",
        "TIME_FLOOR(t, 'PT1M', NULL, 'Europe/Zurich')",
        "TIME_SHIFT(t, 'P1D', -1)",
        "EXTRACT(EPOCH FROM t)",
        "ARRAY['a', 'b']",
        "CURRENT_TIMESTAMP",
        "LATEST_BY(x, t)",
        "REGEXP_EXTRACT(s, 'a(b)', 1)",
        "APPROX_QUANTILE_DS(x, 0.5)",
        "SUM(x) OVER (PARTITION BY y ORDER BY z)",
        "s || 'x'",
        "COUNT(*)",
    ],
)
def test_a_function_arrives_as_it_was_written(expression: str) -> None:
    query = f"SELECT {expression} FROM t"
    assert sqlglot.parse_one(query, dialect=DIALECT).sql(dialect=DIALECT) == query


@pytest.mark.parametrize("expression", [e for e in EXPRESSIONS.values() if "(" in e])
def test_grains_survive_superset_rewriting_them(expression: str) -> None:
    query = f"SELECT {expression.format(col='__time')} FROM t"
    written = sqlglot.parse_one(query, dialect=DIALECT).sql(dialect=DIALECT)
    assert re.sub(r"\s+", " ", written) == query


def test_the_servers_words_are_taken_out_of_what_is_wrapped_around_them() -> None:
    link = "(Background on this error at: https://sqlalche.me/e/14/dbapi)"
    assert (
        unwrapped(f"(builtins.NoneType) None\n[SQL: credentials are [not] right]\n{link}")
        == "credentials are [not] right"
    )
    assert unwrapped("Column 'x' not found") == "Column 'x' not found"
