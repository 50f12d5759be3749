"""The Kafka broker that takes part, and what the operating system says of it all."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from .client import until

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests" / "components"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pids: Iterable[int]) -> float:
    """Processor seconds of these processes so far, from the scheduler's nanosecond counters of every thread.

    Threads that have ended are missing there, so the coarser total of /proc/PID/stat is a lower bound.
    """
    total = 0.0
    tick = os.sysconf("SC_CLK_TCK")
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = (int(fields[11]) + int(fields[12])) / tick
        nanoseconds = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                nanoseconds += int((task / "schedstat").read_text().split()[0])
            except OSError:
                continue  # it has just ended
        total += max(ticks, nanoseconds / 1e9)
    return total


def memory_mib(pids: Iterable[int], field: str = "VmRSS") -> float:
    """`VmRSS`: resident now; `VmHWM`: the most there ever was."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1])
    return total / 1024


def machine() -> dict[str, object]:
    processor = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30, 1),
        "kernel": platform.release().split("-")[0],
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


class Kafka:
    """A real broker of its own: other data and other ports than those of the tests."""

    def __init__(self, folder: Path) -> None:
        port = int(os.environ.get("KAFKA_PORT", "29192"))
        self.address = f"127.0.0.1:{port}"
        self.environment = {**os.environ, "KAFKA_DIR": os.environ.get("KAFKA_DIR", str(folder)), "KAFKA_PORT": str(port)}

    def run(self, command: str) -> None:
        subprocess.run([SCRIPTS / "kafka.sh", command], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        self.run("wipe")
        self.run("up")

    def fresh_topic(self, topic: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        if topic in admin.list_topics(timeout=20).topics:
            admin.delete_topics([topic])[topic].result(30)
            until("the topic to go", lambda: topic not in admin.list_topics(timeout=20).topics, 30, 0.2)
        admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])[topic].result(30)

    def produce(self, topic: str, messages: Iterable[bytes], compression: str = "none") -> float:
        """Gives the seconds it took; they are the producer's, not a measurement of the store."""
        self.fresh_topic(topic)
        producer = Producer(
            {
                "bootstrap.servers": self.address,
                "linger.ms": 50,
                "batch.size": 1_000_000,
                "compression.type": compression,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        began = time.monotonic()
        for message in messages:
            while True:
                try:
                    producer.produce(topic, message)
                    break
                except BufferError:
                    producer.poll(0.05)
        if producer.flush(120) != 0:
            raise TimeoutError(f"the broker did not take all messages of {topic}")
        return time.monotonic() - began
