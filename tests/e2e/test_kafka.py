"""What only a real broker does: transactions, control records, partitions added, a topic deleted and made again."""

from __future__ import annotations

import json
import time
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from harness import BOOTSTRAP, Server, produce, wait_for
from test_case_study import spec


def rows(ids: range) -> list[str]:
    return [json.dumps({"t": 1_700_000_000_000 + i, "id": i}) for i in ids]


def post(server: Server, name: str, **more: Any) -> None:
    body = spec(name, [{"type": "long", "name": "id"}], **more)
    answer = server.post("/druid/indexer/v1/supervisor", body)
    assert answer.ok, answer.text


def status(server: Server, name: str) -> dict[str, Any]:
    return dict(server.get(f"/druid/indexer/v1/supervisor/{name}/status")["payload"])


def ids(server: Server, name: str) -> list[int]:
    return sorted(row[0] for row in server.sql(f"SELECT id FROM {name}", resultFormat="array"))


def test_rows_of_aborted_transactions_are_never_seen(server: Server) -> None:
    post(server, "TRANSACTIONS")
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": "e2e"})
    producer.init_transactions(30)
    for number in range(20):
        producer.begin_transaction()
        for row in rows(range(number * 100, number * 100 + 100)):
            producer.produce("TRANSACTIONS", row)
        producer.flush(30)
        if number % 4 == 3:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    expected = [i for i in range(2_000) if i // 100 % 4 != 3]
    server.wait_for_rows("TRANSACTIONS", len(expected))
    assert ids(server, "TRANSACTIONS") == expected
    # The offsets of control records and of aborted rows count as read: nothing lags behind them.
    wait_for("no lag", lambda: status(server, "TRANSACTIONS")["aggregateLag"] == 0)
    server.kill()
    server.start()
    server.wait_for_rows("TRANSACTIONS", len(expected))
    assert ids(server, "TRANSACTIONS") == expected


def test_partitions_that_are_added_are_read_from_their_beginning(server: Server) -> None:
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic("GROWING", 1)])["GROWING"].result(30)
    body = spec("GROWING", [{"type": "long", "name": "id"}])
    body["spec"]["ioConfig"]["period"] = "PT1S"
    assert server.post("/druid/indexer/v1/supervisor", body).ok
    produce("GROWING", rows(range(100)))
    server.wait_for_rows("GROWING", 100)
    admin.create_partitions([NewPartitions("GROWING", 3)])["GROWING"].result(30)
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    wait_for("the new partitions", lambda: len(producer.list_topics("GROWING", 5).topics["GROWING"].partitions) == 3)
    for i, row in enumerate(rows(range(100, 400))):
        producer.produce("GROWING", row, partition=i % 3)
    assert producer.flush(30) == 0
    server.wait_for_rows("GROWING", 400)
    assert ids(server, "GROWING") == list(range(400))
    assert status(server, "GROWING")["partitions"] == 3


def test_a_topic_made_again_is_noticed_and_read_only_after_a_decision(server: Server) -> None:
    """Offsets of the old topic mean nothing in the new one: reading on would lose or repeat rows without a word."""
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic("REBORN", 1)])["REBORN"].result(30)
    post(server, "REBORN")
    produce("REBORN", rows(range(50)))
    server.wait_for_rows("REBORN", 50)
    assert server.post("/druid/indexer/v1/supervisor/REBORN/suspend", None).ok
    admin.delete_topics(["REBORN"])["REBORN"].result(30)

    def made_again() -> bool:
        future = admin.create_topics([NewTopic("REBORN", 1)])["REBORN"]
        return future.exception(30) is None

    wait_for("the topic to be made again", made_again)
    time.sleep(1)
    produce("REBORN", rows(range(1_000, 1_100)))
    assert server.post("/druid/indexer/v1/supervisor/REBORN/resume", None).ok
    wait_for("the supervisor to notice", lambda: not status(server, "REBORN")["healthy"])
    assert status(server, "REBORN")["recentErrors"], "the status says why"
    (gap,) = status(server, "REBORN")["offsetGaps"]
    assert (gap["from"], gap["to"], gap["cause"], gap["action"]) == (50, None, "TOPIC_RECREATED", "STOPPED")
    assert ids(server, "REBORN") == list(range(50))
    assert server.post("/druid/indexer/v1/supervisor/REBORN/reset", None).ok
    server.wait_for_rows("REBORN", 150)
    assert ids(server, "REBORN") == [*range(50), *range(1_000, 1_100)]
