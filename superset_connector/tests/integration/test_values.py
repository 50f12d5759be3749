"""Values at the edges of their types, over both transports: what is asked for arrives, and nothing else."""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from server import Server

from ovate_connector import dbapi

NAN, INF = math.nan, math.inf


@pytest.fixture(params=["arrow", "json"])
def connection(server: Server, request: Any) -> Iterator[dbapi.Connection]:
    with dbapi.connect(server.host, server.port, transport=request.param, timeout=60) as connection:
        yield connection


def one(connection: dbapi.Connection, sql: str, values: Any = None) -> Any:
    """The only row."""
    (row,) = connection.execute(sql, values).fetchall()
    return row


def same(left: Any, right: Any) -> bool:
    """Equal in value, type and sign; NaN is NaN."""
    if isinstance(right, list | tuple):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(right, float):
        return type(left) is float and (repr(left) == repr(right))
    return type(left) is type(right) and left == right


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12345678901234567890.123456789", 12345678901234567890.123456789),
        ("0.1234567890123456789012345678901234567890", 0.12345678901234568),
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0))", 1e38),
        ("CAST('-0.000000000000000000000000000000000001' AS DECIMAL(38, 36))", -1e-36),
        ("9223372036854775808", 9.223372036854775808e18),
        ("1.7976931348623157E308", sys.float_info.max),
        ("-2.2250738585072014E-308", -sys.float_info.min),
        ("CAST('4.9E-324' AS DOUBLE)", 5e-324),
        ("CAST('-0.0' AS DOUBLE)", -0.0),
        ("0.1E0 + 0.2E0", 0.1 + 0.2),
        ("1.0", 1.0),
    ],
)
def test_decimals_of_any_length_are_the_nearest_doubles(connection: dbapi.Connection, text: str, value: float) -> None:
    assert same(one(connection, f"SELECT {text}"), (value,))


def test_whole_numbers_reach_from_end_to_end(connection: dbapi.Connection) -> None:
    least, most = -(2**63), 2**63 - 1
    row = one(connection, f"SELECT {most}, {-most} - 1, ?, ?, 9007199254740993", [least, most])
    assert same(row, (most, least, least, most, 2**53 + 1))


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (Decimal("12345678901234567890.123456789"), 12345678901234567890.123456789),
        (Decimal("-1E-300"), -1e-300),
        (Decimal("1E+300"), 1e300),
        (Decimal("NaN"), NAN),
        (Decimal("-Infinity"), -INF),
        (NAN, NAN),
        (INF, INF),
        (5e-324, 5e-324),
        (-0.0, -0.0),
    ],
)
def test_a_number_comes_back_as_it_was_given(connection: dbapi.Connection, given: Any, value: float) -> None:
    assert same(one(connection, "SELECT ?", [given]), (value,))


def test_a_decimal_beyond_double_is_refused_and_not_made_infinite(connection: dbapi.Connection) -> None:
    for given in (Decimal("1E+400"), Decimal("-1E+309")):
        with pytest.raises(dbapi.DataError, match="does not fit into a DOUBLE"):
            connection.execute("SELECT ?", [given])


def test_what_is_no_number_arrives_in_every_kind_of_column(connection: dbapi.Connection) -> None:
    doubles = "CAST('NaN' AS DOUBLE), CAST('Infinity' AS DOUBLE), CAST('-Infinity' AS DOUBLE), CAST(NULL AS DOUBLE)"
    floats = doubles.replace("DOUBLE", "FLOAT")
    assert same(one(connection, f"SELECT {doubles}"), (NAN, INF, -INF, None))
    assert same(one(connection, f"SELECT {floats}"), (NAN, INF, -INF, None))
    assert same(one(connection, f"SELECT ARRAY[{doubles}], ARRAY[{floats}]"), ([NAN, INF, -INF, None],) * 2)
    assert same(one(connection, f"SELECT ARRAY[ARRAY[{doubles}], ARRAY[1.0]]"), ([[NAN, INF, -INF, None], [1.0]],))
    frame = connection.execute(f"SELECT {doubles}").to_pandas()
    assert [repr(float(value)) for value in frame.iloc[0, :3]] == ["nan", "inf", "-inf"]


def test_arrays_hold_what_their_type_says(connection: dbapi.Connection) -> None:
    cursor = connection.execute(
        "SELECT ARRAY['it''s', 'ü \\', '\"', NULL], ARRAY[1, NULL], ARRAY[1.5, 2.0, NULL], "
        "ARRAY[CAST(47.375744 AS FLOAT), CAST(0.1 AS FLOAT)], ARRAY[TRUE, FALSE], "
        "ARRAY[TIMESTAMP '1970-01-01 00:00:01'], STRING_TO_ARRAY(NULL, ',')"
    )
    assert [column[1] for column in cursor.description or []][:3] == ["ARRAY<STRING>", "ARRAY<LONG>", "ARRAY<DOUBLE>"]
    (row,) = cursor.fetchall()
    assert same(row[:3], (["it's", "ü \\", '"', None], [1, None], [1.5, 2.0, None]))
    assert row[3:] == ([47.375744, 0.1], [True, False], [1000], None)


