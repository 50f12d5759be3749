"""The tables and the JSON file of a run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from . import plot

OURS = "Ovate"
Latency = dict[str, dict[str, dict[str, Any]]]  # system -> query -> figures


def write(results: dict[str, Any], folder: Path) -> Path:
    """`<date>.json` with everything, `<date>.svg` with the medians, `<date>.md` with the tables; gives the last."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = results["started"].replace(":", "")
    (folder / f"{stem}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    page, picture = folder / f"{stem}.md", folder / f"{stem}.svg"
    measured = any(data["latency"] for data in results["data"].values())  # a run may have been cut short
    if measured:
        plot.draw(results, picture)
    page.write_text(markdown(results, picture.name if measured else None))
    return page


def markdown(results: dict[str, Any], picture: str | None = None) -> str:
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
        "Times are milliseconds: median / 99th percentile of the runs after 3 warm-ups, one client. Ovate, QuestDB and Druid "
        "are asked over HTTP by one kept connection; the others run inside the client's process. Every answer was compared "
        "with the right one first.",
        "",
    ]
    lines += [f"![Medians of every query and system]({picture})", ""] if picture else []
    for title, data in results["data"].items():
        lines += times(f"{title}: {data['about']}", data["latency"])
        lines += ratios(data["latency"], data["groups"])
        lines += inside(data["latency"])
        lines += on_cores(data)
        lines += cold(data["cold"])
    lines += facts(results)
    return "\n".join(lines) + "\n"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        "|---|" + "---:|" * (len(head) - 1),
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def times(title: str, latency: Latency) -> list[str]:
    if not latency:
        return []
    rows = [
        [name, str(figures["rows"])]
        + [f"{number(runs[name]['p50_ms'])} / {number(runs[name]['p99_ms'])}" for runs in latency.values()]
        for name, figures in next(iter(latency.values())).items()
    ]
    return [f"## {title}", "", *table(["query", "rows out", *latency], rows)]


def ratios(latency: Latency, groups: dict[str, str]) -> list[str]:
    """How many times as long each system's median is as Ovate's on sealed rows, and the geometric mean per group."""
    others = [name for name in latency if not name.startswith(OURS)]
    if OURS not in latency or not others:
        return []
    ratio = {
        name: {query: latency[name][query]["p50_ms"] / ours["p50_ms"] for query, ours in latency[OURS].items()}
        for name in others
    }
    rows = [[query, *(number(ratio[name][query]) for name in others)] for query in latency[OURS]]
    for group in dict.fromkeys(groups.values()):
        members = [query for query, of in groups.items() if of == group]
        means = (mean([ratio[name][query] for query in members]) for name in others)
        rows.append([f"**geometric mean: {group}**", *(f"**{number(value)}**" for value in means)])
    return [f"Their median ÷ {OURS}'s, sealed: more than 1 means that {OURS} is faster.", "", *table(["query", *others], rows)]


def inside(latency: Latency) -> list[str]:
    ours = {name: runs for name, runs in latency.items() if name.startswith(OURS)}
    if not ours:
        return []
    rows = [
        [query, *(f"{number(runs[query]['inside_ms'])} / {number(runs[query]['cpu_ms'])}" for runs in ours.values())]
        for query in next(iter(ours.values()))
    ]
    return ["Inside the server, mean from a statement's head to its answer's first byte / processor time per statement:", "",
            *table(["query", *ours], rows)]  # fmt: skip


def on_cores(data: dict[str, Any]) -> list[str]:
    """Rows per second on one core, and how much faster two are."""
    if not data["cores"]:
        return []
    one, two = (data["cores"].get(name, {}) for name in ("one core", "two cores"))
    rows = []
    both = {system: runs for system, runs in one.items() if system in two}  # a run may have been cut short
    for query in next(iter(both.values()), ()):
        row = [query]
        for system, runs in both.items():
            p50_ms = runs[query]["p50_ms"]
            row.append(f"{data['rows'] / p50_ms / 1e6:.3f} ({p50_ms / two[system][query]['p50_ms']:.2f} x)")
        rows.append(row)
    return [
        "Every row looked at, on one core: G rows/s (and how many times as fast on two):",
        "",
        *table(["query", *both], rows),
    ]


def cold(runs: dict[str, dict[str, float]]) -> list[str]:
    if not runs:
        return []
    rows = [[query, *(number(times[query]) for times in runs.values())] for query in next(iter(runs.values()))]
    return ["The first statement of a fresh process, nothing of its files in memory, milliseconds:", "",
            *table(["query", *runs], rows)]  # fmt: skip


def facts(results: dict[str, Any]) -> list[str]:
    lines = []
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
        sizes = ", ".join(f"{name} {size / data['rows']:.1f}" for name, size in data["bytes"].items())
        lines.append(f"| bytes per row on disk (Polars: in memory), {title} | {sizes} |")
        memory = ", ".join(f"{name} {mib:,}" for name, mib in data["rss_mib"].items())
        lines.append(f"| resident after the queries, MiB, {title} | {memory} |")
        for name, run in data["crowd"].items():
            lines.append(
                f"| {run['clients']} clients on the dashboard's three statements, {name}, {title} | "
                f"{run['answers_per_s']:,} answers/s; p50 {number(run['p50_ms'])} ms, p99 {number(run['p99_ms'])} ms; the "
                f"server used {run['server_cores']} cores, the clients ({run['client']}) {run['client_cores']} |"
            )
    for query, run in results.get("growth", {}).items():
        for title, data in results["data"].items():
            if query in data["latency"].get(OURS, {}):
                all_ms = data["latency"][OURS][query]["p50_ms"]
                lines.append(
                    f"| growth: {query[2:]}, where there are ten times as many rows ({title}) | "
                    f"{number(all_ms)} instead of {number(run['p50_ms'])} ms: {all_ms / run['p50_ms']:.2f} x |"
                )
    for name, run in results.get("start", {}).items():
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
    for name, run in results.get("live", {}).items():
        lines.append(
            f"| events grid, last 2 min, while rows come in, {name} | p50 {number(run['p50_ms'])} ms, "
            f"p99 {number(run['p99_ms'])} ms of {run['runs']:,} answers at {run['rows_per_s']:,} rows/s, "
            f"{run['rows_behind']:,} rows not seen yet at the end |"
        )
    if "druid_start" in results:
        run = results["druid_start"]
        lines.append(f"| start of Druid's six processes | {run['seconds']:.0f} s; RSS {run['rss_mib']:.0f} MiB |")
    return ["## Ingest, freshness, start, size", "", "| what | figure |", "|---|---|", *lines, ""]


def mean(values: list[float]) -> float:
    """Geometric."""
    return math.exp(sum(map(math.log, values)) / len(values))


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
