"""The order of a run: one system at a time, on the same messages of the same broker."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import duck, measure, report
from .client import Client
from .components import Druid, Kafka, Ovate, machine, memory_mib
from .data import DAY_MS, Alerts, Devices, Events
from .queries import queries

RESULTS = Path(__file__).resolve().parents[1] / "results"
# One row less than the specification's maxRowsPerSegment, at which rows are published: they shall stay hot.
SCALES = {"100 k": (100_000, DAY_MS // 12), "5 M": (4_999_999, 30 * DAY_MS)}
SYSTEMS = ("ovate", "duckdb", "druid")
ALERTS = 2_000
SEED = 20261123


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
        "versions": {"python": sys.version.split()[0], "duckdb (in process)": duck.duckdb.__version__},
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
    parser.add_argument("--quick", action="store_true", help="100 k rows only, freshness for 9 s")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS[:2]),
        help="what is measured; druid is not by default (Java 17, Maven, 4 GiB, half an hour more)",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="leave the broker and the data folders where they are")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the result files are written")
    parser.add_argument("--work", type=Path, default=cache / "bench-work", help="a folder for the data; it is emptied")
    parser.add_argument("--rate", type=int, default=10_000, help="rows/s of the freshness measurement")
    options = parser.parse_args(arguments)
    options.cache = cache
    root = Path(__file__).resolve().parents[2]
    target = Path(os.environ.get("CARGO_TARGET_DIR", cache / "target"))
    found = [path for path in (target / "release/ovate", root / "target/release/ovate") if path.exists()]
    options.binary = os.environ.get("OVATE_BIN") or (str(found[0]) if found else "")
    if not options.binary:
        parser.error("no release binary: run `cargo build --release`, or name one in OVATE_BIN")
    return options


def run(options: argparse.Namespace, results: dict[str, Any], kafka: Kafka) -> None:
    devices = Devices.load()
    scales = dict(list(SCALES.items())[:1]) if options.quick else SCALES
    results["versions"]["ovate"] = Ovate(options.binary, options.work / "none", kafka).version()
    for title, (rows, span_ms) in scales.items():
        say(f"{title}: making and producing {rows:,} events")
        events = Events.generate(devices, rows, span_ms, SEED)
        alerts = Alerts.generate(events, ALERTS)
        kafka.produce("DEVICES", devices.messages)
        kafka.produce("ALERTS", alerts.messages())
        seconds = kafka.produce("EVENTS_GEO", events.messages())
        say(f"  produced in {seconds:.1f} s")
        data: dict[str, Any] = {
            "rows": rows, "span_hours": span_ms / 3_600_000, "produced_s": round(seconds, 2),
            "latency": {}, "ingest": {}, "publish_s": {}, "bytes": {}, "start": {}, "load": {},
        }  # fmt: skip
        results["data"][title] = data
        asked = queries(events, alerts)
        if "ovate" in options.systems:
            ovate(options, kafka, title, data, asked, alerts)
        if "duckdb" in options.systems:
            duckdb(options, data, asked, events, alerts)
        if "druid" in options.systems:
            druid(options, results, kafka, title, data, asked, alerts)
    if "ovate" in options.systems:
        results["freshness"] = {}
        server = Ovate(options.binary, options.work / "fresh" / "data", kafka)
        server.start()
        try:
            rate = options.rate
            say(f"freshness at {rate:,} rows/s")
            seconds = 9 if options.quick else 21
            results["freshness"]["Kafka alone, a plain consumer"] = measure.kafka_alone(kafka, rate, seconds)
            results["freshness"]["ovate"] = measure.freshness(server, rate, seconds)
        finally:
            server.stop()


def ovate(
    options: argparse.Namespace, kafka: Kafka, title: str, data: dict[str, Any], asked: list[Any], alerts: Alerts
) -> None:
    name = title.replace(" ", "-")
    if not data["start"] and title == next(iter(SCALES)):
        say("  ovate: starts on an empty folder")
        empty = Ovate(options.binary, options.work / "empty" / "data", kafka)
        data["start"]["ovate, empty folder"] = measure.starts(empty, "SELECT 1", 7)
    server = Ovate(options.binary, options.work / name / "data", kafka)
    server.start()
    try:
        say("  ovate: ingest")
        small(server, alerts)
        data["ingest"]["ovate"] = measure.ingest(server, "events_geo", "EVENTS_GEO", data["rows"])
        say("  ovate: queries on hot rows")
        latency(data, "ovate hot", server, asked)
        say("  ovate: publish, queries on sealed rows")
        publish(data, server)
        latency(data, "ovate sealed", server, asked)
        data["bytes"]["ovate"] = server.size_bytes("EVENTS_GEO")
    finally:
        server.stop()
    say(f"  ovate: starts with {title} rows")
    data["start"][f"ovate, {title} rows"] = measure.starts(server, 'SELECT COUNT(*) FROM "EVENTS_GEO"', 7)


def duckdb(options: argparse.Namespace, data: dict[str, Any], asked: list[Any], events: Events, alerts: Alerts) -> None:
    say("  duckdb")
    file = options.work / "duck.db"
    connection = duck.load(file, events, alerts)
    data["load"]["duckdb"] = [round(load, 2) for load in os.getloadavg()]
    data["latency"]["duckdb"] = duck.latency(connection, asked)
    connection.close()
    data["bytes"]["duckdb"] = file.stat().st_size


def druid(
    options: argparse.Namespace, results: dict[str, Any], kafka: Kafka, title: str, data: dict[str, Any],
    asked: list[Any], alerts: Alerts,
) -> None:  # fmt: skip
    server = Druid(options.cache / "druid", kafka)
    say("  druid: start")
    try:
        seconds = server.start()
        results["versions"]["druid"] = server.version()
        results["druid_start"] = {"seconds": seconds, "rss_mib": memory_mib(server.pids())}
        say("  druid: ingest")
        small(server, alerts)
        data["ingest"]["druid"] = measure.ingest(server, "events_geo", "EVENTS_GEO", data["rows"])
        say("  druid: queries on hot rows")
        latency(data, "druid hot", server, asked)
        say("  druid: hand-off, queries on sealed rows")
        publish(data, server)
        latency(data, "druid sealed", server, asked)
        data["bytes"]["druid"] = server.size_bytes("EVENTS_GEO")
    finally:
        server.stop()


def small(server: Ovate | Druid, alerts: Alerts) -> None:
    measure.ingest(server, "devices", "DEVICES", len(alerts.devices.ids))
    measure.ingest(server, "alerts", "ALERTS", len(alerts.time_ms))


def publish(data: dict[str, Any], server: Ovate | Druid) -> None:
    client = Client(server.url)
    data["publish_s"][server.name] = round(server.publish(client, "EVENTS_GEO"), 2)
    for datasource in ("ALERTS", "DEVICES"):
        server.publish(client, datasource)


def latency(data: dict[str, Any], name: str, server: Ovate | Druid, asked: list[Any]) -> None:
    data["load"][name] = [round(load, 2) for load in os.getloadavg()]
    data["latency"][name] = measure.latency(server, asked)


def say(text: str) -> None:
    print(f"{datetime.now(timezone.utc):%H:%M:%S} {text}", flush=True)
