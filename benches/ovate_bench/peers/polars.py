"""Polars in this process: frames in memory, known to be sorted by time, categories where values repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from ..dialects import SUMMED_IN_64_BITS, Dialect
from . import InProcess, Tables, repeating


class Polars(InProcess):
    title = "Polars"
    dialect = Dialect(float_sum=SUMMED_IN_64_BITS)

    def __init__(self, folder: Path, tables: Tables) -> None:
        super().__init__(folder, tables)
        self.frames = {}
        for table, file in tables.items():
            frame = pl.scan_parquet(file).with_columns(pl.col(repeating(file)).cast(pl.Categorical)).collect()
            self.frames[table] = frame.set_sorted("__time")
        self.context = pl.SQLContext(self.frames)

    def rows(self, sql: str) -> list[Any]:
        return self.context.execute(sql, eager=True).rows()

    def prepared(self, sql: str) -> Callable[[], object]:
        return lambda: self.context.execute(sql, eager=True)

    def version(self) -> str:
        return f"{pl.__version__}, in process, {pl.thread_pool_size()} threads"

    def size_bytes(self, table: str) -> int:
        return int(self.frames[table].estimated_size())
