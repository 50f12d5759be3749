"""The server under test: `ovate demo` with a user, so that its tables are filled while Superset draws them."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "druid_system", "password2"
#: Events a second. The demonstration begins 150 seconds in the past: EVENTS_GEO soon has more than 100,000 rows.
RATE = 700


def wait_for(what: str, check: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Calls `check` until it gives something true; fails with what it gave last."""
    deadline = time.monotonic() + timeout_s
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except requests.ConnectionError as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"waited {timeout_s} s for {what}; last: {last!r}")


class Demo:
    """A server on a port that stays its own, so that it can go away and come back."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        hashed = subprocess.run([binary, "hash-password"], input=PASSWORD.encode(), capture_output=True, check=True)
        self._user = f"{USER}={hashed.stdout.decode().strip()}"
        self._log = Path(tempfile.gettempdir()) / f"ovate-superset-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def druid_uri(self) -> str:
        """What stock pydruid is told."""
        return f"druid://{USER}:{PASSWORD}@127.0.0.1:{self.port}/druid/v2/sql"

    @property
    def ovate_uri(self) -> str:
        """What our own dialect is told."""
        return f"ovate://{USER}:{PASSWORD}@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Starts it with nothing; returns when the past is there: all devices, 100,000 events and the first alerts."""
        command = [self.binary, "demo", "--listen", f"127.0.0.1:{self.port}", "--rate", str(RATE), "--user", self._user]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "RUST_BACKTRACE": "1"})

        def filled() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"the server ended: {self._log.read_text()[-2000:]}")
            counts = {table: self.value(f"SELECT COUNT(*) FROM {table}") for table in self._tables()}
            return (
                counts.get("DEVICES") == 1000 and counts.get("EVENTS_GEO", 0) > 100_100 and counts.get("ALERTS", 0) > 0
            )

        wait_for("the demonstration's past", filled, 120)

    def stop(self) -> None:
        """Ends it, as Ctrl+C does."""
        if self._process is not None:
            self._process.terminate()
            status = self._process.wait(120)
            self._process = None
            assert status == 0, self._log.read_text()[-2000:]
        self._log.unlink(missing_ok=True)

    def sql(self, query: str, **context: Any) -> list[list[Any]]:
        """Rows, asked directly: what Superset shows is held against these."""
        answer = requests.post(
            f"{self.url}/druid/v2/sql",
            json={"query": query, "resultFormat": "array", "context": context},
            auth=(USER, PASSWORD),
            timeout=60,
        )
        assert answer.ok, answer.text
        return list(answer.json())

    def value(self, query: str) -> Any:
        """The one value of a statement."""
        ((value,),) = self.sql(query)
        return value

    def _tables(self) -> list[str]:
        rows = self.sql("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'druid'")
        return [row[0] for row in rows]
