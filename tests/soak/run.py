#!/usr/bin/env python3
"""Hours of the whole thing: rows into Kafka, dashboards asking, the process killed now and then, and every row counted.

    tests/soak/run.py --minutes 30                     a soak: 10,000 rows a second, 20 dashboards
    tests/soak/run.py --minutes 20 --kills 1000        a thousand `kill -9`

Takes the packages of `tests/e2e/requirements.txt`, a broker that `tests/components/kafka.sh` starts on `KAFKA_PORT`, and the
binary at `OVATE_BIN` (`target/release/ovate` unless it is set). The last line says what came of it; the exit code is 1
if a row was lost or doubled, if a question failed while the process was up, or if it ended by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OVATE_BIN", str(Path(__file__).resolve().parents[2] / "target" / "release" / "ovate"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import requests  # noqa: E402
from exactly_once import Ids, create_topic, post, spec, status  # noqa: E402
from harness import Server, broker, wait_for  # noqa: E402

TOPIC, PARTITIONS, DEVICES = "SOAK", 4, 1_000
# Ids are counted in blocks: telling millions apart at once would measure that.
BLOCK = 1_000_000
DASHBOARD = (
    f"SELECT device, COUNT(*) AS n, SUM(amount) AS s FROM {TOPIC} "
    "WHERE __time >= CURRENT_TIMESTAMP - INTERVAL '2' MINUTE GROUP BY 1 ORDER BY 2 DESC LIMIT 100",
    f"SELECT TIME_FLOOR(__time, 'PT1M') AS t, city, COUNT(*) AS n FROM {TOPIC} "
    "WHERE __time >= CURRENT_TIMESTAMP - INTERVAL '30' MINUTE GROUP BY 1, 2 ORDER BY 1",
    f"SELECT COUNT(*) AS n FROM {TOPIC} WHERE city = 'Zürich' AND __time >= CURRENT_TIMESTAMP - INTERVAL '2' MINUTE",
    f"SELECT __time, device, id FROM {TOPIC} ORDER BY __time DESC LIMIT 20",
)
CITIES = ("Zürich", "Bern", "Genève", "Basel", "Lugano")


class Rows(Ids):
    """Rows that happen now. Only their number is kept: there may be a hundred million."""

    def __init__(self) -> None:
        super().__init__(TOPIC, PARTITIONS, **{"linger.ms": 20, "compression.type": "lz4"})
        self.delivered = 0

    def produce_one(self, number: int, key: str | None = None) -> None:
        row = {
            "t": int(time.time() * 1_000), "id": number, "device": f"device {number * 7_919 % DEVICES}",
            "city": CITIES[number % len(CITIES)], "amount": number % 97,
        }  # fmt: skip
        while True:
            try:
                partition = number % PARTITIONS
                return self.producer.produce(TOPIC, json.dumps(row), partition=partition, on_delivery=self.done)
            except BufferError:
                self.producer.poll(0.1)

    def done(self, error: Any, _: Any) -> None:
        if error:
            self.failed.append(str(error))
        else:
            self.delivered += 1


class Dashboards:
    """Clients that ask all charts, a second after they have got the last."""

    def __init__(self, server: Server, clients: int) -> None:
        self.server, self.took_ms, self.failures = server, [], []
        self.is_down, self.kills = threading.Event(), 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def run(self, number: int) -> None:
        session = requests.Session()
        self._stop.wait(number / 20)
        while not self._stop.is_set():
            for query in DASHBOARD:
                began, kills = time.monotonic(), self.kills
                try:
                    answer = session.post(f"{self.server.url}/druid/v2/sql", json={"query": query}, timeout=60)
                    if not answer.ok:
                        raise requests.RequestException(answer.text)
                    self.took_ms.append((time.monotonic() - began) * 1_000)
                except requests.RequestException as error:
                    # It was killed while it answered, or has not come back: that is not its fault.
                    if not self.is_down.is_set() and self.kills == kills:
                        self.failures.append(str(error))
                    self._stop.wait(0.2)
            self._stop.wait(1)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(70)


class Watch:
    """Memory, lag and segments, every few seconds."""

    def __init__(self, server: Server) -> None:
        self.server, self.rss_mib, self.own_mib, self.lag = server, [], [], []

    def look(self) -> str:
        self.rss_mib.append(resident_mib(self.server, "VmRSS"))
        # The rest are segments where they are mapped, which the system takes back when it needs the room.
        self.own_mib.append(resident_mib(self.server, "RssAnon"))
        self.lag.append(status(self.server, TOPIC)["aggregateLag"])
        segments = self.server.sql("SELECT COUNT(*) AS n FROM sys.segments WHERE is_published = 1")[0]["n"]
        return f"{self.rss_mib[-1]:.0f} MiB ({self.own_mib[-1]:.0f} its own), lag {self.lag[-1]}, {segments} segments"


def resident_mib(server: Server, kind: str) -> float:
    assert server.process
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(f"{kind}:")).split()[1]) / 1024


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def lost_and_doubled(server: Server, rows: int) -> tuple[int, int]:
    lost = doubled = 0
    for first in range(0, rows, BLOCK):
        expected = min(BLOCK, rows - first)
        counts = server.sql(
            f"SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d FROM {TOPIC} WHERE id >= {first} AND id < {first + BLOCK}"
        )[0]
        lost += expected - counts["d"]
        doubled += counts["n"] - counts["d"]
    return lost, doubled


def specification(segment_rows_max: int) -> dict[str, Any]:
    made = spec(TOPIC, maxRowsPerSegment=segment_rows_max)
    made["spec"]["dataSchema"]["dimensionsSpec"]["dimensions"] = [
        {"type": "long", "name": "id"}, "device", "city", {"type": "long", "name": "amount"},
    ]  # fmt: skip
    return made


def soak(options: argparse.Namespace, server: Server) -> int:
    chance = random.Random(options.seed)
    server.start()
    create_topic(TOPIC, PARTITIONS)
    # Kills are to hit publishes: there is one every half second then.
    post(server, specification(options.rate // 2 if options.kills else 250_000))
    rows = Rows()
    rows.start(options.rate)
    wait_for("the first rows", lambda: server.count(TOPIC) > 0)
    dashboards, watch = Dashboards(server, options.clients), Watch(server)
    began = time.monotonic()
    end = began + options.minutes * 60
    kills = sorted(chance.uniform(began + 1, end) for _ in range(options.kills))
    killed, restarts_ms = 0, []
    next_look = began + options.warm_up
    while (now := time.monotonic()) < end:
        if server.has_ended():
            print(f"the process has ended by itself, see {server.log}")
            return 1
        if killed < len(kills) and kills[killed] <= now:
            killed += 1
            dashboards.is_down.set()
            dashboards.kills += 1
            server.kill()
            again = time.monotonic()
            server.start()
            server.count(TOPIC)
            restarts_ms.append((time.monotonic() - again) * 1_000)
            dashboards.is_down.clear()
        elif next_look <= now:
            next_look += options.every
            print(f"{(now - began) / 60:6.1f} min: {rows.delivered} rows, {watch.look()}", flush=True)
        else:
            time.sleep(0.01)
    dashboards.stop()
    rows.stop()
    wait_for("all rows", lambda: server.count(TOPIC) >= rows.next and status(server, TOPIC)["aggregateLag"] == 0, 300)
    watch.look()
    lost, doubled = lost_and_doubled(server, rows.next)
    clean = server.stop() == 0
    took = dashboards.took_ms
    summary = {
        "minutes": options.minutes,
        "rows": rows.next,
        "rows_a_second": round(rows.next / (options.minutes * 60)),
        "lost": lost,
        "doubled": doubled,
        "dashboards": options.clients,
        "answers": len(took),
        "failures": len(dashboards.failures),
        "answer_p50_ms": round(percentile(took, 50), 1),
        "answer_p99_ms": round(percentile(took, 99), 1),
        "answer_max_ms": round(max(took, default=0)),
        "lag_p50": percentile(watch.lag, 50),
        "lag_p99": percentile(watch.lag, 99),
        "lag_max": max(watch.lag),
        "rss_start_mib": round(watch.rss_mib[0]),
        "rss_end_mib": round(watch.rss_mib[-1]),
        "rss_max_mib": round(max(watch.rss_mib)),
        "rss_own_start_mib": round(watch.own_mib[0]),
        "rss_own_end_mib": round(watch.own_mib[-1]),
        "rss_own_max_mib": round(max(watch.own_mib)),
        "kills": killed,
        "restart_median_ms": round(statistics.median(restarts_ms)) if restarts_ms else None,
        "restart_max_ms": round(max(restarts_ms)) if restarts_ms else None,
        "stopped_cleanly": clean,
        "seed": options.seed,
    }
    for failure in dashboards.failures[:5]:
        print(f"failed: {failure}")
    print(json.dumps(summary))
    return 1 if lost or doubled or dashboards.failures or not clean else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=10_000, help="rows a second [10000]")
    parser.add_argument("--clients", type=int, default=20, help="dashboards [20]")
    parser.add_argument("--kills", type=int, default=0, help="kill -9 at random moments [0]")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--every", type=float, default=10, help="seconds between two looks [10]")
    parser.add_argument("--warm-up", type=float, default=30, help="seconds before the first look [30]")
    options = parser.parse_args()
    broker("wipe")
    broker("up")
    try:
        with tempfile.TemporaryDirectory(prefix="ovate-soak-") as folder:
            server = Server(os.environ["OVATE_BIN"], Path(folder) / "data", open=True)
            try:
                return soak(options, server)
            finally:
                if not server.has_ended():
                    server.kill()
    finally:
        broker("down")


if __name__ == "__main__":
    sys.exit(main())
