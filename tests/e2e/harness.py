"""Starts the real things: a Kafka broker, `ovate serve`, and a producer.

Environment: `OVATE_BIN` is the binary under test; `KAFKA_PORT` the port of the broker that `tests/components/kafka.sh`
starts (it is started here if it is not up).
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka import Producer

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
SPECS = ROOT / "src" / "demo" / "specs"
USER, PASSWORD = "druid_system", "password2"
KAFKA_PORT = os.environ.get("KAFKA_PORT", "19092")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, check: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Calls `check` until it gives something true; fails with what it gave last."""
    deadline = time.monotonic() + timeout_s
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (requests.RequestException, AssertionError) as error:
            last = error
        time.sleep(0.05)
    pytest.fail(f"waited {timeout_s} s for {what}; last: {last!r}")


class Server:
    """`ovate serve` on a folder and a port of its own."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary, self.folder = binary, folder
        hashing = subprocess.run([binary, "hash-password"], input=PASSWORD.encode(), capture_output=True, check=True)
        self.password_hash = hashing.stdout.decode().strip()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            self.binary, "serve", "--data", str(self.folder), "--listen", f"127.0.0.1:{self.port}",
            "--broker-map", f"kafka_broker:29092=127.0.0.1:{KAFKA_PORT}",
            "--user", f"{USER}={self.password_hash}",
        ]  # fmt: skip
        log = (self.folder.parent / "ovate.log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for("the server", lambda: requests.get(f"{self.url}/status/health", timeout=2).ok, 30)

    def kill(self) -> None:
        """Pulls the plug."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def post(self, path: str, body: Any) -> requests.Response:
        return requests.post(f"{self.url}{path}", json=body, auth=(USER, PASSWORD), timeout=30)

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}{path}", auth=(USER, PASSWORD), timeout=30)
        answer.raise_for_status()
        return answer.json()

    def sql(self, query: str, **more: Any) -> list[Any]:
        answer = self.post("/druid/v2/sql", {"query": query, **more})
        assert answer.ok, answer.text
        return list(answer.json())

    def count(self, table: str) -> int:
        return int(self.sql(f'SELECT COUNT(*) AS n FROM "{table}"')[0]["n"])

    def wait_for_rows(self, table: str, rows: int, timeout_s: float = 60) -> None:
        wait_for(f"{rows} rows in {table}", lambda: self.count(table) >= rows, timeout_s)
        time.sleep(0.3)
        assert self.count(table) == rows

    def post_specifications(self) -> None:
        """The three of the case study, unmodified."""
        for name in ("devices", "events_geo", "alerts"):
            spec = json.loads((SPECS / f"{name}_ingestion.json").read_text())
            answer = self.post("/druid/indexer/v1/supervisor", spec)
            assert answer.json() == {"id": spec["spec"]["dataSchema"]["dataSource"]}


def lines(name: str) -> list[str]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def produce(topic: str, messages: list[str] | list[bytes], keys: list[str] | None = None) -> None:
    producer = Producer({
        "bootstrap.servers": f"127.0.0.1:{KAFKA_PORT}", "linger.ms": 5, "partitioner": "murmur2_random",
    })  # fmt: skip
    for message, key in zip(messages, keys or [None] * len(messages), strict=True):
        while True:
            try:
                producer.produce(topic, message, key)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0


@pytest.fixture(scope="session")
def kafka() -> Iterator[None]:
    script = str(ROOT / "tests" / "components" / "kafka.sh")
    subprocess.run([script, "wipe"], check=True)
    subprocess.run([script, "up"], check=True)
    yield
    subprocess.run([script, "down"], check=True)


@pytest.fixture(scope="session")
def binary() -> str:
    return os.environ.get("OVATE_BIN", str(ROOT / "target" / "debug" / "ovate"))
