"""Rows with unique ids, produced while things go wrong, and the question at the end: is each there, once?

A producer writes down the ids that the broker has acknowledged, or whose transaction was committed. Those, and no
others, must be in the datasource, each in one row.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from harness import BOOTSTRAP, Server, wait_for

SEED = int(os.environ.get("OVATE_TEST_SEED", random.SystemRandom().randrange(2**32)))
FIRST_MS = 1_700_000_000_000
ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})


def create_topic(name: str, partitions: int = 1, **config: str) -> None:
    ADMIN.create_topics([NewTopic(name, partitions, config=config)])[name].result(30)
    wait_for(f"topic {name}", lambda: len(ADMIN.list_topics(name, 5).topics[name].partitions) == partitions)


def row(number: int) -> bytes:
    """A quarter of a second after the one before: a time chunk of an hour has 14,400 rows."""
    return json.dumps({"t": FIRST_MS + number * 250, "id": number, "text": f"row {number % 97}"}).encode()


def spec(name: str, *, io: dict[str, Any] | None = None, **tuning: Any) -> dict[str, Any]:
    """A specification that publishes often, so that much of what happens happens in a publish."""
    return {
        "type": "kafka",
        "spec": {
            "dataSchema": {
                "dataSource": name,
                "timestampSpec": {"column": "t", "format": "millis"},
                "dimensionsSpec": {"dimensions": [{"type": "long", "name": "id"}, "text"]},
                "granularitySpec": {"segmentGranularity": "HOUR", "queryGranularity": "NONE", "rollup": False},
            },
            "ioConfig": {
                "topic": name,
                "inputFormat": {"type": "json"},
                "consumerProperties": {"bootstrap.servers": "kafka_broker:29092"},
                "useEarliestOffset": True,
                "period": "PT1S",
                **(io or {}),
            },
            "tuningConfig": {"type": "kafka", **tuning},
        },
    }


def post(server: Server, body: dict[str, Any]) -> None:
    answer = server.post("/druid/indexer/v1/supervisor", body)
    assert answer.ok, answer.text


def status(server: Server, name: str) -> dict[str, Any]:
    return dict(server.get(f"/druid/indexer/v1/supervisor/{name}/status")["payload"])


class Ids:
    """Produces ids 0, 1, 2, … to all partitions in turn; idempotent, so that Kafka itself neither loses nor doubles."""

    def __init__(self, topic: str, partitions: int = 1, **config: Any) -> None:
        self.topic, self.partitions = topic, partitions
        self.next = 0
        self.acknowledged: set[int] = set()
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.producer = Producer(
            {"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True, "linger.ms": 2, **config}
        )

    def send(self, count: int) -> range:
        """Produces the next ids and waits until the broker has them."""
        sent = range(self.next, self.next + count)
        self.produce(count)
        assert self.producer.flush(60) == 0 and not self.failed, self.failed[:3]
        return sent

    def produce(self, count: int) -> None:
        """Produces the next ids and does not wait for them."""
        for _ in range(count):
            number, self.next = self.next, self.next + 1
            self.produce_one(number)

    def produce_one(self, number: int, key: str | None = None) -> None:
        def done(error: Any, _: Any) -> None:
            if error:
                self.failed.append(str(error))
            else:
                self.acknowledged.add(number)

        while True:
            try:
                partition = number % self.partitions
                self.producer.produce(self.topic, row(number), key=key, partition=partition, on_delivery=done)
                return
            except BufferError:
                self.producer.poll(0.1)

    def start(self, rows_a_second: int) -> None:
        """Goes on producing, until [stop]."""

        def run() -> None:
            began, first = time.monotonic(), self.next
            while not self._stop.is_set():
                due = first + int((time.monotonic() - began) * rows_a_second)
                self.step(due - self.next)
                self.producer.poll(0)
                self._stop.wait(0.02)

        self._thread = threading.Thread(target=run, name=f"produce {self.topic}", daemon=True)
        self._thread.start()

    def step(self, due: int) -> None:
        self.produce(due)

    def stop(self) -> set[int]:
        """The ids that count."""
        self._stop.set()
        if self._thread:
            self._thread.join(60)
        assert self.producer.flush(60) == 0 and not self.failed, self.failed[:3]
        return self.acknowledged


class TransactionalIds(Ids):
    """The same in transactions of 200, of which one in ten is aborted. An aborted id is never used again."""

    SIZE = 200

    def __init__(self, topic: str, partitions: int, chance: random.Random, name: str = "first") -> None:
        super().__init__(topic, partitions, **{"transactional.id": f"{topic}-{name}"})
        self.chance = chance
        self.committed: set[int] = set()
        self.commits, self.aborts = 0, 0
        self.producer.init_transactions(30)

    def step(self, due: int) -> None:
        while due >= self.SIZE:
            due -= self.SIZE
            self.transaction(self.SIZE, abort=self.chance.random() < 0.1)

    def transaction(self, count: int, *, abort: bool) -> None:
        self.producer.begin_transaction()
        ids = range(self.next, self.next + count)
        self.produce(count)
        if abort:
            # Aborted messages are in the log, not only in the producer's queue.
            self.producer.flush(30)
            self.producer.abort_transaction(30)
            self.aborts += 1
        else:
            self.producer.commit_transaction(30)
            self.committed.update(ids)
            self.commits += 1

    def stop(self) -> set[int]:
        super().stop()
        return self.committed


def ids(server: Server, name: str) -> Counter[int]:
    return Counter(row[0] for row in server.sql(f'SELECT id FROM "{name}"', resultFormat="array"))


def differences(seen: Counter[int], expected: Iterable[int]) -> str:
    """What is lost, doubled or from nowhere; empty if nothing is."""
    wanted = set(expected)
    lost = sorted(wanted - seen.keys())
    doubled = sorted(number for number, times in seen.items() if times > 1)
    strange = sorted(seen.keys() - wanted)
    found = {"lost": lost, "doubled": doubled, "never sent": strange}
    return "; ".join(f"{len(bad)} {what}: {bad[:10]}…" for what, bad in found.items() if bad)


def assert_exactly_once(server: Server, name: str, expected: Iterable[int], timeout_s: float = 60) -> None:
    wanted = set(expected)

    def has_read_all() -> bool:
        return server.count(name) >= len(wanted) and status(server, name)["aggregateLag"] == 0

    wait_for(f"{len(wanted)} rows in {name}", has_read_all, timeout_s)
    # Longer than a poll: what is read twice would show.
    time.sleep(0.2)
    counts = server.sql(f'SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d FROM "{name}"')
    assert counts == [{"n": len(wanted), "d": len(wanted)}], differences(ids(server, name), wanted)
    assert not differences(ids(server, name), wanted)
