"""chdb: ClickHouse's engine in this process, MergeTree tables ordered by time, LowCardinality where values repeat."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chdb
import pyarrow as pa
from chdb.session import Session

from ..dialects import Dialect
from . import InProcess, Tables, repeating


class Chdb(InProcess):
    title = "chdb"
    dialect = Dialect()

    def __init__(self, folder: Path, tables: Tables) -> None:
        super().__init__(folder, tables)
        self.session = Session(str(folder / "clickhouse"))
        # What filters found is remembered otherwise: a cache, and caches are off.
        for setting in (f"max_threads = {self.cores}", "use_query_condition_cache = 0"):
            self.session.query(f"SET {setting}")

    def load(self) -> None:
        for table, file in self.tables.items():
            encoded = ", ".join(f'toLowCardinality("{name}") AS "{name}"' for name in repeating(file))
            columns = f"* REPLACE ({encoded})" if encoded else "*"
            self.session.query(
                f'CREATE TABLE "{table}" ENGINE = MergeTree ORDER BY "__time" AS SELECT {columns} '
                f"FROM file('{file}', Parquet) SETTINGS schema_inference_make_columns_nullable = 0"
            )
            self.session.query(f'OPTIMIZE TABLE "{table}" FINAL')

    def rows(self, sql: str) -> list[Any]:
        with pa.ipc.open_file(io.BytesIO(self.session.query(sql, "Arrow").bytes())) as reader:
            return [tuple(row.values()) for row in reader.read_all().to_pylist()]

    def prepared(self, sql: str) -> Callable[[], object]:
        return lambda: self.session.query(sql, "Arrow")

    def version(self) -> str:
        return f"{chdb.__version__}, ClickHouse {self.rows('SELECT version()')[0][0]}, in process"

    def size_bytes(self, table: str) -> int:
        sql = f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '{table}'"
        return int(self.rows(sql)[0][0])

    def close(self) -> None:
        self.session.close()
