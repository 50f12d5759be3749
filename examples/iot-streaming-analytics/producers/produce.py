"""The case study's producers.

    produce.py topics
    produce.py devices FILE          the devices of FILE, a JSON list, once
    produce.py events [--disruption on|off] [--rate N] [--total N]

The producer of events first asks the store which devices there are, then draws one at random for each event.

Environment: `KAFKA_BOOTSTRAP` is the broker; `STORE_URL` the store, with user and password where it asks for them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import requests
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from doors import Door, event

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092")
STORE_URL = os.environ.get("STORE_URL", "http://druid_system:password2@127.0.0.1:8888")
TOPICS = ("DEVICES", "EVENTS", "EVENTS_GEO", "ALERTS")
TICK_S = 0.05


def make_topics() -> None:
    """Makes the four topics, of one partition each: the job that raises alerts then sees all events in their order."""
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    existing = admin.list_topics(timeout=30).topics
    missing = [NewTopic(topic, num_partitions=1) for topic in TOPICS if topic not in existing]
    for made in admin.create_topics(missing).values() if missing else ():
        made.result(30)


def send(producer: Producer, topic: str, message: dict[str, Any]) -> None:
    """Queues one message under its device; waits while the queue is full."""
    value, key = json.dumps(message, ensure_ascii=False), message["deviceId"]
    while True:
        try:
            producer.produce(topic, value, key, on_delivery=fail_if_lost)
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.1)


def fail_if_lost(error: Any, _message: Any) -> None:
    """A message that the broker did not take ends the producer."""
    if error is not None:
        raise KafkaException(error)


def send_devices(producer: Producer, file: Path) -> int:
    """Sends the devices of `file`; gives their number."""
    devices = json.loads(file.read_text(encoding="utf-8"))
    for device in devices:
        send(producer, "DEVICES", device)
    return len(devices)


def ask_for_doors() -> list[Door]:
    """Asks the store until it knows some devices and their number has stopped growing."""
    query = {"query": "SELECT deviceId, latitude, longitude FROM DEVICES"}
    known = -1
    while True:
        try:
            answer = requests.post(f"{STORE_URL}/druid/v2/sql/", json=query, timeout=30)
            rows = answer.json() if answer.ok else []
        except requests.ConnectionError:
            rows = []
        if rows and len(rows) == known:
            return [Door(row["deviceId"], row["latitude"], row["longitude"]) for row in rows]
        known = len(rows)
        time.sleep(1)


def send_events(producer: Producer, options: argparse.Namespace) -> int:
    """Sends events at an even rate until there are `total`, or until the process is told to end; gives their number."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    doors, chance, sent = ask_for_doors(), random.Random(), 0  # noqa: S311 (not for secrets)
    print(f"{len(doors)} devices, {sum(door.is_disrupted for door in doors)} near the disruption", flush=True)
    began = time.monotonic()
    while not stopping and sent < options.total:
        due = min(int((time.monotonic() - began) * options.rate), options.total)
        for _ in range(due - sent):
            now_ms = time.time_ns() // 1_000_000
            door = chance.choice(doors)
            send(producer, "EVENTS", event(door, now_ms, disruption=options.disruption == "on", chance=chance))
        sent = due
        time.sleep(TICK_S)
    return sent


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="The case study's producers.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("topics", help="make the topics")
    devices = commands.add_parser("devices", help="send the devices of a file, once")
    devices.add_argument("file", type=Path)
    events = commands.add_parser("events", help="send events of the devices that the store knows")
    events.add_argument("--disruption", choices=("on", "off"), default="on")
    events.add_argument("--rate", type=int, default=250, help="events a second [default: %(default)s]")
    events.add_argument("--total", type=int, default=sys.maxsize, help="end after this many [default: never]")
    return parser.parse_args()


def main() -> None:
    """Does what the command line says."""
    options = arguments()
    if options.command == "topics":
        make_topics()
        return
    # The partitioner of Java's clients, so that every producer puts a device into the same partition.
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 5, "partitioner": "murmur2_random"})
    sent = send_devices(producer, options.file) if options.command == "devices" else send_events(producer, options)
    left = producer.flush(30)
    if left:
        sys.exit(f"{left} messages were not delivered")
    print(f"{sent} messages sent")


if __name__ == "__main__":
    main()
