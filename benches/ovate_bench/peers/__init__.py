"""The other systems that are measured beside Ovate and Druid, behind one interface.

Those that run inside the client's process get a process of their own, which is client and system at once: so that one's
threads, memory and caches are not another's, and its processor time is its own.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..dialects import Dialect

Tables = dict[str, Path]  # Parquet files, sorted by __time


class System(Protocol):
    """What can be asked."""

    title: str
    dialect: Dialect

    def rows(self, sql: str) -> list[Any]:
        """The answer as Python's values, for the comparison."""

    def prepared(self, sql: str) -> Callable[[], object]:
        """Asks as fast as the system can answer: to the last byte or array, no rows made in Python."""

    def pids(self) -> list[int]: ...

    def version(self) -> str: ...


class Peer(System, Protocol):
    """A system that loads its own tables from Parquet files. Making it opens `folder`, with what is there already."""

    def __init__(self, folder: Path, tables: Tables) -> None: ...

    def load(self) -> None: ...

    def size_bytes(self, table: str) -> int:
        """What the table takes, on disk where the system keeps it there."""

    def close(self) -> None: ...


# Module -> class. In the order in which they are measured.
PEERS = {
    "duckdb": "DuckDb",
    "chdb": "Chdb",
    "polars": "Polars",
    "datafusion": "DataFusion",
    "questdb": "QuestDb",
}


def open_peer(name: str, folder: Path, tables: Tables) -> Peer:
    """Imports the one system that is asked for: the others' threads and memory stay out of the process."""
    folder.mkdir(parents=True, exist_ok=True)
    return _class(name)(folder, tables)


def described(name: str) -> tuple[str, Dialect]:
    """Title and dialect, told by a process of its own: importing an engine starts its threads."""
    return apart(_described, name)


def _described(name: str) -> tuple[str, Dialect]:
    found = _class(name)
    return found.title, found.dialect


def _class(name: str) -> type[Peer]:
    found: type[Peer] = getattr(importlib.import_module(f".{name}", __name__), PEERS[name])
    return found


def apart(work: Callable[..., Any], *arguments: Any, cores: set[int] | None = None) -> Any:
    """Runs `work` in a fresh process, on these cores only: engines count cores when they are imported."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=confine, initargs=(cores,)) as pool:
        return pool.submit(work, *arguments).result()


def confine(cores: set[int] | None) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


class InProcess:
    """What systems inside the client's process have in common."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        self.folder, self.tables, self.cores = folder, tables, len(os.sched_getaffinity(0))

    def pids(self) -> list[int]:
        return [os.getpid()]

    def load(self) -> None:
        """Nothing to do where opening reads the files."""

    def close(self) -> None:
        """The process ends soon."""


def repeating(file: Path) -> list[str]:
    """The text columns whose values come again and again: those that a careful user would give a dictionary."""
    first = pq.ParquetFile(file).read_row_group(0)
    return [
        name
        for name in first.column_names
        if first[name].type == pa.string() and pc.count_distinct(first[name]).as_py() <= first.num_rows // 4 + 1
    ]
