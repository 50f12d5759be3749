"""Workloads made from TPC-H's generator: tables in Parquet, sorted by time, that become Kafka's messages as well.

The right answers are DuckDB's, asked of the same files before anything is measured.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from .dialects import Dialect
from .queries import Query
from .workloads import Table, Workload

KINDS = {pa.int64(): "long", pa.float64(): "double", pa.string(): "string"}
Texts = dict[str, Callable[[Dialect], str]]


def tpch(folder: Path, scale: float) -> duckdb.DuckDBPyConnection:
    """All tables of TPC-H as views of a connection; the files are made by tpchgen."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = Path(sys.executable).parent / "tpchgen-cli"
    command = [str(generator), "parquet", "--scale-factor", f"{scale:g}", "--output-dir", str(folder), "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    connection = duckdb.connect()
    for file in folder.glob("*.parquet"):
        connection.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM read_parquet('{file}')")
    return connection


def workload(
    title: str, table: str, select: str, queries: Texts, connection: duckdb.DuckDBPyConnection, folder: Path
) -> Workload:
    """`select` gives the table with its __time; `queries` are asked of it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{table}.parquet"
    connection.execute(
        f"COPY ({select} ORDER BY \"__time\") TO '{file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 1000000)"
    )
    connection.close()
    rows = pq.read_metadata(file).num_rows
    right = duckdb.connect()
    right.execute(f"CREATE VIEW \"{table}\" AS SELECT * FROM read_parquet('{file}')")
    asked = [Query(title, name, text, right.execute(text(Dialect())).fetchall()) for name, text in queries.items()]
    right.close()
    return Workload(
        title,
        f"{rows:,} rows of {table}",
        [Table(table, rows, specification(table, file), lambda: messages(file))],
        {table: file},
        asked,
        hot=False,
    )


def messages(file: Path) -> Iterator[bytes]:
    """A JSON object per row, in the order of time."""
    connection = duckdb.connect()
    found = connection.execute(
        f'SELECT to_json(row)::VARCHAR FROM (SELECT strftime("__time", \'%Y-%m-%dT%H:%M:%SZ\') AS "time", '
        f"* EXCLUDE (\"__time\") FROM read_parquet('{file}')) AS row"
    )
    while rows := found.fetchmany(100_000):
        for (text,) in rows:
            yield text.encode()
    connection.close()


def specification(table: str, file: Path) -> dict[str, Any]:
    """An ordinary one: every column a dimension of its type, a segment chunk per year."""
    fields = [field for field in pq.read_schema(file) if field.name != "__time"]
    return {
        "type": "kafka",
        "spec": {
            "dataSchema": {
                "dataSource": table,
                "timestampSpec": {"column": "time", "format": "iso"},
                "dimensionsSpec": {"dimensions": [{"type": KINDS[field.type], "name": field.name} for field in fields]},
                "granularitySpec": {"segmentGranularity": "YEAR", "queryGranularity": "NONE", "rollup": False},
            },
            "ioConfig": {
                "topic": table,
                "inputFormat": {"type": "json"},
                "consumerProperties": {"bootstrap.servers": "kafka_broker:29092"},
                "useEarliestOffset": True,
            },
            "tuningConfig": {"type": "kafka"},
        },
    }
