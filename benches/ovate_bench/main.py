"""The order of a run: one workload after the other, and in each one system at a time on the same rows."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import crowd, measure, peers, report, ssb, tpch
from .case_study import DASHBOARD
from .components import Kafka, machine, memory_mib
from .peers import PEERS
from .queries import Query
from .servers import Druid, Ovate, Server
from .workloads import HOT_MAX, SCALES, SEED, Workload, case_study_at, newest_tenth

RESULTS = Path(__file__).resolve().parents[1] / "results"
WORKLOADS = ("case-study", "ssb", "tpch")
SYSTEMS = ("ovate", *PEERS, "druid")
GROWTH = "5M"
LIVE_ROWS_PER_S = 50_000
CROWD, CROWD_SECONDS, CROWD_ROWS_MAX = 64, 8, 1_000_000
DISK_BYTES_PER_ROW = 300  # a compressed message in the broker's log, and what every system makes of it


def main(arguments: list[str], cache: Path) -> int:
    options = parse(arguments, cache)
    work = options.work
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    before = machine()
    results: dict[str, Any] = {
        "started": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M"),
        "machine": before,
        "quiet": before["load_before"][0] < 0.5,
        "seed": SEED,
        "versions": {"python": sys.version.split()[0]},
        "data": {},
    }
    kafka = Kafka(cache / "bench-kafka")
    kafka.start()
    try:
        run(options, results, kafka)
    finally:
        if not options.keep:
            kafka.run("wipe")
            shutil.rmtree(work, ignore_errors=True)
        if results["data"]:
            page = report.write(results, options.results)
            print(f"\n{report.markdown(results)}\n{page}")
    return 0


def parse(arguments: list[str], cache: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 k rows and scale factor 0.01, freshness for 9 s")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS[:-1]),
        help="what is measured; druid is not by default (Java 17, Maven, 4 GiB, half an hour more)",
    )  # fmt: skip
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="what is asked of them")
    parser.add_argument("--rows", nargs="+", choices=SCALES, default=["100k", "5M"], help="scales of the case study")
    parser.add_argument("--devices", type=int, default=1_000, help="of the case study; its own are 1,000")
    parser.add_argument("--sf", type=float, default=1, help="scale factor of SSB and the TPC-H shapes: 1 is six million rows")
    parser.add_argument("--keep", action="store_true", help="leave the broker and the data folders where they are")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the result files are written")
    parser.add_argument("--work", type=Path, default=cache / "bench-work", help="a folder for the data; it is emptied")
    parser.add_argument("--rate", type=int, default=10_000, help="rows/s of the freshness measurement; 0: none")
    options = parser.parse_args(arguments)
    options.cache = cache
    if options.quick:
        options.rows, options.sf = ["100k"], 0.01
    root = Path(__file__).resolve().parents[2]
    target = Path(os.environ.get("CARGO_TARGET_DIR", cache / "target"))
    found = [path for path in (target / "release/ovate", root / "target/release/ovate") if path.exists()]
    options.binary = os.environ.get("OVATE_BIN") or (str(found[0]) if found else "")
    if not options.binary:
        parser.error("no release binary: run `cargo build --release`, or name one in OVATE_BIN")
    needed, free = max(SCALES[scale][0] for scale in options.rows) * DISK_BYTES_PER_ROW, shutil.disk_usage(root).free
    if needed > free:
        parser.error(f"these rows take about {needed >> 30} GiB of disk, {free >> 30} are free")
    return options


def workloads(options: argparse.Namespace) -> Iterator[Workload]:
    for scale in options.rows if "case-study" in options.workloads else ():
        say(f"{scale}: making events")
        yield case_study_at(scale, options.devices, options.work / scale / "parquet")
    for module in (ssb, tpch):
        if module.NAME in options.workloads:
            say(f"{module.NAME}: making tables")
            yield module.workload(options.sf, options.work / module.NAME)


def run(options: argparse.Namespace, results: dict[str, Any], kafka: Kafka) -> None:
    results["versions"]["Ovate"] = Ovate(options.binary, options.work / "none", kafka).version()
    if "ovate" in options.systems:
        say("ovate: starts on an empty folder")
        results["start"] = {
            "empty folder": measure.starts(Ovate(options.binary, options.work / "empty" / "data", kafka), "SELECT 1", 7)
        }
    for workload in workloads(options):
        say(f"{workload.title}: {workload.about}")
        data: dict[str, Any] = {
            "about": workload.about, "rows": workload.main.rows, "groups": {q.name: q.group for q in workload.queries},
            "latency": {}, "ingest": {}, "publish_s": {}, "bytes": {}, "load": {}, "rss_mib": {}, "cores": {},
            "cold": {}, "crowd": {},
        }  # fmt: skip
        results["data"][workload.title] = data
        folder = options.work / str(len(results["data"]))
        if {"ovate", "druid"} & set(options.systems):
            for table in workload.tables:
                compression = "none" if table.rows <= HOT_MAX else "lz4"  # or the disk would be the broker's
                say(f"  producing {table.name} took {kafka.produce(table.name, table.messages(), compression):.1f} s")
        if "ovate" in options.systems:
            ovate(options, results, kafka, workload, data, folder / "ovate" / "data")
            drop(options, folder / "ovate")
        for name in PEERS:
            if name in options.systems:
                peer(name, results, workload, data, folder / name)
                drop(options, folder / name)
        if "druid" in options.systems:
            druid(options, results, kafka, workload, data)
    if "ovate" in options.systems and GROWTH in options.rows and "case-study" in options.workloads:
        growth(options, results, kafka)
    if {"ovate", "druid"} & set(options.systems) and options.rate:
        freshness(options, results, kafka)


def ovate(
    options: argparse.Namespace, results: dict[str, Any], kafka: Kafka, workload: Workload, data: dict[str, Any], folder: Path
) -> None:
    server = Ovate(options.binary, folder, kafka)
    server.start()
    try:
        served(server, workload, data)
    finally:
        server.stop()
    say("  ovate: starts with these rows")
    ready = f'SELECT COUNT(*) FROM "{workload.main.name}"'
    results["start"][workload.title] = measure.starts(server, ready, 7)
    if workload.scans:
        say("  ovate: cold")
        data["cold"]["Ovate"] = {query.name: measure.cold_server(server, query) for query in asked(workload.queries, server)}
    for label, cores in measure.core_sets(workload):
        say(f"  ovate: {label}")
        server.start(cores=cores)
        try:
            data["cores"].setdefault(label, {})["Ovate"] = measure.latency(server, asked(workload.scans, server))
        finally:
            server.stop()


def druid(options: argparse.Namespace, results: dict[str, Any], kafka: Kafka, workload: Workload, data: dict[str, Any]) -> None:
    server = Druid(options.cache / "druid", kafka)
    say("  druid: start")
    try:
        seconds = server.start()
        results["versions"]["Druid"] = server.version()
        results["druid_start"] = {"seconds": seconds, "rss_mib": memory_mib(server.pids())}
        served(server, workload, data)
    finally:
        server.stop()


def served(server: Server, workload: Workload, data: dict[str, Any]) -> None:
    """From Kafka to answers: while rows are hot, where they all are, and when they are sealed."""
    say(f"  {server.name}: ingest")
    for table in workload.tables:
        data["ingest"][server.title] = measure.ingest(server, table)
    if workload.hot:
        say(f"  {server.name}: queries on hot rows")
        latency(server, f"{server.title}, hot", workload.queries, data)
    say(f"  {server.name}: publish, queries on sealed rows")
    for table in reversed(workload.tables):
        data["publish_s"].setdefault(server.title, round(server.publish(table.name), 2))
    latency(server, server.title, workload.queries, data)
    data["bytes"][server.title] = server.size_bytes(workload.main.name)
    data["rss_mib"][server.title] = round(memory_mib(server.pids()))
    crowded(server, workload, data, "caches off")
    if isinstance(server, Ovate):  # Druid's are off by configuration
        say("  ovate: the same with caches on")
        server.cached = True
        latency(server, f"{server.title}, caches on", workload.queries, data)
        crowded(server, workload, data, "caches on")
        server.cached = False


def crowded(server: Server, workload: Workload, data: dict[str, Any], label: str) -> None:
    asked = workload.named(DASHBOARD) if workload.main.rows <= CROWD_ROWS_MAX else []
    if asked:
        say(f"  {server.name}: {CROWD} clients, {label}")
        bodies = [json.dumps(server.body(query.text(server.dialect))) for query in asked]
        found = crowd.answers(server.url, bodies, CROWD, CROWD_SECONDS, server.pids())
        data["crowd"][f"{server.title}, {label}"] = found


def peer(name: str, results: dict[str, Any], workload: Workload, data: dict[str, Any], folder: Path) -> None:
    say(f"  {name}")
    title, dialect = peers.described(name)
    data["load"][title] = loads()
    questions = [query.asked(dialect) for query in workload.queries]
    found = peers.apart(measure.peer, name, folder, workload.files, questions, True)
    results["versions"][title] = found["version"]
    data["latency"][title] = found["latency"]
    data["bytes"][title] = found["bytes"][workload.main.name]
    data["rss_mib"][title] = found["rss_mib"]
    if workload.scans:
        data["cold"][title] = {
            query.name: peers.apart(measure.cold_peer, name, folder, workload.files, query) for query in questions
        }
    questions = [query.asked(dialect) for query in workload.scans]
    for label, cores in measure.core_sets(workload):
        found = peers.apart(measure.peer, name, folder, workload.files, questions, False, cores=cores)
        data["cores"].setdefault(label, {})[title] = found["latency"]


def growth(options: argparse.Namespace, results: dict[str, Any], kafka: Kafka) -> None:
    """The newest tenth of many rows was asked for above; here there is nothing but that tenth."""
    say("growth: a tenth of the rows")
    tenth = newest_tenth(GROWTH, options.devices, options.work / "tenth" / "parquet")
    server = Ovate(options.binary, options.work / "tenth" / "data", kafka)
    server.start()
    try:
        kafka.produce(tenth.main.name, tenth.main.messages())
        measure.ingest(server, tenth.main)
        server.publish(tenth.main.name)
        results["growth"] = measure.latency(server, asked(tenth.queries, server))
    finally:
        server.stop()


def freshness(options: argparse.Namespace, results: dict[str, Any], kafka: Kafka) -> None:
    """How soon rows are seen, and what answers take meanwhile."""
    rate, seconds = options.rate, 9 if options.quick else 21
    say(f"freshness at {rate:,} rows/s")
    results["freshness"] = {"Kafka alone, a plain consumer": measure.kafka_alone(kafka, rate, seconds)}
    for server in fresh_servers(options, kafka, "fresh"):
        results["freshness"][server.title] = started(server, measure.freshness, rate, seconds)
    results["live"] = {}
    for label in ("caches off", "caches on"):
        for server in fresh_servers(options, kafka, f"live, {label}"):
            server.cached = label == "caches on"
            if server.cached and not isinstance(server, Ovate):  # Druid's are off by configuration
                continue
            say(f"{server.name}: the dashboard while {LIVE_ROWS_PER_S:,} rows/s come in, {label}")
            found = started(server, measure.live, LIVE_ROWS_PER_S, seconds)
            results["live"][f"{server.title}, {label}"] = found


def fresh_servers(options: argparse.Namespace, kafka: Kafka, folder: str) -> list[Server]:
    """Those that read Kafka, without any rows."""
    known: list[Server] = [Ovate(options.binary, options.work / folder / "data", kafka), Druid(options.cache / "druid", kafka)]
    return [server for server in known if server.name in options.systems]


def started(
    server: Server, measured: Callable[[Server, int, int], dict[str, float]], rate: int, seconds: int
) -> dict[str, float]:
    server.start()
    try:
        return measured(server, rate, seconds)
    finally:
        server.stop()


def drop(options: argparse.Namespace, folder: Path) -> None:
    """One system's files: the disk need not hold those of all at once."""
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)


def latency(server: Server, title: str, queries: list[Query], data: dict[str, Any]) -> None:
    data["load"][title] = loads()
    data["latency"][title] = measure.latency(server, asked(queries, server))


def asked(queries: list[Query], system: peers.System) -> list[Any]:
    return [query.asked(system.dialect) for query in queries]


def loads() -> list[float]:
    return [round(load, 2) for load in os.getloadavg()]


def say(text: str) -> None:
    print(f"{datetime.now(timezone.utc):%H:%M:%S} {text}", flush=True)
