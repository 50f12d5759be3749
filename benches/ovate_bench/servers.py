"""The systems that read Kafka and answer Druid's SQL over HTTP: `ovate serve` and Druid itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .client import Client, unchunk, until
from .components import ROOT, SCRIPTS, Kafka, free_port
from .dialects import DRUID

CACHES = ("useCache", "populateCache", "useResultLevelCache", "populateResultLevelCache")


class Server:
    """Asked over one kept connection."""

    name, title, dialect = "", "", DRUID

    def __init__(self, url: str, kafka: Kafka) -> None:
        self.url, self.kafka, self.cached = url, kafka, False
        self.client = Client(url)

    def body(self, sql: str) -> dict[str, Any]:
        """Caches off by context, or as the server is configured."""
        return {"query": sql, "context": {} if self.cached else dict.fromkeys(CACHES, False)}

    def rows(self, sql: str) -> list[Any]:
        return self.client.sql(sql)

    def prepared(self, sql: str) -> Callable[[], object]:
        return self.client.prepared(self.client.prepare("POST", "/druid/v2/sql", self.body(sql)))


class Ovate(Server):
    """`ovate serve` on a folder and a port of its own."""

    name, title, dialect = "ovate", "Ovate", DRUID

    def __init__(self, binary: str, folder: Path, kafka: Kafka) -> None:
        super().__init__(f"http://127.0.0.1:{free_port()}", kafka)
        self.binary, self.folder = binary, folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, ready_query: str = "SELECT 1", cores: set[int] | None = None) -> float:
        """Gives the seconds from starting the process to the answer of `ready_query`."""
        confined = ["taskset", "--cpu-list", ",".join(map(str, cores))] if cores else []
        command = [
            *confined, self.binary, "serve", "--data", str(self.folder), "--listen", self.url.removeprefix("http://"),
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
        self.client.close()
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

    def inside(self) -> tuple[float, int]:
        """Seconds that the server itself counted from a statement's head to its answer's first byte, and statements."""
        status, page, is_chunked = self.client.exchange(self.client.prepare("GET", "/metrics"))
        lines = (unchunk(page) if is_chunked else page).decode().splitlines() if status == 200 else []
        found = {"sum": 0.0, "count": 0.0}
        for line in lines:
            for end in found:
                if line.startswith(f"ovate_http_first_byte_seconds_{end}{{") and 'service="sql"' in line:
                    found[end] = float(line.rsplit(" ", 1)[1])
        return found["sum"], int(found["count"])

    def publish(self, datasource: str) -> float:
        """Suspends the supervisor, which publishes what is hot; gives the seconds until no row is hot any more."""
        began = time.monotonic()
        self.client.call("POST", f"/druid/indexer/v1/supervisor/{datasource}/suspend", {})
        hot = f"SELECT COUNT(*) AS n FROM sys.segments WHERE datasource = '{datasource}' AND is_realtime = 1"
        until("the rows to be published", lambda: self.client.sql(hot)[0]["n"] == 0, 900)
        return time.monotonic() - began


class Druid(Server):
    """Real Druid from its Maven artefacts; asked at its broker, without the hop over the router, caches off."""

    name, title, dialect = "druid", "Druid", DRUID

    def __init__(self, folder: Path, kafka: Kafka) -> None:
        base = int(os.environ.get("DRUID_PORT_BASE", "28181"))
        router = os.environ.get("DRUID_PORT", "28888")
        self.environment = {
            **os.environ,
            "DRUID_DIR": os.environ.get("DRUID_DIR", str(folder)),
            "DRUID_PORT": router,
            "DRUID_PORT_BASE": str(base),
        }
        super().__init__(f"http://127.0.0.1:{base + 3}", kafka)
        self.router = f"http://127.0.0.1:{router}"

    def run(self, command: str) -> str:
        script = [SCRIPTS / "druid.sh", command]
        return subprocess.run(script, env=self.environment, check=True, capture_output=True, text=True).stdout

    def start(self) -> float:
        self.run("wipe")
        began = time.monotonic()
        self.run("up")
        return time.monotonic() - began

    def stop(self) -> None:
        self.client.close()
        self.run("down")

    def pids(self) -> list[int]:
        return [int(line.split()[1]) for line in self.run("pids").splitlines()]

    def version(self) -> str:
        return f"Apache Druid {Client(self.router).call('GET', '/status')['version']}"

    def size_bytes(self, datasource: str) -> int:
        sql = f"SELECT SUM(\"size\") AS n FROM sys.segments WHERE datasource = '{datasource}' AND is_active = 1"
        return int(Client(self.url).sql(sql)[0]["n"])

    def publish(self, datasource: str) -> float:
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
