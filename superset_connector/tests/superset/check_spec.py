"""The engine spec inside a real Superset, against a real server. Run with the Python of an environment that has both.

Superset's own code does the asking: an application on a database in memory, a `Database` with our URI, and the methods
that its views, SQL Lab and chart queries call.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from server import Server

CONFIG = """
from ovate_connector.superset import sqlglot_dialects
SECRET_KEY = "of no use beyond this check, which is forgotten at once"
SQLALCHEMY_DATABASE_URI = "sqlite://"
SQLGLOT_DIALECTS_EXTENSIONS = sqlglot_dialects
FEATURE_FLAGS = {"ESTIMATE_QUERY_COST": True}
"""
GOAL = 131
LONG = """
SELECT COUNT(*) FROM EVENTS_GEO a JOIN EVENTS_GEO b ON a.deviceCity = b.deviceCity WHERE a.deviceId < b.messageName
"""


def check(app: Any, database: Any, spec: Any) -> None:
    from superset.constants import TimeGrain
    from superset.db_engine_specs.lib import diagnose
    from superset.sql.parse import SQLGLOT_DIALECTS, SQLScript, Table

    from ovate_connector.superset.sqlglot_dialect import Ovate

    events = Table("EVENTS_GEO", "druid")

    # It is found, and counts as much as it should.
    assert database.db_engine_spec is spec
    assert SQLGLOT_DIALECTS["ovate"] is Ovate
    score = diagnose(spec)["score"]
    assert score >= GOAL, score
    print(f"score {score}")

    # Schemas, tables, columns.
    with database.get_inspector() as inspector:
        assert "druid" in inspector.get_schema_names()
        assert spec.get_table_names(database, inspector, "druid") == {"ALERTS", "DEVICES", "EVENTS_GEO"}
        columns = {column["column_name"]: column for column in spec.get_columns(inspector, events)}
        metrics = spec.get_metrics(database, inspector, events)
    assert "TIMESTAMP" in str(columns["__time"]["type"])
    assert spec.get_column_spec("TIMESTAMP").is_dttm
    assert not spec.get_column_spec("BIGINT").is_dttm
    assert spec.get_column_spec("ARRAY<LONG>") is not None
    assert metrics[0]["expression"] == "COUNT(*)"

    # All grains, as Superset rewrites them.
    for grain in TimeGrain:
        expression = spec.get_time_grain_expressions()[grain].replace("{col}", "__time")
        sql = f"SELECT {expression} AS t, COUNT(*) AS n FROM EVENTS_GEO GROUP BY {expression} ORDER BY t DESC LIMIT 5"
        frame = database.get_df(SQLScript(sql, engine="ovate").format())
        assert len(frame) >= 1, grain
        assert str(frame["t"].dtype).startswith("datetime64"), grain
        assert frame["n"].sum() > 0, grain
    print("21 grains")

    # Times.
    moment = datetime(2026, 11, 23, 10, 0, 0, 123456)
    assert spec.convert_dttm("TIMESTAMP", moment) == "TIMESTAMP '2026-11-23 10:00:00.123'"
    assert spec.convert_dttm("DATE", moment) == "DATE '2026-11-23'"
    assert spec.convert_dttm("VARCHAR", moment) is None
    for expression, number in ((spec.epoch_to_dttm(), 1), (spec.epoch_ms_to_dttm(), 1000)):
        frame = database.get_df(f"SELECT {expression.format(col=number)} AS t")
        assert frame["t"][0] == datetime(1970, 1, 1, 0, 0, 1)

    # No rows, and types all the same.
    frame = database.get_df("SELECT __time, deviceId FROM EVENTS_GEO WHERE 1 = 0")
    assert list(frame.columns) == ["__time", "deviceId"]

    # Table preview, facts about a table, functions, cost.
    preview = database.select_star(events, limit=5, latest_partition=True)
    assert "TIMESTAMP" in preview, preview
    assert len(database.get_df(preview)) == 5
    facts = spec.get_extra_table_metadata(database, events)
    assert facts["metadata"]["rows"] > 0
    assert facts["partitions"]["latest"]["__time"]
    assert len(database.get_df(facts["partitions"]["partitionQuery"])) == facts["metadata"]["segments"]
    assert {"TIME_FLOOR", "APPROX_COUNT_DISTINCT"} <= set(spec.get_function_names(database))
    sql = "SELECT deviceCity, COUNT(*) FROM EVENTS_GEO GROUP BY 1;"
    (cost,) = spec.estimate_query_cost(database, None, "druid", sql)
    assert cost["rows"] > 0
    assert spec.query_cost_formatter([cost])[0]["Segments to read"] == f"{cost['segments']:,}"

    # Errors, with their places in the statement as Superset has written it anew.
    for sql, kind, extra in (
        ("SELECT deviceIdd FROM EVENTS_GEO", "COLUMN_DOES_NOT_EXIST_ERROR", {"line": 2, "column": 3}),
        ("SELECT * FROM NOPE", "TABLE_DOES_NOT_EXIST_ERROR", {"line": 3}),
        ("SELECT FOOBAR(1)", "SYNTAX_ERROR", {"line": 2}),
    ):
        try:
            database.get_df(sql)
        except Exception as error:
            (told,) = spec.extract_errors(error)
            assert told.error_type == kind, told
            assert extra.items() <= told.extra.items(), told
        else:
            raise AssertionError(sql)

    # Stop in SQL Lab.
    query = SimpleNamespace(id=1, database=database)
    with database.get_raw_connection() as connection, closing(connection.cursor()) as cursor:
        query_id = spec.get_cancel_query_id(cursor, query)
        failure: list[BaseException] = []

        def run() -> None:
            try:
                with app.app_context():
                    spec.execute(cursor, LONG, SimpleNamespace(is_oauth2_enabled=lambda: False))
                    spec.fetch_data(cursor)
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        stopped, end = False, time.monotonic() + 30
        while not stopped and time.monotonic() < end:
            with database.get_raw_connection() as other, closing(other.cursor()) as second:
                stopped = spec.cancel_query(second, query, query_id)
            time.sleep(0.02)
        thread.join(30)
        assert stopped
        assert type(failure[0]).__name__ == "SupersetDBAPIOperationalError", failure
        assert "cancelled" in str(failure[0])
    print("cancelled")

    # Secrets.
    masked = spec.mask_encrypted_extra('{"connect_args": {"password": "p", "timeout": 5, "headers": {"X": "s"}}}')
    assert '"p"' not in masked
    assert '"s"' not in masked
    assert "5" in masked
    assert "secret" not in spec.mask_encrypted_extra("not JSON: secret")


def main() -> None:
    server = Server()
    try:
        server.wait()
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "superset_config.py"
            config.write_text(CONFIG)
            os.environ["SUPERSET_CONFIG_PATH"] = str(config)
            from superset.app import create_app

            app = create_app()
            with app.app_context():
                from superset.db_engine_specs import load_engine_specs
                from superset.models.core import Database

                spec = next(spec for spec in load_engine_specs() if spec.engine == "ovate")
                uri = f"ovate://{server.host}:{server.port}/"
                check(app, Database(id=1, database_name="Ovate", sqlalchemy_uri=uri), spec)
    finally:
        server.stop()
    print("the engine spec holds")


if __name__ == "__main__":
    main()
