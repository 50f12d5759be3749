"""The picture of a run: per query, where each system's median lies on a logarithmic scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "ovate"  # the same figures give the same file

from matplotlib import pyplot  # noqa: E402

COLOURS = {
    "Ovate": "#d62728",
    "Ovate, hot": "#ff9896",
    "Ovate, caches on": "#ff7f0e",
    "DuckDB": "#e6b800",
    "chdb": "#8c564b",
    "Polars": "#1f77b4",
    "DataFusion, Parquet": "#9467bd",
    "QuestDB": "#2ca02c",
    "Druid": "#111111",
    "Druid, hot": "#999999",
}


def draw(results: dict[str, Any], file: Path) -> None:
    """A panel per workload, a line per query, a mark per system."""
    data = {title: one["latency"] for title, one in results["data"].items() if one["latency"]}
    heights = [len(next(iter(latency.values()))) + 2 for latency in data.values()]
    figure, panels = pyplot.subplots(
        len(data), 1, figsize=(10, sum(heights) * 0.3), height_ratios=heights, squeeze=False, layout="constrained"
    )
    labels = {}
    for panel, (title, latency) in zip(panels[:, 0], data.items(), strict=True):
        queries = list(next(iter(latency.values())))
        for name, runs in latency.items():
            marks = panel.scatter(
                [runs[query]["p50_ms"] for query in queries], range(len(queries)), s=70 if name == "Ovate" else 36,
                marker="D" if name == "Ovate" else "o", color=COLOURS[name], zorder=3 if name == "Ovate" else 2,
            )  # fmt: skip
            labels.setdefault(name, marks)
        panel.set(xscale="log", title=title, yticks=range(len(queries)), yticklabels=queries, ylim=(len(queries) - 0.5, -0.5))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.grid(axis="both", color="#dddddd", linewidth=0.6)
        panel.set_axisbelow(True)
    panels[-1, 0].set_xlabel("median, milliseconds (logarithmic); further left is faster")
    figure.legend(labels.values(), labels.keys(), loc="outside upper center", ncols=5, frameon=False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
