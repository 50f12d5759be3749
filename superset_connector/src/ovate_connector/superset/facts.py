"""What Superset wants to know of a statement or a table, out of what the server answers. No Superset in here."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Cost of a statement


def cost_of_plan(plan: str) -> dict[str, int]:
    """What an `EXPLAIN PLAN FOR` says would be read: segments, rows and bytes."""
    total = {"segments": 0, "rows": 0, "bytes": 0}
    for part in json.loads(plan):
        for scan in part.get("query", {}).get("scans", []):
            for key in total:
                total[key] += int(scan.get(key, 0))
    return total


def readable_cost(cost: Mapping[str, int]) -> dict[str, str]:
    """A cost in words, largest unit first."""
    return {
        "Segments to read": f"{cost['segments']:,}",
        "Rows to read": f"{cost['rows']:,}",
        "Bytes to read": readable_bytes(cost["bytes"]),
    }


def readable_bytes(count: float) -> str:
    """`1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


# Metrics of a table

_SUMS = re.compile(r"^(count|(long|double|float)Sum)$")
_EXTREMES = re.compile(r"^(?:long|double|float)(Min|Max)$")
_ENDS = re.compile(r"^(?:long|double|float|string)(First|Last|Any)$")
_END_FUNCTIONS = {"First": "EARLIEST", "Last": "LATEST", "Any": "ANY_VALUE"}


def metrics_of_spec(spec: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Metrics for the aggregations that an ingestion specification already made, in Superset's form.

    A rolled up column must be aggregated further the same way: the rows of an event count are summed, not counted.
    """
    aggregators = _dig(spec, "spec", "dataSchema", "metricsSpec") or _dig(spec, "dataSchema", "metricsSpec")
    metrics = []
    for aggregator in aggregators if isinstance(aggregators, list) else []:
        name, kind = aggregator.get("name"), aggregator.get("type")
        if isinstance(name, str) and isinstance(kind, str) and (function := _function(kind)):
            metrics.append(_metric(function, name))
    return metrics


def _function(kind: str) -> str | None:
    if _SUMS.match(kind):
        return "SUM"
    if match := _EXTREMES.match(kind):
        return match[1].upper()
    if match := _ENDS.match(kind):
        return _END_FUNCTIONS[match[1]]
    return None


def _metric(function: str, column: str) -> dict[str, str]:
    quoted = '"' + column.replace('"', '""') + '"'
    return {
        "metric_name": f"{function.lower()}__{column}",
        "verbose_name": f"{function}({column})",
        "metric_type": function.lower(),
        "expression": f"{function}({quoted})",
        "description": "An aggregation of the ingestion specification",
    }


def _dig(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


# Segments of a table

SEGMENTS_SQL = (
    'SELECT "start", "end", num_rows, size FROM sys.segments '
    'WHERE datasource = ? AND is_active = 1 ORDER BY "start" DESC'
)


def segments_sql_for_people(table: str) -> str:
    """The statement above with the name in it, to be read and run by hand."""
    return SEGMENTS_SQL.replace("?", "'" + table.replace("'", "''") + "'")


def latest_start(segments: Iterable[tuple[Any, ...]]) -> dt.datetime | None:
    """Where the newest time chunk begins: the latest start of a segment, rows not published yet included."""
    starts = [start for row in segments if (start := parse_instant(row[0])) is not None]
    return max(starts, default=None)


def parse_instant(text: object) -> dt.datetime | None:
    """An instant of the server, in UTC without a zone; `None` for the ends of eternity."""
    if not isinstance(text, str):
        return None
    try:
        return dt.datetime.strptime(text[:23], "%Y-%m-%dT%H:%M:%S.%f")
    except ValueError:
        return None


def table_facts(table: str, segments: list[tuple[Any, ...]]) -> dict[str, Any]:
    """What the table's panel shows: the newest chunk, and how much there is."""
    if not segments:
        return {}
    latest = latest_start(segments)
    return {
        "partitions": {
            "cols": ["__time"],
            "latest": {"__time": latest.isoformat(sep=" ", timespec="milliseconds") if latest else None},
            "partitionQuery": segments_sql_for_people(table),
        },
        "metadata": {
            "segments": len(segments),
            "rows": sum(int(row[2] or 0) for row in segments),
            "size": readable_bytes(sum(int(row[3] or 0) for row in segments)),
        },
    }
