"""Kafka in trouble: the network, the broker, the topic. No row is lost; where Kafka dropped rows, a gap says so.

`test_kafka.py` has three more: aborted transactions, added partitions, a topic made again under the policy to stop.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka import Consumer, TopicPartition
from harness import (
    BOOTSTRAP, PROXIED_PORT, PROXY_PORT, SASL_PASSWORD, SASL_PORT, SASL_USER, Server, broker, wait_for,
)  # fmt: skip
from exactly_once import (
    ADMIN, Ids, TransactionalIds, assert_exactly_once, create_topic, ids, post, spec, status,
)  # fmt: skip
from proxy import Proxy

MakeServer = Callable[..., Server]


@pytest.fixture
def proxy(kafka: None) -> Iterator[Proxy]:
    started = Proxy(PROXY_PORT, PROXIED_PORT)
    started.start()
    yield started
    started.stop()


def through(proxy: Proxy, make_server: MakeServer, topic: str, **io: Any) -> tuple[Server, Ids]:
    """A server that reaches the broker through the proxy, a producer that does not, and a hundred rows read."""
    create_topic(topic, 2)
    server = make_server("data", broker_port=proxy.port)
    server.start()
    post(server, spec(topic, io=io, maxRowsPerSegment=500))
    producer = Ids(topic, 2)
    producer.send(100)
    assert_exactly_once(server, topic, producer.acknowledged)
    assert proxy.bytes_passed > 0
    return server, producer


def metric(server: Server, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    total = 0.0
    for line in requests.get(f"{server.url}/metrics", timeout=10).text.splitlines():
        sample, _, value = line.rpartition(" ")
        wanted = all(f'{label}="{text}"' in sample for label, text in labels.items())
        if sample.split("{")[0] == name and wanted:
            total += float(value)
    return total


def gaps(server: Server, topic: str) -> list[dict[str, Any]]:
    return list(status(server, topic).get("offsetGaps", []))


def assert_no_gap(server: Server, topic: str) -> None:
    assert gaps(server, topic) == []
    assert metric(server, "ovate_ingest_offset_gaps_total", datasource=topic) == 0


def assert_gap(server: Server, topic: str, **expected: Any) -> None:
    """There is one, as expected, in the status and in the metrics."""
    found = wait_for("a gap", lambda: gaps(server, topic))
    assert [{key: gap[key] for key in expected} for gap in found] == [expected], found
    assert found[0]["timestamp"].startswith("20")
    labels = {"cause": expected["cause"].lower(), "action": expected["action"].lower()}
    assert metric(server, "ovate_ingest_offset_gaps_total", datasource=topic, **labels) == 1


def test_connections_that_are_cut_again_and_again(proxy: Proxy, make_server: MakeServer) -> None:
    server, producer = through(proxy, make_server, "CUT")
    producer.start(2_000)
    for _ in range(15):
        time.sleep(0.2)
        proxy.cut()
    assert_exactly_once(server, "CUT", producer.stop())
    assert proxy.connections > 5
    assert_no_gap(server, "CUT")


def test_an_answer_takes_four_seconds(proxy: Proxy, make_server: MakeServer) -> None:
    server, producer = through(proxy, make_server, "SLOW")
    proxy.delay_s = 2
    producer.send(1_000)
    # Also from the beginning of a process, when it is not known yet how slow they are.
    server.kill()
    server.start()
    producer.send(1_000)
    assert_exactly_once(server, "SLOW", producer.acknowledged, 90)
    assert_no_gap(server, "SLOW")


def test_a_kilobyte_a_second(proxy: Proxy, make_server: MakeServer) -> None:
    server, producer = through(proxy, make_server, "TRICKLE")
    proxy.bytes_a_second = 1_024
    producer.send(100)
    assert_exactly_once(server, "TRICKLE", producer.acknowledged)
    proxy.heal()
    producer.send(1_000)
    assert_exactly_once(server, "TRICKLE", producer.acknowledged)
    assert_no_gap(server, "TRICKLE")


def test_a_connection_that_is_only_half_there(proxy: Proxy, make_server: MakeServer) -> None:
    properties = {"bootstrap.servers": "kafka_broker:29092", "request.timeout.ms": 3_000}
    server, producer = through(proxy, make_server, "HALF", consumerProperties=properties)
    proxy.is_silent = True
    producer.send(1_000)
    time.sleep(1)
    assert server.count("HALF") == 100, "nothing comes through"
    proxy.heal()
    # Connections that have lost bytes stay useless: it has to give them up by itself.
    assert_exactly_once(server, "HALF", producer.acknowledged)
    assert_no_gap(server, "HALF")


def test_a_broker_that_cannot_be_reached_when_the_process_starts(proxy: Proxy, make_server: MakeServer) -> None:
    server, producer = through(proxy, make_server, "ABSENT")
    server.kill()
    proxy.refuses = True
    server.start()
    producer.send(500)
    wait_for("the supervisor to say so", lambda: not status(server, "ABSENT")["healthy"], 30)
    assert status(server, "ABSENT")["detailedState"] == "UNABLE_TO_CONNECT_TO_STREAM"
    proxy.heal()
    assert_exactly_once(server, "ABSENT", producer.acknowledged)
    assert status(server, "ABSENT")["healthy"]
    assert_no_gap(server, "ABSENT")


def test_the_broker_is_killed_and_comes_back(make_server: MakeServer, kafka: None) -> None:
    create_topic("BROKEN", 2)
    server = make_server()
    server.start()
    post(server, spec("BROKEN", maxRowsPerSegment=500))
    producer = Ids("BROKEN", 2)
    producer.start(1_000)
    wait_for("some rows", lambda: server.count("BROKEN") > 1_000)
    broker("kill")
    wait_for("the supervisor to say so", lambda: not status(server, "BROKEN")["healthy"])
    assert status(server, "BROKEN")["detailedState"] == "LOST_CONTACT_WITH_STREAM"
    broker("up")
    time.sleep(1)
    assert_exactly_once(server, "BROKEN", producer.stop(), 90)
    wait_for("it to be well", lambda: status(server, "BROKEN")["healthy"])
    assert_no_gap(server, "BROKEN")


def fall_behind(make_server: MakeServer, topic: str, *flags: str, **tuning: Any) -> tuple[Server, Ids]:
    """A server that has read and published 100 rows, was killed, and has missed 200; the first 100 of these are gone
    from Kafka by the time it is back."""
    create_topic(topic)
    server = make_server("data", *flags)
    server.start()
    post(server, spec(topic, **tuning))
    producer = Ids(topic)
    producer.send(100)
    assert_exactly_once(server, topic, producer.acknowledged)
    for change in ("suspend", "resume"):
        assert server.post(f"/druid/indexer/v1/supervisor/{topic}/{change}", None).ok
    server.kill()
    producer.send(200)
    ADMIN.delete_records([TopicPartition(topic, 0, 200)])[TopicPartition(topic, 0)].result(30)
    server.start()
    return server, producer


def test_retention_was_faster_and_the_policy_is_to_stop(make_server: MakeServer) -> None:
    server, producer = fall_behind(make_server, "OVERTAKEN")
    gap = {"partition": 0, "from": 100, "to": 200, "cause": "RETENTION_PASSED", "action": "STOPPED"}
    assert_gap(server, "OVERTAKEN", **gap)
    wait_for("the state", lambda: status(server, "OVERTAKEN")["detailedState"] == "OFFSETS_OUT_OF_RANGE")
    assert server.count("OVERTAKEN") == 100, "nothing is skipped without a decision"
    found = gaps(server, "OVERTAKEN")
    server.kill()
    server.start()
    wait_for("the state", lambda: status(server, "OVERTAKEN")["detailedState"] == "OFFSETS_OUT_OF_RANGE")
    assert gaps(server, "OVERTAKEN") == found, "kept over the end of the process, and told once"
    offsets = {"partitions": {"stream": "OVERTAKEN", "partitionOffsetMap": {"0": 200}}}
    assert server.post("/druid/indexer/v1/supervisor/OVERTAKEN/resetOffsets", offsets).ok
    assert_exactly_once(server, "OVERTAKEN", producer.acknowledged - set(range(100, 200)))


def test_retention_was_faster_and_the_specification_says_earliest(make_server: MakeServer) -> None:
    server, producer = fall_behind(make_server, "EARLIEST", resetOffsetAutomatically=True)
    gap = {"partition": 0, "from": 100, "to": 200, "cause": "RETENTION_PASSED", "action": "RESUMED_AT_EARLIEST"}
    assert_gap(server, "EARLIEST", **gap)
    assert_exactly_once(server, "EARLIEST", producer.acknowledged - set(range(100, 200)))


def test_retention_was_faster_and_the_server_says_latest(make_server: MakeServer) -> None:
    server, producer = fall_behind(make_server, "LATEST", "--offset-policy", "latest")
    gap = {"partition": 0, "from": 100, "to": 300, "cause": "RETENTION_PASSED", "action": "RESUMED_AT_LATEST"}
    assert_gap(server, "LATEST", **gap)
    producer.send(50)
    assert_exactly_once(server, "LATEST", producer.acknowledged - set(range(100, 300)))


def test_retention_overtakes_a_reader_that_is_reading(proxy: Proxy, make_server: MakeServer) -> None:
    """While nothing comes through, what was to be read next is deleted."""
    create_topic("OVERTAKING")
    server = make_server("data", "--offset-policy", "earliest", broker_port=proxy.port)
    server.start()
    properties = {"bootstrap.servers": "kafka_broker:29092", "request.timeout.ms": 3_000}
    post(server, spec("OVERTAKING", io={"consumerProperties": properties}))
    producer = Ids("OVERTAKING")
    producer.send(100)
    assert_exactly_once(server, "OVERTAKING", producer.acknowledged)
    proxy.refuses = True
    proxy.cut()
    producer.send(200)
    ADMIN.delete_records([TopicPartition("OVERTAKING", 0, 200)])[TopicPartition("OVERTAKING", 0)].result(30)
    proxy.heal()
    gap = {"partition": 0, "from": 100, "to": 200, "cause": "RETENTION_PASSED", "action": "RESUMED_AT_EARLIEST"}
    assert_gap(server, "OVERTAKING", **gap)
    assert_exactly_once(server, "OVERTAKING", producer.acknowledged - set(range(100, 200)))


def test_an_offset_beyond_the_end_stops_or_goes_on_as_the_policy_says(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    producers = {}
    for topic, automatic in (("BEYOND_FAIL", False), ("BEYOND_EARLIEST", True)):
        create_topic(topic)
        post(server, spec(topic, resetOffsetAutomatically=automatic))
        producers[topic] = Ids(topic)
        producers[topic].send(100)
        assert_exactly_once(server, topic, producers[topic].acknowledged)
        offsets = {"partitions": {"stream": topic, "partitionOffsetMap": {"0": 1_000}}}
        assert server.post(f"/druid/indexer/v1/supervisor/{topic}/resetOffsets", offsets).ok
    stopped = {"partition": 0, "from": 1_000, "to": 100, "cause": "BEYOND_END", "action": "STOPPED"}
    assert_gap(server, "BEYOND_FAIL", **stopped)
    resumed = {"partition": 0, "from": 1_000, "to": 0, "cause": "BEYOND_END", "action": "RESUMED_AT_EARLIEST"}
    assert_gap(server, "BEYOND_EARLIEST", **resumed)
    # Read again from the first, as the policy says: nothing is lost, and the gap tells why rows are there twice.
    wait_for("rows again", lambda: server.count("BEYOND_EARLIEST") == 200)
    assert server.count("BEYOND_FAIL") == 100


def make_again(topic: str, partitions: int) -> None:
    ADMIN.delete_topics([topic])[topic].result(30)
    wait_for("the topic to be gone", lambda: topic not in ADMIN.list_topics(timeout=5).topics)
    create_topic(topic, partitions)


def test_a_topic_made_again_while_it_is_read_with_fewer_partitions(make_server: MakeServer) -> None:
    create_topic("ANEW", 3)
    server = make_server("data", "--offset-policy", "earliest")
    server.start()
    post(server, spec("ANEW"))
    producer = Ids("ANEW", 3)
    producer.send(90)
    assert_exactly_once(server, "ANEW", producer.acknowledged)
    make_again("ANEW", 2)
    again = Ids("ANEW", 2)
    again.next = 1_000
    again.send(200)
    found = wait_for("a gap for each partition", lambda: gaps(server, "ANEW"))
    expected = [(n, 30, 0 if n < 2 else None, "TOPIC_RECREATED", "RESUMED_AT_EARLIEST") for n in range(3)]
    assert [tuple(gap[key] for key in ("partition", "from", "to", "cause", "action")) for gap in found] == expected
    assert_exactly_once(server, "ANEW", producer.acknowledged | again.acknowledged)
    assert status(server, "ANEW")["partitions"] == 2
    server.kill()
    server.start()
    again.send(10)
    assert_exactly_once(server, "ANEW", producer.acknowledged | again.acknowledged)
    assert gaps(server, "ANEW") == found, "kept over the end of the process, and no other came"


def test_a_topic_that_is_deleted_is_missed(make_server: MakeServer) -> None:
    create_topic("VANISHED")
    server = make_server()
    server.start()
    post(server, spec("VANISHED"))
    producer = Ids("VANISHED")
    producer.send(50)
    assert_exactly_once(server, "VANISHED", producer.acknowledged)
    ADMIN.delete_topics(["VANISHED"])["VANISHED"].result(30)
    wait_for("the supervisor to say so", lambda: not status(server, "VANISHED")["healthy"])
    assert "does not exist" in str(status(server, "VANISHED")["recentErrors"])
    assert server.count("VANISHED") == 50


def surviving(topic: str) -> list[int]:
    """The offsets of the messages that Kafka still has."""
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "look", "enable.auto.commit": False})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)
    consumer.assign([TopicPartition(topic, 0, 0)])
    offsets: list[int] = []
    while not offsets or offsets[-1] < end - 1:
        message = consumer.poll(10)
        assert message is not None and message.error() is None
        offsets.append(message.offset())
    consumer.close()
    return offsets


def test_a_compacted_topic_has_holes_and_no_gap(make_server: MakeServer) -> None:
    """Offsets that compaction has removed are no gap: what Kafka keeps is all there."""
    compact = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    create_topic("COMPACT", **compact)
    producer = Ids("COMPACT")
    for number in range(1_000):
        producer.produce_one(number, key=str(number % 50))
    producer.producer.flush(30)
    # A segment is rolled by the next message after its time; only rolled segments are compacted.
    last = 1_000

    def is_compacted() -> bool:
        nonlocal last
        producer.produce_one(last, key="roll")
        producer.producer.flush(30)
        last += 1
        return len(surviving("COMPACT")) < 500

    wait_for("compaction", is_compacted)
    server = make_server()
    server.start()
    post(server, spec("COMPACT", maxRowsPerSegment=20))

    # Offsets are ids here. Compaction may go on while it reads; what it has read stays.
    wait_for("what Kafka keeps", lambda: set(surviving("COMPACT")) <= ids(server, "COMPACT").keys())
    assert max(ids(server, "COMPACT").values()) == 1
    assert len(ids(server, "COMPACT")) < last
    server.kill()
    server.start()
    wait_for("what Kafka keeps", lambda: set(surviving("COMPACT")) <= ids(server, "COMPACT").keys())
    assert max(ids(server, "COMPACT").values()) == 1
    assert_no_gap(server, "COMPACT")


def test_a_hanging_transaction_holds_back_what_came_after_it(make_server: MakeServer) -> None:
    create_topic("HANGING")
    server = make_server()
    server.start()
    post(server, spec("HANGING"))
    done = TransactionalIds("HANGING", 1, random.Random(1))
    done.transaction(100, abort=False)
    assert_exactly_once(server, "HANGING", done.committed)
    hanging = TransactionalIds("HANGING", 1, random.Random(2), name="hanging")
    hanging.next = 10_000
    hanging.producer.begin_transaction()
    hanging.produce(50)
    hanging.producer.flush(10)
    after = Ids("HANGING")
    after.next = 20_000
    after.send(100)
    time.sleep(1)
    assert server.count("HANGING") == 100, "nothing after an open transaction is readable yet"
    server.kill()
    server.start()
    time.sleep(1)
    assert server.count("HANGING") == 100
    hanging.producer.abort_transaction(30)
    assert_exactly_once(server, "HANGING", done.committed | after.acknowledged)
    assert_no_gap(server, "HANGING")


def test_a_wrong_password_is_named_and_the_right_one_goes_on(make_server: MakeServer) -> None:
    create_topic("SECRET")
    producer = Ids("SECRET")
    producer.send(100)
    server = make_server("data", broker_port=SASL_PORT)
    server.start()

    def with_password(password: str) -> dict[str, Any]:
        properties = {
            "bootstrap.servers": "kafka_broker:29092", "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN", "sasl.username": SASL_USER, "sasl.password": password,
        }  # fmt: skip
        return spec("SECRET", io={"consumerProperties": properties})

    post(server, with_password("guessed"))
    wait_for("the supervisor to say so", lambda: not status(server, "SECRET")["healthy"])
    assert status(server, "SECRET")["detailedState"] == "UNABLE_TO_CONNECT_TO_STREAM"
    assert "uthentication" in str(status(server, "SECRET")["recentErrors"])
    post(server, with_password(SASL_PASSWORD))
    assert_exactly_once(server, "SECRET", producer.acknowledged)

    # Neither password comes back, wherever a specification is shown.
    supervisor = "/druid/indexer/v1/supervisor"
    paths = ("/SECRET", "/SECRET/history", "/SECRET/status", "?full", "/history")
    answers = [server.get(f"{supervisor}{path}") for path in paths]
    answers += [server.sql("SELECT * FROM sys.supervisors"), server.get("/druid/indexer/v1/tasks")]
    text = str(answers) + server.log.read_text(errors="replace")
    assert "********" in text
    assert SASL_PASSWORD not in text
    assert "guessed" not in text

    # What GET gave can be posted again, and changes nothing.
    given = server.get(f"{supervisor}/SECRET")
    post(server, given)
    producer.send(10)
    assert_exactly_once(server, "SECRET", producer.acknowledged)


def test_names_and_properties_that_would_lead_elsewhere_are_refused(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server()
    server.start()
    for name in ("../evil", "a/b", "..", ".hidden", "a\\b", "a\x00b", ""):
        refused = server.post("/druid/indexer/v1/supervisor", spec(name))
        assert refused.status_code == 400, (name, refused.text)
    dangerous = (
        "plugin.library.paths", "sasl.kerberos.kinit.cmd", "ssl.ca.location", "sasl.jaas.config", "ssl.providers",
    )  # fmt: skip
    for key in dangerous:
        body = spec("FINE", io={"consumerProperties": {"bootstrap.servers": "kafka_broker:29092", key: "/tmp/x"}})
        refused = server.post("/druid/indexer/v1/supervisor", body)
        assert refused.status_code == 400 and key in refused.text, refused.text
    assert server.get("/druid/indexer/v1/supervisor") == []
    assert not list(server.folder.glob("segments/*"))
    assert not (tmp_path / "evil").exists()
