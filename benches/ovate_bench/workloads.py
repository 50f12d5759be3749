"""What a run is about: tables, as Kafka's messages and as Parquet files of the same rows, and what is asked of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import case_study, parquet
from .components import ROOT
from .data import DAY_MS, Alerts, Devices, Events
from .peers import Tables
from .queries import Query

SPECS = ROOT / "src" / "demo" / "specs"
# At this many rows a specification's maxRowsPerSegment publishes them: fewer stay hot until they are told otherwise.
HOT_MAX = 5_000_000
# One row less, so that the largest of the usual scales can be asked while hot.
SCALES = {
    "100k": (100_000, DAY_MS // 12),
    "5M": (HOT_MAX - 1, 30 * DAY_MS),
    "10M": (10_000_000, 30 * DAY_MS),
    "100M": (100_000_000, 30 * DAY_MS),
}
ALERTS = 2_000
SCANNED_ROWS_MIN = 1_000_000  # below, a scan's time is not that of its rows
SEED = 20261123


@dataclass(frozen=True)
class Table:
    """Read from the topic of its name by a Druid ingestion specification."""

    name: str
    rows: int
    spec: dict[str, Any]
    messages: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Workload:
    """`tables` end with the one that it is about. `scans` are the queries for one core and for two."""

    title: str
    about: str
    tables: list[Table]
    files: Tables
    queries: list[Query]
    scans: list[Query] = field(default_factory=list)
    hot: bool = True  # whether all rows stay unpublished until they are told otherwise

    def named(self, names: tuple[str, ...]) -> list[Query]:
        return [query for query in self.queries if query.name in names]

    @property
    def main(self) -> Table:
        return self.tables[-1]


def case_study_at(scale: str, devices: int, folder: Path) -> Workload:
    rows, span_ms = SCALES[scale]
    return made(scale, rows, span_ms, devices, folder, case_study.queries)


def newest_tenth(scale: str, devices: int, folder: Path) -> Workload:
    """The newest tenth of `scale` and nothing else, asked for that tenth."""
    rows, span_ms = SCALES[scale][0] // 10, SCALES[scale][1] // 10
    return made(f"a tenth of {scale}", rows, span_ms, devices, folder, lambda events, _: [case_study.newest(events, span_ms)])


def made(
    title: str, rows: int, span_ms: int, devices: int, folder: Path, asked: Callable[[Events, Alerts], list[Query]]
) -> Workload:
    doors = Devices.load(devices, SEED)
    events = Events.generate(doors, rows, span_ms, SEED)
    alerts = Alerts.generate(events, ALERTS)
    return Workload(
        f"case study, {title}" + (f", {devices:,} devices" if devices != 1_000 else ""),
        f"{rows:,} rows of EVENTS_GEO over {span_ms / 3_600_000:g} h",
        [
            Table("DEVICES", devices, specification("devices"), lambda: doors.messages),
            Table("ALERTS", ALERTS, specification("alerts"), alerts.messages),
            Table("EVENTS_GEO", rows, specification("events_geo"), events.messages),
        ],
        parquet.write(folder, events, alerts),
        asked(events, alerts),
        case_study.scans(events) if rows >= SCANNED_ROWS_MIN else [],
        rows < HOT_MAX,
    )


def specification(name: str) -> dict[str, Any]:
    """The case study's, unmodified."""
    return dict(json.loads((SPECS / f"{name}_ingestion.json").read_text()))
