"""A real server for the tests: `ovate demo`, on a free port, with a folder of its own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any


class Server:
    """The demonstration: the tables DEVICES, EVENTS_GEO and ALERTS, filled by a broker it brings along."""

    def __init__(self, *options: str) -> None:
        binary = os.environ.get("OVATE_BIN", "")
        if not binary or not os.access(binary, os.X_OK):
            raise RuntimeError(f"OVATE_BIN must name the ovate binary to test against; it is {binary!r}")
        self.host, self.port = "127.0.0.1", _free_port()
        self.credentials: tuple[str, str] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="ovate-connector-"))
        self._log = (self._folder / "log").open("wb")
        command = [binary, "demo", "--listen", f"{self.host}:{self.port}", "--data", str(self._folder / "data")]
        self._process = subprocess.Popen([*command, *options], stdout=self._log, stderr=subprocess.STDOUT)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def wait(self, seconds: float = 60.0) -> None:
        """Until there are devices and events. Alerts need minutes to come up, so that nothing waits for them."""
        end = time.monotonic() + seconds
        counts = (
            "SELECT (SELECT COUNT(*) FROM EVENTS_GEO), (SELECT COUNT(*) FROM DEVICES), (SELECT COUNT(*) FROM ALERTS)"
        )
        rows: Any = None
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended: {(self._folder / 'log').read_text()[-2000:]}")
            try:
                rows = self.ask(counts)
                if rows[0][0] > 0 and rows[0][1] > 0:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"no rows within {seconds} seconds, but {rows}")

    def ask(self, sql: str) -> Any:
        """Rows, past the connector."""
        return self.send("POST", "/druid/v2/sql", {"query": sql, "resultFormat": "array"})

    def wait_for(self, sql: str, value: Any, seconds: float = 60.0) -> None:
        """Until that is the first value of the first row."""
        end = time.monotonic() + seconds
        while (rows := self.ask(sql))[0][0] != value:
            if time.monotonic() > end:
                raise RuntimeError(f"{sql} gives {rows}, and not {value} within {seconds} seconds")
            time.sleep(0.1)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Any request with a body in JSON, past the connector."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        if self.credentials is not None:
            basic = base64.b64encode(":".join(self.credentials).encode()).decode()
            request.add_header("Authorization", f"Basic {basic}")
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
