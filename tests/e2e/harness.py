"""Starts the real things: a Kafka broker, `ovate serve`, and a producer.

Environment: `OVATE_BIN` is the binary under test; `KAFKA_PORT` the port of the broker that `tests/components/kafka.sh`
starts. The four ports after it are taken as well: its controller, its other listeners, and the proxy before one.
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
BOOTSTRAP = f"127.0.0.1:{KAFKA_PORT}"
# What the proxy listens on, what the broker listens on behind it, and where it asks for a password.
PROXY_PORT, PROXIED_PORT, SASL_PORT = (int(KAFKA_PORT) + n for n in (2, 3, 4))
SASL_USER, SASL_PASSWORD = "reader", "correct-horse"
KAFKA_ENVIRONMENT = {
    **os.environ,
    "KAFKA_PORT": KAFKA_PORT,
    "KAFKA_PROXIED": f"{PROXIED_PORT}:{PROXY_PORT}",
    "KAFKA_SASL": f"{SASL_PORT}:{SASL_USER}:{SASL_PASSWORD}",
}
# What tests have measured, shown at the end of the run whether or not they passed.
FIGURES: list[str] = []


def figure(text: str) -> None:
    FIGURES.append(text)


def broker(command: str) -> None:
    script = str(ROOT / "tests" / "components" / "kafka.sh")
    subprocess.run([script, command], check=True, env=KAFKA_ENVIRONMENT)


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
    """`ovate serve` on a folder and a port of its own. With `open`, anybody may ask, which is quicker to answer."""

    def __init__(
        self, binary: str, folder: Path, *flags: str, open: bool = False, broker_port: int = int(KAFKA_PORT)
    ) -> None:
        self.binary, self.folder = binary, folder
        self.flags = [*flags, "--broker-map", f"kafka_broker:29092=127.0.0.1:{broker_port}"]
        if not open:
            command = [binary, "hash-password"]
            hashing = subprocess.run(command, input=PASSWORD.encode(), capture_output=True, check=True)
            self.flags += ["--user", f"{USER}={hashing.stdout.decode().strip()}"]
        self.log = folder.parent / "ovate.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, **environment: str) -> None:
        """Starts the process and does not wait for it."""
        command = [self.binary, "serve", "--data", str(self.folder), "--listen", f"127.0.0.1:{self.port}", *self.flags]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})

    def start(self) -> None:
        self.launch()
        wait_for("the server", self.answers, 30)

    def answers(self) -> bool:
        """Whether it serves; whether it is healthy is another question, and takes no password to ask."""
        assert not self.has_ended(), f"the server has ended, see {self.log}"
        return requests.get(f"{self.url}/status/health", timeout=2).status_code in (200, 503)

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

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
    broker("wipe")
    broker("up")
    yield
    broker("down")


@pytest.fixture(scope="session")
def binary() -> str:
    return os.environ.get("OVATE_BIN", str(ROOT / "target" / "debug" / "ovate"))
