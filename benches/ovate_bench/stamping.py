"""A producer of its own process: events stamped with the moment they are handed to the Kafka client, at a steady rate."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from confluent_kafka import Producer

from ovate_bench.data import Devices, Events


def main(broker: str, rate: int, seconds: int) -> None:
    events = Events.generate(Devices.load(), 20_000, 60_000, seed=3)
    heads = [message.split(b'"timestamp":"')[0] + b'"timestamp":"' for message in events.messages()]
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 1, "queue.buffering.max.messages": 1_000_000})
    sent, first_ms, last_ms, began = 0, 0, 0, time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        due = int(elapsed * rate)
        now_ms = int(time.time() * 1000)
        first_ms, last_ms = first_ms or now_ms, now_ms
        stamp = str(np.datetime_as_string(np.datetime64(now_ms, "ms"))).encode()
        tail = stamp + b'Z","eventTimestamp":"' + stamp + b'Z"}'
        while sent < due:
            producer.produce("EVENTS_GEO", heads[sent % len(heads)] + tail)
            sent += 1
        producer.poll(0)
        time.sleep(0.001)
    producer.flush(30)
    print(json.dumps({"rows": sent, "first_ms": first_ms, "last_ms": last_ms}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
