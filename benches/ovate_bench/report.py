"""The table and the JSON file of a run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

TITLES = {
    "ovate hot": "Ovate, hot",
    "ovate sealed": "Ovate, sealed",
    "duckdb": "DuckDB",
    "druid hot": "Druid, hot",
    "druid sealed": "Druid, sealed",
}


def write(results: dict[str, Any], folder: Path) -> Path:
    """`<date>.json` with everything and `<date>.md` with the tables; gives the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = results["started"].replace(":", "")
    (folder / f"{stem}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    page = folder / f"{stem}.md"
    page.write_text(markdown(results))
    return page


def markdown(results: dict[str, Any]) -> str:
    machine = results["machine"]
    lines = [
        f"# Benchmarks, {results['started']} UTC",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}. "
        f"Load average before the run: {', '.join(map(str, machine['load_before']))}"
        + (
            ". **The machine was not quiet**: other work ran beside it; prefer minima and processor times."
            if not results["quiet"]
            else "."
        ),
        "",
        "Versions: " + "; ".join(f"{name}: {version}" for name, version in results["versions"].items()) + ".",
        f"Seed {results['seed']}.",
        "",
    ]
    for title, data in results["data"].items():
        lines += latency_table(title, data)
    lines += facts(results)
    return "\n".join(lines) + "\n"


def latency_table(title: str, data: dict[str, Any]) -> list[str]:
    measured = {name: data["latency"][name] for name in TITLES if name in data["latency"]}
    compared = {"ovate sealed", "druid sealed"} <= measured.keys()
    if not measured:
        return []
    lines = [
        f"## Queries, {title} ({data['rows']:,} rows of EVENTS_GEO over {data['span_hours']:g} h)",
        "",
        "Milliseconds: median / 99th percentile / minimum of the runs after 3 warm-ups. Ovate and Druid are asked over HTTP "
        "by one client with a kept connection; DuckDB runs inside the client's process. *cpu*: the server's processor time "
        "per query. Every answer was compared with one computed from the generator's arrays first.",
        "",
        "| query | rows out |" + "".join(f" {TITLES[name]} |" for name in measured)
        + "".join(f" cpu {TITLES[name]} |" for name in measured if name.startswith("ovate"))
        + (" Druid sealed ÷ Ovate sealed |" if compared else ""),
    ]  # fmt: skip
    lines.append("|---|" + "---:|" * (lines[-1].count("|") - 2))
    ratios = []
    for query in next(iter(measured.values())):
        row = f"| {query} | {next(iter(measured.values()))[query]['rows']} |"
        for runs in measured.values():
            figures = runs[query]
            row += f" {number(figures['p50_ms'])} / {number(figures['p99_ms'])} / {number(figures['min_ms'])} |"
        for name, runs in measured.items():
            if name.startswith("ovate"):
                row += f" {number(runs[query]['cpu_ms'])} |"
        if compared:
            ratio = measured["druid sealed"][query]["p50_ms"] / measured["ovate sealed"][query]["p50_ms"]
            ratios.append(ratio)
            row += f" {number(ratio)} |"
        lines.append(row)
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        lines += ["", f"Geometric mean of Druid's median over Ovate's, sealed: **{number(mean)}**."]
    return [*lines, ""]


def facts(results: dict[str, Any]) -> list[str]:
    lines = ["## Ingest, freshness, start, size", "", "| what | figure |", "|---|---|"]
    for title, data in results["data"].items():
        for name, run in data["ingest"].items():
            lines.append(
                f"| Kafka to queryable, {name}, {title} | {run['rows_per_cpu_s']:,} rows per processor second; "
                f"{run['rows_per_s_once_reading'] or run['rows_per_s']:,} rows/s once reading, {run['rows_per_s']:,} rows/s "
                f"from posting ({run['seconds']} s, of which {run['first_visible_s']} s to the first row); "
                f"RSS {run['rss_mib']} MiB, peak {run['peak_rss_mib']} MiB; {run['idle_cpu_percent']} % of a core while "
                "the supervisors wait |"
            )
        for name, seconds in data["publish_s"].items():
            lines.append(f"| suspend until all rows are sealed, {name}, {title} | {number(seconds)} s |")
        for name, size in data["bytes"].items():
            lines.append(f"| bytes per row on disk, {name}, {title} | {size / data['rows']:.1f} |")
        for name, run in data["start"].items():
            lines.append(
                f"| start to first answer, {name} | median {number(run['p50_ms'])} ms, minimum {number(run['min_ms'])} ms "
                f"of {run['runs']}; RSS idle {run['rss_idle_mib']} MiB |"
            )
    for name, run in results.get("freshness", {}).items():
        line = f"| producer's stamp to visible, {name} | p50 {run['p50_ms']} ms, p99 {run['p99_ms']} ms, "
        line += f"max {run['max_ms']} ms at {run['rows_per_s']:,} rows/s"
        if "answers" in run:
            line += f" over {run['answers']:,} answers; the server used {run['cores_used']} cores"
        lines.append(f"{line} |")
    if "druid_start" in results:
        run = results["druid_start"]
        lines.append(f"| start of Druid's six processes | {run['seconds']:.0f} s; RSS {run['rss_mib']:.0f} MiB |")
    return [*lines, ""]


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
