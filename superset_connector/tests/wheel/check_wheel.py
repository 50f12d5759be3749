"""The wheel in an environment that has nothing but it and what it asks for: no pyarrow, no SQLAlchemy, no Superset.

Run with the Python of that environment.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from server import Server

import ovate_connector
from ovate_connector import dbapi


def refused(call: object) -> bool:
    """Whether a call says what is missing."""
    try:
        call()  # type: ignore[operator]
    except dbapi.NotSupportedError as error:
        return "pip install 'ovate-connector[" in str(error)
    return False


def main() -> None:
    assert importlib.util.find_spec("pyarrow") is None
    package = Path(ovate_connector.__file__).parent
    assert "site-packages" in package.parts
    assert (package / "py.typed").exists()
    about = importlib.metadata.distribution("ovate-connector")
    assert about.version == ovate_connector.__version__
    names = {(point.group, point.name) for point in about.entry_points}
    assert ("superset.db_engine_specs", "ovate") in names
    assert {name for group, name in names if group == "sqlalchemy.dialects"} == {"ovate", "ovate.http", "ovate.https"}

    server = Server()
    try:
        server.wait()
        with dbapi.connect(server.host, server.port) as connection:
            sql = "SELECT 1, 'x', CAST('NaN' AS DOUBLE), ARRAY[ARRAY[1.5, NULL]], TIMESTAMP '2026-01-01 00:00:00'"
            (row,) = connection.execute(sql).fetchall()
            assert row[:2] == (1, "x")
            assert math.isnan(row[2])
            assert row[3] == [[1.5, None]]
            assert row[4].isoformat() == "2026-01-01T00:00:00"
            assert len(connection.execute("SELECT * FROM DEVICES").fetchall()) == 1000
            assert refused(connection.execute("SELECT 1").to_arrow)
            assert refused(connection.execute("SELECT 1").to_pandas)
        with dbapi.connect(server.host, server.port, transport="arrow") as connection:
            assert refused(lambda: connection.execute("SELECT 1"))
    finally:
        server.stop()
    print("the wheel holds")


if __name__ == "__main__":
    main()
