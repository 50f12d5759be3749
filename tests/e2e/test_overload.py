"""More than there is: ten times the queries that are let in, and a grouping that no memory holds. It says so, and is calm."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from harness import Server, figure, wait_for

RUNNING, WAITING = 8, 8
AT_ONCE = 10 * (RUNNING + WAITING)
MEMORY_MIB = 512
CALM_S = 10
# Keys of a thousand bytes: the memory is full after the first few hundred thousand.
TEN_MILLION_GROUPS = """
    SELECT COUNT(*) AS n FROM (
        SELECT a.x || b.x || c.x || d.x || REPEAT('-', 1000) AS k, COUNT(*)
        FROM T100 a CROSS JOIN T100 b CROSS JOIN T100 c CROSS JOIN T10 d GROUP BY 1)
"""


def numbers(count: int) -> str:
    return ", ".join(f"('{number:03}')" for number in range(count))


def with_tables(statement: str) -> str:
    tables = ", ".join(f"T{count}(x) AS (SELECT * FROM (VALUES {numbers(count)}) AS v(x))" for count in (10, 100))
    return f"WITH {tables} {statement}"


def resident_mib(server: Server) -> float:
    assert server.process
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def ask(server: Server, query: str) -> requests.Response:
    return requests.post(f"{server.url}/druid/v2/sql", json={"query": query}, timeout=120)


def answers(server: Server) -> bool:
    return bool(ask(server, "SELECT 1 AS one").json() == [{"one": 1}])


def is_quick(server: Server) -> bool:
    began = time.monotonic()
    return answers(server) and time.monotonic() - began < 1


def assert_calm(server: Server, before_mib: float) -> float:
    """Answers at once, and has given its memory back; how long that took."""
    began = time.monotonic()
    wait_for("a quick answer", lambda: is_quick(server), CALM_S)
    # The allocator gives memory back when the threads that have used it work again.
    wait_for("its memory", lambda: answers(server) and resident_mib(server) < before_mib + MEMORY_MIB / 2, CALM_S)
    return time.monotonic() - began


def test_ten_times_the_queries_are_answered_or_refused(make_server: Callable[..., Server]) -> None:
    server = make_server("crowd", "--queries-running-max", str(RUNNING), "--queries-waiting-max", str(WAITING))
    server.start()
    assert is_quick(server)
    before = resident_mib(server)
    query = with_tables("SELECT COUNT(DISTINCT a.x || b.x || d.x) AS n FROM T100 a CROSS JOIN T100 b CROSS JOIN T10 d")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: ask(server, query), range(AT_ONCE)))
    calm = assert_calm(server, before)
    counts = Counter(answer.status_code for answer in answers)
    assert counts.keys() == {200, 429}, counts
    assert counts[200] >= RUNNING + WAITING, counts
    for answer in answers:
        if answer.status_code == 200:
            assert answer.json() == [{"n": 100_000}]
        else:
            assert answer.headers["Retry-After"] and "queries_waiting_max" in answer.text, answer.text
    figure(f"overload: {AT_ONCE} queries where {RUNNING + WAITING} are let in: {dict(counts)}, calm after {calm:.1f} s")
    assert server.stop() == 0


def test_ten_million_groups_end_by_a_limit_and_disturb_nobody(make_server: Callable[..., Server]) -> None:
    server = make_server("groups", "--query-memory-mib", str(MEMORY_MIB), "--query-spill-mib", "64")
    server.start()
    assert is_quick(server)
    before = resident_mib(server)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server, with_tables(TEN_MILLION_GROUPS))
        most = before
        while not answer.done():
            assert answers(server), "others are answered meanwhile"
            most = max(most, resident_mib(server))
            time.sleep(0.2)
    took = time.monotonic() - began
    refused = answer.result()
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"] == "Resource limit exceeded", refused.text
    assert any(limit in refused.text for limit in ("query_memory_mib", "query_spill_mib")), refused.text
    calm = assert_calm(server, before)
    assert most < before + 2 * MEMORY_MIB, most
    figure(
        f"overload: ten million groups in {MEMORY_MIB} MiB: refused after {took:.1f} s, resident {before:.0f} MiB before, "
        f"{most:.0f} at most, {resident_mib(server):.0f} after; calm after {calm:.1f} s"
    )
    assert server.stop() == 0
