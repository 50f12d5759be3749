"""The measurements. Each gives plain numbers; what they mean stands in README.md."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from .case_study import newest_places
from .client import Client, unchunk, until
from .components import Kafka, cpu_s, memory_mib
from .peers import System, Tables, open_peer
from .queries import Asked
from .servers import Druid, Ovate, Server
from .workloads import Table, Workload, specification

WARM_UPS, RUNS_MIN, RUNS_MAX, SECONDS_MAX = 3, 15, 300, 2.0
IDLE_SECONDS = 3
LIVE_WINDOW_S = 120


def post(server: Server, spec: dict[str, Any]) -> None:
    """Unmodified to Ovate; Druid cannot map the broker's address, so there it is set."""
    client = server.client
    if isinstance(server, Druid):
        spec = copy.deepcopy(spec)
        spec["spec"]["ioConfig"]["consumerProperties"]["bootstrap.servers"] = server.kafka.address
        client = Client(server.router)
    client.call("POST", "/druid/indexer/v1/supervisor", spec)


def ingest(server: Server, table: Table) -> dict[str, float]:
    """From posting the specification, with every message already in Kafka, until COUNT(*) gives all of them."""
    client, datasource, rows = server.client, table.name, table.rows
    before_cpu_s, began = cpu_s(server.pids()), time.monotonic()
    post(server, table.spec)
    first_s, first_rows, seen = 0.0, 0, 0
    while seen < rows:
        time.sleep(0.02)
        seen = client.count(datasource)
        if seen and not first_rows:
            first_s, first_rows = time.monotonic() - began, seen
        if time.monotonic() - began > 1800 + rows / 20_000:
            raise TimeoutError(f"{server.name}: {seen} of {rows} rows of {datasource}")
    took_s = time.monotonic() - began
    if seen != rows:
        raise AssertionError(f"{server.name}: {seen} rows in {datasource}, {rows} were produced")
    used_s = cpu_s(server.pids()) - before_cpu_s
    steady_s = took_s - first_s
    memory, idle_s = memory_mib(server.pids()), cpu_s(server.pids())
    time.sleep(IDLE_SECONDS)
    idle_s = cpu_s(server.pids()) - idle_s
    return {
        "rows": rows,
        "seconds": round(took_s, 3),
        "first_visible_s": round(first_s, 3),
        "rows_per_s": round(rows / took_s),
        "rows_per_s_once_reading": round((rows - first_rows) / steady_s) if steady_s > 0.1 else 0,
        "cpu_s": round(used_s, 2),
        "rows_per_cpu_s": round(rows / used_s),
        "idle_cpu_percent": round(idle_s / IDLE_SECONDS * 100, 1),
        "rss_mib": round(memory),
        "peak_rss_mib": round(memory_mib(server.pids(), "VmHWM")),
    }


def summary(times_s: list[float]) -> dict[str, float]:
    milliseconds = np.array(times_s) * 1000
    return {
        "runs": len(times_s),
        "min_ms": round(float(milliseconds.min()), 3),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 3),
        "p99_ms": round(float(np.percentile(milliseconds, 99)), 3),
    }


def repeat(run: Any) -> list[float]:
    """Warm-ups, then at least RUNS_MIN runs and more until SECONDS_MAX are spent."""
    for _ in range(WARM_UPS):
        run()
    times: list[float] = []
    while len(times) < RUNS_MIN or (len(times) < RUNS_MAX and sum(times) < SECONDS_MAX):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return times


def latency(system: System, asked: list[Asked]) -> dict[str, dict[str, Any]]:
    """One client; an answer is checked before its time counts."""
    results = {}
    for query in asked:
        run = system.prepared(query.sql)
        first_ms = timed_ms(run)
        rows = query.check(system.rows(query.sql), system.title)
        inside = system.inside() if isinstance(system, Ovate) else (0.0, 0)
        pids = system.pids()
        used_s = cpu_s(pids)
        times = repeat(run)
        used_s = cpu_s(pids) - used_s
        results[query.name] = {
            **summary(times),
            "first_ms": first_ms,
            "cpu_ms": round(used_s * 1000 / (len(times) + WARM_UPS), 3),
            "rows": rows,
        }
        if isinstance(system, Ovate):
            spent, statements = (now - then for now, then in zip(system.inside(), inside, strict=True))
            results[query.name]["inside_ms"] = round(spent * 1000 / max(statements, 1), 3)
    return results


