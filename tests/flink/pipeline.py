"""One run of the case study: four topics of its own, the two jobs, a store with the three specifications.

```text
DEVICES, EVENTS ──► Kafka ──► enrichment ──► EVENTS_GEO ──► alerts ──► ALERTS ──► supervisors ──► SQL
```
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from cluster import Cluster
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from harness import KAFKA_PORT, Server, produce, wait_for

BOOTSTRAP = f"127.0.0.1:{KAFKA_PORT}"
TOPICS = ("DEVICES", "EVENTS", "EVENTS_GEO", "ALERTS")


class Pipeline:
    """Starts everything; `partitions` is the number of partitions of EVENTS and EVENTS_GEO."""

    def __init__(self, cluster: Cluster, server: Server, tmp_path: Path, partitions: int) -> None:
        self.cluster, self.server, self.tmp_path = cluster, server, tmp_path
        self.jobs: dict[str, str] = {}
        self.admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
        topics = [NewTopic(name, partitions if name.startswith("EVENTS") else 1) for name in TOPICS]
        for name, future in self.admin.create_topics(topics).items():
            assert future.exception(30) is None, name
        server.start()
        server.post_specifications()

    def submit(self, name: str, **settings: str) -> None:
        """Starts the job `enrichment` or `alerts`."""
        self.jobs[name] = self.cluster.submit(name, self.tmp_path, **settings)

    def send_devices(self, devices: list[dict[str, Any]]) -> None:
        """Sends the devices and waits until the enrichment has read them, so that no event has to wait for its own."""
        send("DEVICES", devices)
        self.cluster.wait_for_source(self.jobs["enrichment"], "DEVICES", len(devices))

    def messages(self, topic: str, *, committed: bool) -> list[str]:
        """All that a topic holds: what was committed, or everything, with what was aborted or is still open."""
        consumer = Consumer({
            "bootstrap.servers": BOOTSTRAP, "group.id": "tests", "enable.auto.commit": False,
            "enable.partition.eof": True, "isolation.level": "read_committed" if committed else "read_uncommitted",
        })  # fmt: skip
        partitions = consumer.list_topics(topic, 30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found, ended = [], set()
        while len(ended) < len(partitions):
            message = consumer.poll(30)
            assert message is not None, "the broker does not answer"
            if message.error() is None:
                found.append(message.value().decode())
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                ended.add(message.partition())
        consumer.close()
        return found

    def wait_for_messages(self, topic: str, number: int, *, committed: bool) -> None:
        """Waits until a topic holds that many messages."""

        def enough() -> bool:
            time.sleep(1)  # Each look reads the whole topic.
            return len(self.messages(topic, committed=committed)) >= number

        wait_for(f"{number} messages in {topic}", enough, 240)
        assert len(self.messages(topic, committed=committed)) == number

    def close(self) -> None:
        """Ends the jobs and the store, and removes the topics."""
        self.cluster.cancel_all()
        assert self.server.stop() == 0
        for future in self.admin.delete_topics(list(TOPICS)).values():
            future.result(30)
        gone = lambda: not set(TOPICS) & set(self.admin.list_topics(timeout=30).topics)  # noqa: E731
        wait_for("the topics to be gone", gone)


def send(topic: str, messages: list[dict[str, Any]]) -> None:
    """Sends messages under their device, as the case study's producers do."""
    produce(topic, [json.dumps(m, ensure_ascii=False) for m in messages], [m["deviceId"] for m in messages])


def alerts_of(server: Server) -> list[dict[str, Any]]:
    """The alerts in the store, as messages of topic `ALERTS`, but for the place, which the store holds as numbers."""
    columns = ("total_count_per_deviceid", "deviceId", "avg_error_count", "std_error_count", "window_start")
    rows = server.sql(f"SELECT {', '.join(columns)}, __time FROM ALERTS", resultFormat="array")
    return [
        dict(zip(columns, row, strict=False)) | {"window_end": row[-1].removesuffix(".000Z")}  # `__time` is its end
        for row in rows
    ]


def events_of(server: Server) -> Counter[tuple[str, ...]]:
    """The events in the store, each with how often it is there."""
    query = 'SELECT deviceId, eventNotificationName, "timestamp", __time FROM EVENTS_GEO'
    return Counter(tuple(row) for row in server.sql(query, resultFormat="array"))


def as_stored(events_geo: list[dict[str, str]]) -> Counter[tuple[str, ...]]:
    """What [`events_of`] gives when the store holds exactly `events_geo`."""
    keys = ("deviceId", "eventNotificationName", "timestamp", "eventTimestamp")
    return Counter(tuple(event[key] for key in keys) for event in events_geo)


def without_place(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Alerts as [`alerts_of`] gives them."""
    return [{key: value for key, value in alert.items() if key != "deviceLocation"} for alert in alerts]


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    """Rows made comparable whatever order they came in."""
    return sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)
