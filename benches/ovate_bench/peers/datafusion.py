"""DataFusion in this process, over the Parquet files: what Ovate's engine does without Ovate's storage and operators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datafusion
from datafusion import SessionConfig, SessionContext, col

from ..dialects import Dialect
from . import InProcess, Tables


class DataFusion(InProcess):
    title = "DataFusion, Parquet"
    dialect = Dialect()

    def __init__(self, folder: Path, tables: Tables) -> None:
        super().__init__(folder, tables)
        config = SessionConfig().with_target_partitions(self.cores)
        # Late materialisation: off by default, and what a user would turn on for filters that pass little.
        config = config.set("datafusion.execution.parquet.pushdown_filters", "true")
        self.context = SessionContext(config)
        for table, file in tables.items():
            by_time = [[col('"__time"').sort()]]
            self.context.register_parquet(f'"{table}"', file, file_sort_order=by_time)

    def rows(self, sql: str) -> list[Any]:
        return [tuple(row.values()) for batch in self.context.sql(sql).collect() for row in batch.to_pylist()]

    def prepared(self, sql: str) -> Callable[[], object]:
        return lambda: self.context.sql(sql).collect()

    def version(self) -> str:
        return f"{datafusion.__version__}, in process"

    def size_bytes(self, table: str) -> int:
        return self.tables[table].stat().st_size
