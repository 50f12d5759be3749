"""QuestDB: a server of its own on Java, asked over HTTP; partitions of a day, symbols where values repeat."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from ..client import Client, unchunk
from ..components import SCRIPTS, free_port
from ..dialects import SUMMED_IN_64_BITS, Dialect
from . import Tables, repeating

TYPES = {"int64": "LONG", "int32": "INT", "double": "DOUBLE", "float": "FLOAT", "string": "VARCHAR"}


class QuestDb:
    title = "QuestDB"
    dialect = Dialect(
        "timestamp_floor('{unit}', {column})",
        {"minute": "1m", "hour": "1h", "day": "1d", "month": "1M", "year": "1y"},
        float_sum=SUMMED_IN_64_BITS,
    )

    def __init__(self, folder: Path, tables: Tables) -> None:
        self.folder, self.tables = folder, tables
        self.port = free_port()
        self.environment = {
            **os.environ,
            "QUESTDB_DIR": str(folder),
            "QUESTDB_PORT": str(self.port),
            "QUESTDB_FILES": str(next(iter(tables.values())).parent),
        }
        self.run("up")
        self.client = Client(f"http://127.0.0.1:{self.port}")

    def run(self, command: str) -> str:
        script = [SCRIPTS / "questdb.sh", command]
        return subprocess.run(script, env=self.environment, check=True, capture_output=True, text=True).stdout

    def load(self) -> None:
        for table, file in self.tables.items():
            repeat, schema = repeating(file), pq.read_schema(file)
            columns = ", ".join(f'"{field.name}" {"SYMBOL" if field.name in repeat else kind(field.type)}' for field in schema)
            by_time = f'TIMESTAMP("__time") PARTITION BY {partition(file)} BYPASS WAL'
            self.rows(f'CREATE TABLE "{table}" ({columns}) {by_time}')
            self.rows(f"INSERT INTO \"{table}\" SELECT * FROM read_parquet('{file.name}')")
        # Writers give back what they allocated ahead when they are closed.
        self.close()
        self.run("up")

    def request(self, sql: str) -> bytes:
        return self.client.prepare("GET", f"/exec?query={quote(sql)}")

    def rows(self, sql: str) -> list[Any]:
        status, body, is_chunked = self.client.exchange(self.request(sql))
        body = unchunk(body) if is_chunked else body
        if status != 200:
            raise RuntimeError(f"questdb: {sql}: {status} {body[:400].decode(errors='replace')}")
        return list(json.loads(body).get("dataset", []))

    def prepared(self, sql: str) -> Callable[[], object]:
        return self.client.prepared(self.request(sql))

    def pids(self) -> list[int]:
        return [int(self.run("pid"))]

    def version(self) -> str:
        said = self.rows("SELECT build()")[0][0]  # "Build Information: QuestDB 9.3.4, JDK 24.0.2, Commit Hash …"
        return f"{said.split('QuestDB ')[-1].split(', JDK')[0]}, over HTTP"

    def size_bytes(self, table: str) -> int:
        sql = f"SELECT SUM(diskSize) FROM table_partitions('{table}')"
        return int(self.rows(sql)[0][0])

    def close(self) -> None:
        self.client.close()
        self.run("down")


def partition(file: Path) -> str:
    """A day, unless that would make thousands of them."""
    times = pq.read_table(file, columns=["__time"])["__time"]
    first, last = times[0].as_py(), times[len(times) - 1].as_py()
    return "DAY" if last - first < timedelta(days=366) else "YEAR"


def kind(type_: pa.DataType) -> str:
    return "TIMESTAMP" if pa.types.is_timestamp(type_) else TYPES[str(type_)]
