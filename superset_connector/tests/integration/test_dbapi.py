"""The DB-API against a real server, over both transports."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from server import Server

from ovate_connector import dbapi

ALL_TYPES = """
SELECT TIMESTAMP '2020-01-01 00:00:00.123' AS t, DATE '2020-01-02' AS d, ARRAY[1, 2] AS a, ARRAY['x', NULL] AS s,
       CAST(1.1 AS FLOAT) AS f, 9223372036854775807 AS big, TRUE AS b, NULL AS n, 'it''s ü \\' AS v,
       CAST('NaN' AS DOUBLE) AS nan, CAST('-Infinity' AS DOUBLE) AS inf, 1.5 AS v
"""
LONG = """
SELECT COUNT(*) FROM EVENTS_GEO a JOIN EVENTS_GEO b ON a.deviceCity = b.deviceCity WHERE a.deviceId < b.messageName
"""


@pytest.fixture(params=["arrow", "json"])
def connection(server: Server, request: Any) -> Iterator[dbapi.Connection]:
    with dbapi.connect(server.host, server.port, transport=request.param, timeout=60) as connection:
        yield connection


def test_every_type_arrives_as_itself(connection: dbapi.Connection) -> None:
    cursor = connection.execute(ALL_TYPES)
    (row,) = cursor.fetchall()
    assert row[:9] == (
        dt.datetime(2020, 1, 1, 0, 0, 0, 123000),
        dt.date(2020, 1, 2),
        [1, 2],
        ["x", None],
        1.1,
        9223372036854775807,
        True,
        None,
        "it's ü \\",
    )
    assert math.isnan(row[9])
    assert row[10:] == (-math.inf, 1.5)
    assert [column[0] for column in cursor.description or []] == [
        "t",
        "d",
        "a",
        "s",
        "f",
        "big",
        "b",
        "n",
        "v",
        "nan",
        "inf",
        "v",
    ]
    assert [column[1] for column in cursor.description or []][:7] == [
        "TIMESTAMP",
        "DATE",
        "ARRAY<LONG>",
        "ARRAY<STRING>",
        "FLOAT",
        "BIGINT",
        "BOOLEAN",
    ]


def test_a_result_without_rows_has_its_columns_and_types(connection: dbapi.Connection) -> None:
    cursor = connection.execute("SELECT __time, deviceId, deviceLatitude FROM EVENTS_GEO WHERE 1 = 0")
    assert [(c[0], c[1]) for c in cursor.description or []] == [
        ("__time", "TIMESTAMP"),
        ("deviceId", "VARCHAR"),
        ("deviceLatitude", "FLOAT"),
    ]
    assert cursor.fetchone() is None
    table = connection.execute("SELECT __time, deviceId FROM EVENTS_GEO WHERE 1 = 0").to_arrow()
    assert [str(field.type) for field in table.schema] == ["timestamp[ms]", "string"]
    assert connection.execute("SELECT deviceId FROM EVENTS_GEO WHERE 1 = 0").to_pandas().empty


def test_parameters_arrive_with_their_types(connection: dbapi.Connection) -> None:
    noon, midnight = dt.datetime(2020, 1, 1, 12), dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
    values = [1, 1.5, "a?'b", True, None, noon, midnight]
    row = connection.execute("SELECT ?, ?, ?, ?, ?, ?, ? -- ?", values).fetchone()
    assert row == (1, 1.5, "a?'b", True, None, dt.datetime(2020, 1, 1, 12), dt.datetime(2020, 1, 1))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numpys_instants_are_instants(connection: dbapi.Connection, unit: str) -> None:
    noon = np.datetime64("2020-01-01T12:00:00").astype(f"datetime64[{unit}]")
    sql = "SELECT ? = TIMESTAMP '2020-01-01 12:00:00', ? IS NULL"
    assert connection.execute(sql, [noon, np.datetime64("NaT", unit)]).fetchone() == (True, True)


def test_times_are_the_wall_clock_of_the_connections_zone(server: Server) -> None:
    for transport in ("arrow", "json"):
        with dbapi.connect(server.host, server.port, time_zone="Europe/Zurich", transport=transport) as connection:
            winter = dt.datetime(2020, 1, 1, 0, 0)
            row = connection.execute(
                "SELECT TIMESTAMP '2020-07-01 00:00:00', DATE '2020-01-02', ? = TIMESTAMP '2020-01-01 00:00:00'",
                [winter],
            ).fetchone()
            assert row == (dt.datetime(2020, 7, 1), dt.date(2020, 1, 2), True)


def test_rows_can_be_fetched_in_any_portions(connection: dbapi.Connection) -> None:
    cursor = connection.execute("SELECT deviceId FROM DEVICES ORDER BY deviceId")
    first = cursor.fetchone()
    some = cursor.fetchmany(10)
    cursor.arraysize = 5
    more = cursor.fetchmany()
    rest = list(cursor)
    assert (len(some), len(more)) == (10, 5)
    assert [first, *some, *more, *rest] == connection.execute("SELECT deviceId FROM DEVICES ORDER BY 1").fetchall()
    assert cursor.rownumber == 1000
    assert cursor.fetchone() is None


def test_both_transports_agree_on_every_row(server: Server) -> None:
    sql = "SELECT * FROM DEVICES ORDER BY deviceId"
    answers = []
    for transport in ("arrow", "json"):
        with dbapi.connect(server.host, server.port, transport=transport) as connection:
            answers.append(connection.execute(sql).fetchall())
    assert answers[0] == answers[1]
    assert len(answers[0]) == 1000


def test_frames_have_names_types_and_rows(connection: dbapi.Connection) -> None:
    sql = "SELECT deviceId, latitude, __time FROM DEVICES ORDER BY 1 LIMIT 3"
    table = connection.execute(sql).to_arrow()
    frame = connection.execute(sql).to_pandas()
    assert table.num_rows == len(frame) == 3
    assert list(frame.columns) == table.column_names == ["deviceId", "latitude", "__time"]
    assert str(frame["__time"].dtype).startswith("datetime64")
    cursor = connection.execute(sql)
    assert cursor.fetchone() is not None
    assert cursor.to_arrow().num_rows == 2


@pytest.mark.parametrize(
    ("sql", "kind", "text"),
    [
        ("SELECT deviceIdd FROM EVENTS_GEO", dbapi.ProgrammingError, "did you mean 'deviceId'"),
        ("SELECT * FROM NOPE", dbapi.ProgrammingError, "Object 'NOPE' not found"),
        ("SELECT FOOBAR(1)", dbapi.ProgrammingError, "FOOBAR"),
        ("SELECT 1 +", dbapi.ProgrammingError, ""),
        ("DROP TABLE EVENTS_GEO", dbapi.ProgrammingError, "DROP"),
        ("SELECT 1/0", dbapi.DataError, "/ by zero"),
        ("SELECT TIMESTAMP 'x'", dbapi.DataError, "Illegal TIMESTAMP literal"),
    ],
)
def test_a_refusal_is_the_right_exception(connection: dbapi.Connection, sql: str, kind: Any, text: str) -> None:
    with pytest.raises(dbapi.DatabaseError) as caught:
        connection.execute(sql)
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_statement_is_stopped_when_its_time_is_up(server: Server) -> None:
    short = dbapi.connect(server.host, server.port, timeout=0.3)
    with short, pytest.raises(dbapi.OperationalError, match="timed out after 300 ms"):
        short.execute(LONG).fetchall()


def test_cancel_stops_the_statement_on_the_server(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    caught: list[BaseException] = []

    def run() -> None:
        try:
            cursor.execute(LONG).fetchall()
        except dbapi.Error as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    end = time.monotonic() + 30
    while not cursor.cancel() and time.monotonic() < end:
        time.sleep(0.02)
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(caught[0], dbapi.OperationalError)
    assert "cancelled" in str(caught[0])
    assert cursor.cancel() is False
    assert cursor.execute("SELECT 2").fetchall() == [(2,)]


def test_a_cursor_can_be_left_in_the_middle(connection: dbapi.Connection) -> None:
    for _ in range(20):
        with connection.cursor() as cursor:
            assert cursor.execute("SELECT * FROM EVENTS_GEO").fetchone() is not None
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_threads_share_a_connection(connection: dbapi.Connection) -> None:
    results: list[Any] = []

    def ask(number: int) -> None:
        results.append(connection.execute("SELECT ?", [number]).fetchone())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(number,) for number in range(16)]


def test_what_is_closed_stays_closed(server: Server) -> None:
    connection = dbapi.connect(server.host, server.port)
    cursor = connection.execute("SELECT 1")
    with pytest.raises(dbapi.ProgrammingError):
        connection.cursor().fetchone()
    cursor.close()
    with pytest.raises(dbapi.InterfaceError):
        cursor.fetchone()
    connection.close()
    for use in (connection.cursor, connection.commit, connection.rollback):
        with pytest.raises(dbapi.InterfaceError):
            use()


def test_no_server_is_an_operational_error() -> None:
    with pytest.raises(dbapi.OperationalError, match="no connection to 127.0.0.1:9"):
        dbapi.connect("127.0.0.1", 9).execute("SELECT 1")
    with pytest.raises(dbapi.OperationalError, match="no connection to no-such-host.invalid:8888"):
        dbapi.connect("no-such-host.invalid").execute("SELECT 1")


def test_the_specification_of_a_table_can_be_read(connection: dbapi.Connection) -> None:
    spec = connection.ingestion_spec("EVENTS_GEO")
    assert spec is not None
    assert spec["spec"]["dataSchema"]["dataSource"] == "EVENTS_GEO"
    assert connection.ingestion_spec("NOPE") is None


def test_compressed_answers_are_the_same(server: Server) -> None:
    for transport in ("arrow", "json"):
        with dbapi.connect(server.host, server.port, compression=True, transport=transport) as connection:
            assert len(connection.execute("SELECT * FROM DEVICES").fetchall()) == 1000
