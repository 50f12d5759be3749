"""Many clients at once: wrk where it is installed, since a client in Python would itself be what is measured.

Run as a program it is that other client: `crowd.py URL CLIENTS SECONDS < requests as JSON`.
"""

from __future__ import annotations

import json
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ovate_bench.client import is_complete
from ovate_bench.components import cpu_s

SCRIPT = """
local bodies, at = {%s}, 0
request = function()
  at = at %% #bodies + 1
  return wrk.format("POST", "/druid/v2/sql", {["Content-Type"] = "application/json"}, bodies[at])
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"answers": %%d, "errors": %%d, "us": %%d, "p50_us": %%d, "p99_us": %%d}\\n', summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.duration, latency:percentile(50), latency:percentile(99)))
end
"""


def answers(url: str, bodies: list[str], clients: int, seconds: int, pids: Iterable[int]) -> dict[str, Any]:
    """Answers per second, and how much of the processors the clients took of it."""
    pids = list(pids)
    before_cpu_s, before = cpu_s(pids), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    found = by_wrk(url, bodies, clients, seconds) if shutil.which("wrk") else by_python(url, bodies, clients, seconds)
    took_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if found["errors"]:
        raise RuntimeError(f"{found['errors']} of {found['answers']} answers of {url} were errors")
    client_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "answers_per_s": round(found["answers"] / found["us"] * 1e6),
        "p50_ms": round(found["p50_us"] / 1000, 3),
        "p99_ms": round(found["p99_us"] / 1000, 3),
        "clients": clients,
        "client": "wrk" if shutil.which("wrk") else "Python",
        "client_cores": round(client_s / took_s, 2),
        "server_cores": round((cpu_s(pids) - before_cpu_s) / took_s, 2),
    }


def by_wrk(url: str, bodies: list[str], clients: int, seconds: int) -> dict[str, int]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % ", ".join(json.dumps(body) for body in bodies))
        script.flush()
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", script.name, url]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


def by_python(url: str, bodies: list[str], clients: int, seconds: int) -> dict[str, int]:
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, __file__, url, str(clients), str(seconds)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, input=json.dumps(bodies), env=environment)
    return dict(json.loads(said.stdout))


def ask(url: str, bodies: list[str], clients: int, seconds: int) -> dict[str, int]:
    """One thread, a kept connection per client; each sends its next request when its answer is whole."""
    parts = urlsplit(url)
    head = "POST /druid/v2/sql HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    requests = [(head.format(parts.netloc, len(body.encode())) + body).encode() for body in bodies]
    waiting, times, errors = selectors.DefaultSelector(), [], 0
    for number in range(clients):
        connection = socket.create_connection((parts.hostname, parts.port))
        waiting.register(connection, selectors.EVENT_READ, state := [number, time.perf_counter(), bytearray()])
        connection.sendall(requests[state[0] % len(requests)])
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        for key, _ in waiting.select(1):
            state, connection = key.data, key.fileobj
            received = connection.recv(1 << 18)
            if not received:
                raise ConnectionResetError("closed by the server")
            state[2] += received
            if whole(state[2]):
                errors += not state[2].startswith(b"HTTP/1.1 200")
                now = time.perf_counter()
                times.append(now - state[1])
                state[:] = state[0] + 1, now, bytearray()
                connection.sendall(requests[state[0] % len(requests)])
    times.sort()
    return {
        "answers": len(times), "errors": errors, "us": round((now - began) * 1e6),
        "p50_us": round(times[len(times) // 2] * 1e6), "p99_us": round(times[len(times) * 99 // 100] * 1e6),
    }  # fmt: skip


def whole(answer: bytearray) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(answer[:end]).lower()
    at = head.find(b"content-length:")
    return len(answer) - end - 4 >= int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else is_complete(answer)


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], json.load(sys.stdin), int(sys.argv[2]), int(sys.argv[3]))))
