"""The dialect against a real server: reflection, and statements from end to end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from server import Server
from sqlalchemy import exc


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Any]:
    engine = sa.create_engine(f"ovate://{server.host}:{server.port}/?timeout=60", pool_pre_ping=True)
    yield engine
    engine.dispose()


def test_schemas_and_tables_are_listed(engine: Any) -> None:
    inspector = sa.inspect(engine)
    assert {"druid", "INFORMATION_SCHEMA", "sys"} <= set(inspector.get_schema_names())
    assert inspector.get_table_names() == ["ALERTS", "DEVICES", "EVENTS_GEO"]
    assert "segments" in inspector.get_table_names("sys")
    assert inspector.get_view_names() == []
    assert inspector.has_table("ALERTS")
    assert not inspector.has_table("alerts")
    assert not inspector.has_table("' OR 1=1 --")


def test_columns_have_the_servers_types(engine: Any) -> None:
    columns = {column["name"]: column for column in sa.inspect(engine).get_columns("ALERTS")}
    assert isinstance(columns["__time"]["type"], sa.TIMESTAMP)
    assert not columns["__time"]["nullable"]
    assert isinstance(columns["deviceId"]["type"], sa.VARCHAR)
    assert isinstance(columns["total_count_per_deviceid"]["type"], sa.BIGINT)
    assert isinstance(columns["deviceLatitude"]["type"], sa.FLOAT)
    assert next(iter(columns)) == "__time"


def test_an_unknown_table_is_said_to_be_unknown(engine: Any) -> None:
    inspector = sa.inspect(engine)
    for ask in (inspector.get_columns, inspector.get_pk_constraint, inspector.get_indexes, inspector.get_foreign_keys):
        with pytest.raises(exc.NoSuchTableError):
            ask("NOPE")
    assert inspector.get_indexes("ALERTS") == []
    assert inspector.get_pk_constraint("ALERTS")["constrained_columns"] == []
    assert inspector.get_table_comment("ALERTS") == {"text": None}


def test_a_reflected_table_can_be_asked(engine: Any) -> None:
    events = sa.Table("EVENTS_GEO", sa.MetaData(), autoload_with=engine)
    minute = sa.func.TIME_FLOOR(events.c["__time"], "PT1M").label("minute")
    statement = (
        sa.select(minute, events.c.deviceCity, sa.func.count().label("n"))
        .where(events.c["__time"] > dt.datetime(2020, 1, 1), events.c.deviceCity.in_(["Zürich", "Nowhere"]))
        .group_by(minute, events.c.deviceCity)
        .order_by(sa.desc("n"))
        .limit(2)
        .offset(1)
    )
    with engine.connect() as connection:
        rows = connection.execute(statement).fetchall()
        assert len(rows) == 2
        assert rows[0].n >= rows[1].n
        assert isinstance(rows[0].minute, dt.datetime)
        literal = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))
        assert [row[1] for row in connection.execute(sa.text(literal.replace(":", "\\:")))] == ["Zürich", "Zürich"]


def test_a_literal_with_a_zone_is_the_same_instant_in_every_session(server: Server) -> None:
    noon = dt.datetime(2020, 1, 1, 12, tzinfo=dt.timezone.utc)
    same = sa.literal(noon, sa.TIMESTAMP()) == sa.func.TIME_PARSE("2020-01-01T12:00:00Z")
    for zone in ("UTC", "Europe/Zurich"):
        engine = sa.create_engine(f"ovate://{server.host}:{server.port}/?time_zone={zone}")
        text = str(sa.select(same).compile(engine, compile_kwargs={"literal_binds": True}))
        with engine.connect() as connection:
            assert connection.execute(sa.text(text.replace(":", "\\:"))).scalar() is True, zone


def test_schema_qualified_tables_and_joins(engine: Any) -> None:
    meta = sa.MetaData()
    events = sa.Table("EVENTS_GEO", meta, schema="druid", autoload_with=engine)
    devices = sa.Table("DEVICES", meta, schema="druid", autoload_with=engine)
    joined = sa.select(sa.func.count(events.c.deviceId.distinct())).select_from(
        events.join(devices, events.c.deviceId == devices.c.deviceId)
    )
    plain = sa.select(sa.func.count(events.c.deviceId.distinct()))
    with engine.connect() as connection:
        assert 0 < connection.execute(joined).scalar() <= connection.execute(plain).scalar() * 1.1


def test_an_error_is_wrapped_with_the_servers_message(engine: Any) -> None:
    with engine.connect() as connection, pytest.raises(exc.ProgrammingError, match="did you mean 'deviceId'"):
        connection.execute(sa.text("SELECT deviceIdd FROM EVENTS_GEO"))


def test_statements_are_compiled_once(engine: Any) -> None:
    def ask(number: int) -> Any:
        with engine.connect() as connection:
            return connection.execute(sa.select(sa.literal(number) % 4)).scalar()

    assert [ask(number) for number in (1, 5, 6)] == [1, 1, 2]
    assert engine.dialect._type_memos is not None


def test_pandas_reads_through_an_engine(engine: Any) -> None:
    import pandas as pd

    with engine.connect() as connection:
        frame = pd.read_sql(sa.text("SELECT deviceId, latitude FROM DEVICES ORDER BY 1 LIMIT 5"), connection)
    assert list(frame.columns) == ["deviceId", "latitude"]
    assert len(frame) == 5