def peer(name: str, folder: Path, files: Tables, asked: list[Asked], load: bool) -> dict[str, Any]:
    """Runs in a process of its own; see `peers.apart`."""
    system = open_peer(name, folder, files)
    try:
        began = time.perf_counter()
        if load:
            system.load()
        return {
            "load_s": round(time.perf_counter() - began, 2),
            "latency": latency(system, asked),
            "version": system.version(),
            "bytes": {table: system.size_bytes(table) for table in files},
            "rss_mib": round(memory_mib(system.pids())),
        }
    finally:
        system.close()


def cold_server(server: Ovate, query: Asked) -> float:
    """Milliseconds of the first statement of a process whose files are not in memory."""
    forget_files(server.folder)
    server.start()
    try:
        return timed_ms(server.prepared(query.sql))
    finally:
        server.stop()


def cold_peer(name: str, folder: Path, files: Tables, query: Asked) -> float:
    """The same; runs in a process of its own."""
    forget_files(folder, *files.values())
    system = open_peer(name, folder, files)
    try:
        return timed_ms(system.prepared(query.sql))
    finally:
        system.close()


def forget_files(*places: Path) -> None:
    """Takes these files, and those in these folders, out of the page cache, and leaves all others there."""
    for place in places:
        for file in [place, *place.rglob("*")]:
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed_ms(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return round((time.perf_counter() - began) * 1000, 3)


def core_sets(workload: Workload) -> list[tuple[str, set[int]]]:
    """One core, and two, for what is to be measured so."""
    here = sorted(os.sched_getaffinity(0))
    sets = [("one core", set(here[:1])), ("two cores", set(here[:2]))]
    return sets if workload.scans and len(here) > 1 else []


def freshness(server: Server, rate: int, seconds: int) -> dict[str, float]:
    """Producer's stamp to visible: for every row, the first answer whose MAX(__time) is not before its stamp.

    The client asks without pause but 1 ms, so the figure includes Kafka, the poll, and one or two query round trips.
    """
    client = server.client
    sql = client.prepare(
        "POST", "/druid/v2/sql",
        {"query": "SELECT TIMESTAMP_TO_MILLIS(MAX(__time)) AS t FROM EVENTS_GEO", "resultFormat": "array"},
    )  # fmt: skip
    answered_ms, newest_ms = [], []
    producer, before_rows = flowing(server, rate, seconds)
    before_cpu_s, began = cpu_s(server.pids()), time.monotonic()
    while producer.poll() is None:
        _, body, is_chunked = client.exchange(sql)
        answered_ms.append(time.time() * 1000)
        newest_ms.append(json.loads(unchunk(body) if is_chunked else body)[0][0])
        time.sleep(0.001)
    used = (cpu_s(server.pids()) - before_cpu_s) / (time.monotonic() - began)
    sent = report_of(producer)
    until("all fresh rows", lambda: client.count("EVENTS_GEO") == before_rows + sent["rows"], 300)
    figures = delays(answered_ms, newest_ms, sent, seconds)
    return {**figures, "answers": len(answered_ms), "cores_used": round(used, 2)}


def live(server: Server, rate: int, seconds: int) -> dict[str, float]:
    """The events' statement over the last two minutes, its times moving as a dashboard's do, while rows come in.

    Times count from when rows have come in for two minutes: from then on there are always as many to look at.
    """
    client, times = server.client, []
    producer, before_rows = flowing(server, rate, LIVE_WINDOW_S + seconds)
    began = time.monotonic()
    while producer.poll() is None:
        sql = newest_places(server.dialect, int(time.time() * 1000) - LIVE_WINDOW_S * 1000)
        took_ms = timed_ms(server.prepared(sql))
        if time.monotonic() - began > LIVE_WINDOW_S:
            times.append(took_ms / 1000)
        time.sleep(0.01)
    sent = report_of(producer)
    rows = before_rows + sent["rows"]
    behind = rows - client.count("EVENTS_GEO")
    until("all fresh rows", lambda: client.count("EVENTS_GEO") == rows, 600)
    steady_s = (sent["last_ms"] - sent["first_ms"]) / 1000
    return {**summary(times), "rows_per_s": round(sent["rows"] / steady_s), "rows_behind": behind}


def flowing(server: Server, rate: int, seconds: int) -> tuple[subprocess.Popen[bytes], int]:
    """A producer whose rows are coming in, and how many rows there were before: those with which the server began to read."""
    client = server.client
    server.kafka.fresh_topic("EVENTS_GEO")
    post(server, specification("events_geo"))
    rows = report_of(stamping(server.kafka, 10, 1))["rows"]
    until("the first rows", lambda: client.count("EVENTS_GEO") == rows, 180)
    producer = stamping(server.kafka, rate, seconds)
    until("the first fresh row", lambda: client.count("EVENTS_GEO") > rows, 60)
    return producer, rows


def kafka_alone(kafka: Kafka, rate: int, seconds: int) -> dict[str, float]:
    """The same without a store: producer's stamp to the hands of a plain consumer. What freshness cannot beat."""
    kafka.fresh_topic("EVENTS_GEO")
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": "alone", "fetch.wait.max.ms": 10})
    consumer.assign([TopicPartition("EVENTS_GEO", 0, 0)])
    producer = stamping(kafka, rate, seconds)
    received_ms, newest = [], []
    while producer.poll() is None:
        if messages := consumer.consume(5000, 0.002):
            received_ms.append(time.time() * 1000)
            newest.append(messages[-1].value()[-26:-3].decode())
    consumer.close()
    newest_ms = np.array(newest, dtype="datetime64[ms]").astype(np.int64).tolist()
    return delays(received_ms, newest_ms, report_of(producer), seconds)


def stamping(kafka: Kafka, rate: int, seconds: int) -> subprocess.Popen[bytes]:
    here = Path(__file__).resolve().parent
    command = [sys.executable, str(here / "stamping.py"), kafka.address, str(rate), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(here.parent)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)


def report_of(producer: subprocess.Popen[bytes]) -> dict[str, int]:
    assert producer.stdout
    return dict(json.loads(producer.stdout.read()))


def delays(seen_ms: list[float], newest_ms: list[int], sent: dict[str, int], seconds: int) -> dict[str, float]:
    """For every stamp, the first sight that is not before it."""
    seen, newest = np.array(seen_ms), np.maximum.accumulate(np.array(newest_ms))
    # A third is left out: the broker has just started and is slow at first. The last rows may be seen after the loop.
    stamps = np.arange(sent["first_ms"] + seconds * 333, sent["last_ms"] - 200)
    at = np.searchsorted(newest, stamps)
    waited = seen[at[at < len(seen)]] - stamps[at < len(seen)]
    return {
        "rows_per_s": round(sent["rows"] / (sent["last_ms"] - sent["first_ms"]) * 1000),
        "p50_ms": round(float(np.percentile(waited, 50)), 2),
        "p99_ms": round(float(np.percentile(waited, 99)), 2),
        "max_ms": round(float(waited.max()), 2),
    }


def starts(server: Ovate, ready_query: str, times: int) -> dict[str, float]:
    """From starting the process to its first answer over HTTP, and its memory two seconds later."""
    took, memory = [], []
    for _ in range(times):
        took.append(server.start(ready_query))
        time.sleep(2)
        memory.append(memory_mib(server.pids()))
        server.stop()
    return {**summary(took), "rss_idle_mib": round(float(np.median(memory)), 1)}
