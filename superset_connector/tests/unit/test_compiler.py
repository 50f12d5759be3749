"""SQLAlchemy's expressions as the server's SQL; no server is asked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import ArgumentError, CompileError

from ovate_connector.sqlalchemy import ARRAY, OvateDialect, OvateHttpsDialect
from ovate_connector.sqlalchemy.types import column_type

events = sa.Table(
    "EVENTS",
    sa.MetaData(),
    sa.Column("__time", sa.TIMESTAMP),
    sa.Column("deviceId", sa.String),
    sa.Column("value", sa.Float),
    sa.Column("n", sa.Integer),
)
c = events.c


def sql(expression: Any, **kw: Any) -> str:
    return " ".join(str(expression.compile(dialect=OvateDialect(), **kw)).split())


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        (sa.select(c.n).limit(5), 'SELECT "EVENTS".n FROM "EVENTS" LIMIT ?'),
        (sa.select(c.n).offset(5), 'SELECT "EVENTS".n FROM "EVENTS" OFFSET ?'),
        (sa.select(c.n).limit(5).offset(1), 'SELECT "EVENTS".n FROM "EVENTS" LIMIT ? OFFSET ?'),
        (sa.select(c.value), 'SELECT "EVENTS"."value" FROM "EVENTS"'),
        (sa.select(c.n).with_for_update(), 'SELECT "EVENTS".n FROM "EVENTS"'),
    ],
)
def test_statements(statement: Any, text: str) -> None:
    assert sql(statement) == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (c.n % 3, 'MOD("EVENTS".n, ?)'),
        (c.deviceId.regexp_match("^a"), 'REGEXP_LIKE("EVENTS"."deviceId", ?)'),
        (~c.deviceId.regexp_match("^a"), 'NOT REGEXP_LIKE("EVENTS"."deviceId", ?)'),
        (c.deviceId.regexp_replace("a", "b"), 'REGEXP_REPLACE("EVENTS"."deviceId", ?, ?)'),
        (sa.func.now(), "CURRENT_TIMESTAMP"),
        (sa.cast(c.n, sa.String(10)), 'CAST("EVENTS".n AS VARCHAR)'),
        (sa.cast(c.n, sa.Numeric(10, 2)), 'CAST("EVENTS".n AS DOUBLE)'),
        (sa.cast(c.deviceId, sa.DateTime), 'CAST("EVENTS"."deviceId" AS TIMESTAMP)'),
        (sa.cast(c.deviceId, sa.Integer), 'CAST("EVENTS"."deviceId" AS BIGINT)'),
        (c.n.is_distinct_from(1), '"EVENTS".n IS DISTINCT FROM ?'),
    ],
)
def test_expressions(expression: Any, text: str) -> None:
    assert sql(expression) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.datetime(2026, 11, 23, 10, 0, 0, 123000), "TIMESTAMP '2026-11-23 10:00:00.123'"),
        (dt.datetime(2026, 11, 23, 10, tzinfo=dt.timezone.utc), "TIMESTAMP '2026-11-23 10:00:00.000Z'"),
        (
            dt.datetime(2026, 11, 23, 10, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            "TIMESTAMP '2026-11-23 09:00:00.000Z'",
        ),
        (dt.date(2026, 11, 23), "DATE '2026-11-23'"),
        ("it's", "'it''s'"),
        ("100%", "'100%'"),
        (1.5, "1.5"),
        (float("inf"), "CAST('Infinity' AS DOUBLE)"),
        (True, "true"),
    ],
)
def test_literals(value: Any, text: str) -> None:
    assert sql(sa.literal(value), compile_kwargs={"literal_binds": True}) == text


@pytest.mark.parametrize(
    "statement",
    [
        sa.insert(events),
        sa.update(events).values(n=1),
        sa.delete(events),
        sa.schema.CreateTable(events),
        sa.schema.DropTable(events),
        sa.cast(c.n, sa.LargeBinary),
        sa.cast(c.n, sa.Time),
    ],
)
def test_what_the_server_cannot_do_is_refused_by_name(statement: Any) -> None:
    with pytest.raises(CompileError, match="Ovate"):
        sql(statement)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("VARCHAR", sa.VARCHAR),
        ("BIGINT", sa.BIGINT),
        ("FLOAT", sa.FLOAT),
        ("TIMESTAMP", sa.TIMESTAMP),
        ("ARRAY<LONG>", ARRAY),
        ("VARCHAR ARRAY", ARRAY),
        ("something else", sa.types.NullType),
    ],
)
def test_types_of_columns(name: str, kind: Any) -> None:
    assert isinstance(column_type(name), kind)


def test_a_url_becomes_the_arguments_of_connect() -> None:
    url = make_url("ovate+https://u:p%40@host:1234/?timeout=5&ca_file=/ca.pem")
    _, keywords = OvateHttpsDialect().create_connect_args(url)
    assert keywords == {
        "host": "host",
        "port": 1234,
        "user": "u",
        "password": "p@",
        "scheme": "https",
        "timeout": 5.0,
        "ca_file": "/ca.pem",
    }


@pytest.mark.parametrize("url", ["ovate://h/other", "ovate://h/?nope=1"])
def test_a_url_that_says_something_unknown_is_refused(url: str) -> None:
    with pytest.raises(ArgumentError):
        OvateDialect().create_connect_args(make_url(url))


@pytest.mark.parametrize("scheme", ["ovate", "ovate+http", "ovate+https"])
def test_sqlalchemy_finds_the_dialect(scheme: str) -> None:
    engine = sa.create_engine(f"{scheme}://host/")
    assert engine.dialect.name == "ovate"
    assert engine.dialect.supports_statement_cache
