"""The processes that take part: a Kafka broker, `ovate serve`, Druid; and what the operating system says of them."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from .client import Client, until

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests" / "components"
SPECS = ROOT / "src" / "demo" / "specs"


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
        "kernel": platform.release(),
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

    def produce(self, topic: str, messages: Iterable[bytes]) -> float:
        """Gives the seconds it took; they are the producer's, not a measurement of the store."""
        self.fresh_topic(topic)
        producer = Producer(
            {
                "bootstrap.servers": self.address,
                "linger.ms": 50,
                "batch.size": 1_000_000,
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


class Ovate:
    """`ovate serve` on a folder and a port of its own."""

    name = "ovate"

    def __init__(self, binary: str, folder: Path, kafka: Kafka) -> None:
        self.binary, self.folder, self.kafka = binary, folder, kafka
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, ready_query: str = "SELECT 1") -> float:
        """Gives the seconds from starting the process to the answer of `ready_query`."""
        command = [
            self.binary, "serve", "--data", str(self.folder), "--listen", self.url.removeprefix("http://"),
            "--broker-map", f"kafka_broker:29092={self.kafka.address}", "--hot-memory-mib", "4096", "--log", "warn",
        ]  # fmt: skip
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        client = Client(self.url)
        with (self.folder.parent / "ovate.log").open("ab") as log:
            began = time.perf_counter()
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
            request = client.prepare("POST", "/druid/v2/sql", {"query": ready_query})
            while True:
                try:
                    status, body, _ = client.exchange(request)
                    if status == 200:
                        break
                    raise RuntimeError(f"{ready_query}: {status} {body[:300]!r}")
                except OSError:
                    if self.process.poll() is not None or time.perf_counter() - began > 120:
                        raise RuntimeError(f"the server did not start; see {log.name}") from None
                    time.sleep(0.0005)
            took = time.perf_counter() - began
        client.close()
        return took

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(300)
            self.process = None

    def pids(self) -> list[int]:
        return [self.process.pid] if self.process else []

    def version(self) -> str:
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
        said = subprocess.run([self.binary, "--version"], capture_output=True, text=True).stdout.strip()
        return f"{said}, tree {commit.stdout.strip() or 'unknown'}"

    def size_bytes(self, _datasource: str) -> int:
        return sum(file.stat().st_size for file in (self.folder / "segments").rglob("*") if file.is_file())

    def publish(self, client: Client, datasource: str) -> float:
        """Suspends the supervisor, which publishes what is hot; gives the seconds until no row is hot any more."""
        began = time.monotonic()
        client.call("POST", f"/druid/indexer/v1/supervisor/{datasource}/suspend", {})
        hot = f"SELECT COUNT(*) AS n FROM sys.segments WHERE datasource = '{datasource}' AND is_realtime = 1"
        until("the rows to be published", lambda: client.sql(hot)[0]["n"] == 0, 900)
        return time.monotonic() - began


class Druid:
    """Real Druid from its Maven artefacts; asked at its broker, without the hop over the router, caches off."""

    name = "druid"

    def __init__(self, folder: Path, kafka: Kafka) -> None:
        base = int(os.environ.get("DRUID_PORT_BASE", "28181"))
        router = os.environ.get("DRUID_PORT", "28888")
        self.environment = {
            **os.environ,
            "DRUID_DIR": os.environ.get("DRUID_DIR", str(folder)),
            "DRUID_PORT": router,
            "DRUID_PORT_BASE": str(base),
        }
        self.kafka = kafka
        self.url, self.router = f"http://127.0.0.1:{base + 3}", f"http://127.0.0.1:{router}"

    def run(self, command: str) -> str:
        script = [SCRIPTS / "druid.sh", command]
        return subprocess.run(script, env=self.environment, check=True, capture_output=True, text=True).stdout

    def start(self) -> float:
        self.run("wipe")
        began = time.monotonic()
        self.run("up")
        return time.monotonic() - began

    def stop(self) -> None:
        self.run("down")

    def pids(self) -> list[int]:
        return [int(line.split()[1]) for line in self.run("pids").splitlines()]

    def version(self) -> str:
        return f"Apache Druid {Client(self.router).call('GET', '/status')['version']}"

    def size_bytes(self, datasource: str) -> int:
        sql = f"SELECT SUM(\"size\") AS n FROM sys.segments WHERE datasource = '{datasource}' AND is_active = 1"
        return int(Client(self.url).sql(sql)[0]["n"])

    def publish(self, client: Client, datasource: str) -> float:
        """Until every segment is served by the historical and the task has gone."""
        began = time.monotonic()
        Client(self.router).call("POST", f"/druid/indexer/v1/supervisor/{datasource}/suspend", {})
        sql = (
            "SELECT COUNT(*) FILTER (WHERE is_realtime = 1) AS hot, COUNT(*) FILTER (WHERE is_available = 1) AS sealed "
            f"FROM sys.segments WHERE datasource = '{datasource}' AND is_active = 1"
        )
        router = Client(self.router)
        tasks = f"SELECT task_id FROM sys.tasks WHERE datasource = '{datasource}' AND status = 'RUNNING'"

        def handed_off() -> bool:
            row = router.sql(sql)[0]
            return row["hot"] == 0 and row["sealed"] > 0 and not router.sql(tasks)

        until("Druid's hand-off", handed_off, 1800, 1)
        return time.monotonic() - began
