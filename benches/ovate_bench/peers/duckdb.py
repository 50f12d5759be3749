"""DuckDB in this process: a database file of its own, rows sorted by time as segments are, a thread per core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from ..dialects import Dialect
from . import InProcess, Tables


class DuckDb(InProcess):
    title = "DuckDB"
    dialect = Dialect()

    def __init__(self, folder: Path, tables: Tables) -> None:
        super().__init__(folder, tables)
        self.file = folder / "duck.db"
        self.connection = duckdb.connect(str(self.file), config={"threads": self.cores})

    def load(self) -> None:
        for table, file in self.tables.items():
            self.connection.execute(f"CREATE TABLE \"{table}\" AS SELECT * FROM read_parquet('{file}')")
        self.connection.execute("CHECKPOINT")

    def rows(self, sql: str) -> list[Any]:
        return self.connection.execute(sql).fetchall()

    def prepared(self, sql: str) -> Callable[[], object]:
        return lambda: self.connection.execute(sql).fetchnumpy()

    def version(self) -> str:
        return f"{duckdb.__version__}, in process"

    def size_bytes(self, _table: str) -> int:
        return self.file.stat().st_size

    def close(self) -> None:
        self.connection.close()