def test_arrays_nest(connection: dbapi.Connection) -> None:
    sql = "SELECT ARRAY[ARRAY[1, 2], ARRAY[3]] AS a, ARRAY[ARRAY['x'], ARRAY[NULL]] AS b, ARRAY[ARRAY[1.0], NULL] AS c"
    cursor = connection.execute(sql)
    assert [column[1] for column in cursor.description or []] == [
        "ARRAY<ARRAY<LONG>>",
        "ARRAY<ARRAY<STRING>>",
        "ARRAY<ARRAY<DOUBLE>>",
    ]
    assert same(cursor.fetchall(), [([[1, 2], [3]], [["x"], [None]], [[1.0], None])])
    table = connection.execute(sql).to_arrow()
    assert str(table.schema.field("a").type) == "list<item: list<item: int64>>"
    assert same(
        tuple(table.column(name).to_pylist()[0] for name in "abc"), ([[1, 2], [3]], [["x"], [None]], [[1.0], None])
    )


def test_objects_hold_values_of_every_kind(connection: dbapi.Connection) -> None:
    sql = (
        "SELECT NAMED_STRUCT('n', 1, 't', 'it''s', 'f', CAST(47.375744 AS FLOAT), 'nothing', CAST(NULL AS DOUBLE), "
        "'at', TIMESTAMP '1970-01-01 00:00:01', 'list', ARRAY[ARRAY[1.5]], 'inner', NAMED_STRUCT('b', TRUE)) AS o"
    )
    cursor = connection.execute(sql)
    assert [column[1] for column in cursor.description or []] == ["COMPLEX<json>"]
    expected = {"n": 1, "t": "it's", "f": 47.375744, "nothing": None, "at": 1000, "list": [[1.5]], "inner": {"b": True}}
    assert cursor.fetchall() == [(expected,)]
    assert connection.execute(sql).to_arrow().column("o").to_pylist()[0]["inner"] == {"b": True}
    assert connection.execute("SELECT NAMED_STRUCT('n', 1) AS o FROM DEVICES WHERE 1 = 0").to_arrow().num_rows == 0


@pytest.fixture(scope="module")
def tagged(server: Server) -> Iterator[str]:
    """A table whose column `tags` holds several values a row: none, one or two."""
    with dbapi.connect(server.host, server.port) as connection:
        spec = connection.ingestion_spec("DEVICES")
    assert spec is not None
    schema = spec["spec"]["dataSchema"]
    number = "parse_long(substring(deviceId, 0, 2), 16) % 3"
    tags = rf"""if({number} == 0, [], if({number} == 1, ['ü "'], ['b', 'a\\']))"""
    schema["dataSource"] = "TAGGED"
    schema["dimensionsSpec"] = {"dimensions": ["deviceId", {"type": "string", "name": "tags"}]}
    schema["transformSpec"] = {"transforms": [{"type": "expression", "name": "tags", "expression": tags}]}
    server.send("POST", "/druid/indexer/v1/supervisor", spec)
    server.wait_for("SELECT COUNT(*) FROM TAGGED", 1000)
    yield "TAGGED"
    server.send("POST", "/druid/indexer/v1/supervisor/TAGGED/terminate")
    server.send("DELETE", "/druid/coordinator/v1/datasources/TAGGED")


def test_several_values_of_a_row_are_one_text(server: Server, tagged: str) -> None:
    answers = []
    for transport in ("arrow", "json"):
        with dbapi.connect(server.host, server.port, transport=transport) as connection:
            cursor = connection.execute(f"SELECT tags FROM {tagged} ORDER BY deviceId")
            assert [column[1] for column in cursor.description or []] == ["VARCHAR"]
            answers.append(cursor.fetchall())
            table = connection.execute(f"SELECT tags FROM {tagged} ORDER BY deviceId").to_arrow()
            assert table.column("tags").to_pylist() == [value for (value,) in answers[-1]]
    assert answers[0] == answers[1]
    assert {value for (value,) in answers[0]} == {None, 'ü "', r'["a\\","b"]'}


def test_arrays_are_made_of_rows(connection: dbapi.Connection) -> None:
    sql = "SELECT ARRAY_AGG(latitude), ARRAY_AGG(__time) FROM (SELECT * FROM DEVICES ORDER BY deviceId LIMIT 3)"
    latitudes, times = one(connection, sql)
    rows = connection.execute("SELECT latitude, __time FROM DEVICES ORDER BY deviceId LIMIT 3").fetchall()
    assert sorted(latitudes) == sorted(latitude for latitude, _ in rows)
    epoch = dt.datetime(1970, 1, 1)
    assert sorted(times) == sorted((time - epoch) // dt.timedelta(milliseconds=1) for _, time in rows)


def test_every_value_may_be_null(connection: dbapi.Connection) -> None:
    types = ["VARCHAR", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(38, 10)", "BOOLEAN", "TIMESTAMP", "DATE"]
    sql = "SELECT " + ", ".join(f"CAST(NULL AS {name})" for name in types)
    assert one(connection, sql) == (None,) * len(types)
    table = connection.execute(sql).to_arrow()
    assert [column.null_count for column in table.columns] == [1] * len(types)


def test_a_time_beyond_pythons_is_an_error_that_says_what_to_do(connection: dbapi.Connection) -> None:
    with pytest.raises(dbapi.DataError, match="cast it to VARCHAR"):
        connection.execute("SELECT MILLIS_TO_TIMESTAMP(253402300800000)").fetchall()


def test_rows_that_could_not_be_read_are_not_the_end_of_the_rows(connection: dbapi.Connection) -> None:
    cursor = connection.execute("SELECT MILLIS_TO_TIMESTAMP(253402300800000)")
    for fetch in (cursor.fetchone, cursor.fetchall, cursor.fetchone):
        with pytest.raises(dbapi.DataError, match="cast it to VARCHAR"):
            fetch()
    assert cursor.execute("SELECT 2").fetchall() == [(2,)]
