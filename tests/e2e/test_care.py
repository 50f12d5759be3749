"""The store looks after its segments while rows arrive: it merges and drops, and what is asked meanwhile is never wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import requests
from harness import Server, figure, wait_for
from exactly_once import FIRST_MS, Ids, assert_exactly_once, create_topic, post, spec

ROWS_A_SECOND = 2_000
ROWS_A_SEGMENT = 250
KILLS = 3
# Rows are a quarter of a second apart; the chunk that the first falls into ends here.
HOUR_MS = 3_600_000
IN_FIRST_HOUR = range((HOUR_MS - FIRST_MS % HOUR_MS) // 250)


def counter(server: Server, name: str, datasource: str) -> float:
    """0 where there is none yet."""
    lines = requests.get(f"{server.url}/metrics", timeout=5).text.splitlines()
    mine = [line for line in lines if line.startswith(f'{name}{{datasource="{datasource}"')]
    return sum(float(line.rsplit(" ", 1)[1]) for line in mine)


def segments(server: Server, datasource: str) -> int:
    count = f"SELECT COUNT(*) AS n FROM sys.segments WHERE datasource = '{datasource}' AND is_published = 1"
    return int(server.sql(count)[0]["n"])


# Rows are years old: with the second, every segment becomes Parquet as soon as it is published.
@pytest.mark.parametrize("flags", [(), ("--cold-after", "P1D")], ids=["warm", "cold"])
def test_merging_and_dropping_while_rows_arrive_and_the_process_is_killed(
    make_server: Callable[..., Server], flags: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    form = request.node.callspec.id
    keeps, ages = f"KEPT_{form}", f"AGED_{form}"
    server = make_server(f"care-{form}", "--care-period-ms", "100", *flags)
    server.start()
    for name in (keeps, ages):
        create_topic(name, 2)
        post(server, spec(name, maxRowsPerSegment=ROWS_A_SEGMENT))
    kept, aged = Ids(keeps, 2), Ids(ages, 2)
    # Half of what is to be dropped is there before the rule, half of what is to stay comes after it.
    aged.send(len(IN_FIRST_HOUR) + 500)
    assert_exactly_once(server, ages, aged.acknowledged)
    kept.start(ROWS_A_SECOND)
    rules = [{"type": "dropByInterval", "interval": f"{iso(0)}/{iso(HOUR_MS)}"}, {"type": "loadForever"}]
    # What is hot when a rule is followed is dropped when it has been published.
    assert server.post(f"/druid/coordinator/v1/rules/{ages}", rules).ok
    merged = dropped = asked = seen = 0.0
    for _ in range(KILLS):
        until = time.monotonic() + 3
        while time.monotonic() < until:
            count = server.sql(f'SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d FROM "{keeps}"')[0]
            assert count["n"] == count["d"] >= seen, "a segment and what it was merged from are never both there"
            asked, seen = asked + 1, count["n"]
        merged += counter(server, "ovate_compactions_total", keeps)
        dropped += counter(server, "ovate_segments_dropped_total", ages)
        server.kill()
        server.start()
        # Rows that were hot are read again.
        wait_for("the rows of before", lambda: server.count(keeps) >= seen)
        aged.send(100)
    expected = kept.stop()
    assert_exactly_once(server, keeps, expected)
    # In each of two or three chunks, fewer than eight of about one size.
    wait_for("few segments", lambda: segments(server, keeps) < 40)
    wait_for("the drop", lambda: server.count(ages) == aged.next - len(IN_FIRST_HOUR))
    assert_exactly_once(server, ages, aged.acknowledged - set(IN_FIRST_HOUR))
    assert_exactly_once(server, keeps, expected)
    assert merged > 0 and dropped > 0
    wanted = {"data.parquet" if flags else "data.arrow"}
    wait_for(f"{wanted}", lambda: {path.name for path in server.folder.glob(f"segments/{keeps}/*/data.*")} == wanted)
    figure(
        f"care, {form}: {len(expected)} rows in {segments(server, keeps)} segments after at least {merged:.0f} merges, "
        f"{dropped:.0f} segments dropped, {asked:.0f} answers checked meanwhile, {KILLS} kills; 0 lost, 0 doubled"
    )
    assert server.stop() == 0


def iso(plus_ms: int) -> str:
    """The beginning of the first row's hour, or so long after it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((FIRST_MS // HOUR_MS * HOUR_MS + plus_ms) / 1000))
