"""`kill -9` at moments that nobody chose, while producers go on: every row is there once.

`OVATE_TEST_KILLS` sets the number of kills, `OVATE_TEST_SEED` repeats a run's moments as far as a machine can.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable

from harness import Server, figure, wait_for
from exactly_once import SEED, Ids, TransactionalIds, assert_exactly_once, create_topic, post, spec, status

KILLS = int(os.environ.get("OVATE_TEST_KILLS", "50"))
ROWS_A_SECOND = 1_500
SEGMENTS = 1_000


def test_no_row_is_lost_or_doubled_by_kills_at_any_moment(make_server: Callable[..., Server]) -> None:
    chance = random.Random(SEED)
    server = make_server("killed")
    server.start()
    for name in ("KILL_PLAIN", "KILL_TX"):
        create_topic(name, 2)
        # Half a second's rows: a publish is under way most of the time.
        post(server, spec(name, maxRowsPerSegment=750))
    producers = [Ids("KILL_PLAIN", 2), TransactionalIds("KILL_TX", 2, chance)]
    for producer in producers:
        producer.start(ROWS_A_SECOND)
    restarts = []
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.9))
        server.kill()
        began = time.monotonic()
        server.start()
        assert server.count("KILL_PLAIN") >= 0
        restarts.append(time.monotonic() - began)
    sent = [producer.stop() for producer in producers]
    for producer, expected in zip(producers, sent, strict=True):
        assert_exactly_once(server, producer.topic, expected)
    published = server.sql("SELECT COUNT(*) AS n FROM sys.segments WHERE is_published = 1")[0]["n"]
    unfinished = server.log.read_text(errors="replace").count("removed what was never published")
    assert published > 10, "kills are to hit publishes"
    transactions = f"{producers[1].commits} transactions and {producers[1].aborts} aborted"
    took_ms = [took * 1_000 for took in restarts]
    figure(
        f"kill -9: {KILLS} kills, {len(sent[0])} plain rows, {len(sent[1])} in {transactions}, {published} segments, "
        f"{unfinished} unfinished ones removed; 0 lost, 0 doubled; seed {SEED};\n  restart to first answer "
        f"{statistics.median(took_ms):.0f} ms, at most {max(took_ms):.0f} ms"
    )
    assert server.stop() == 0


def test_a_store_of_a_thousand_segments_answers_soon_after_a_kill(make_server: Callable[..., Server]) -> None:
    server = make_server("thousand")
    server.start()
    create_topic("THOUSAND")
    producer = Ids("THOUSAND")
    # A row in each hour.
    for hour in range(SEGMENTS):
        producer.produce_one(hour * 14_400)
    expected = producer.stop()
    post(server, spec("THOUSAND", maxRowsPerSegment=SEGMENTS))
    count = "SELECT COUNT(*) AS n FROM sys.segments WHERE datasource = 'THOUSAND' AND is_published = 1"
    wait_for("all segments", lambda: server.sql(count) == [{"n": SEGMENTS}], 120)
    server.kill()
    began = time.monotonic()
    server.launch()
    wait_for("the first answer", lambda: server.count("THOUSAND") == SEGMENTS)
    took = time.monotonic() - began
    figure(f"restart to first answer, {SEGMENTS} segments: {took * 1000:.0f} ms")
    wait_for("no lag", lambda: status(server, "THOUSAND")["detailedState"] == "RUNNING")
    assert_exactly_once(server, "THOUSAND", expected)
