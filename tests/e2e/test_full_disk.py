"""A real file system without room: reading pauses, says why, and goes on by itself when there is room."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from harness import PASSWORD, USER, Server, wait_for
from exactly_once import Ids, assert_exactly_once, create_topic, post, spec, status

SIZE_MIB = 24


class SmallDisk:
    """A file system of a few MiB in memory, with a file on it that takes the room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"

    def fill(self) -> None:
        with self.ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def make_room(self) -> None:
        self.ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system; the simulated disk of the Rust tests has the same cases")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)], check=True)
    yield SmallDisk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def health(server: Server) -> requests.Response:
    return requests.get(f"{server.url}/status/health", auth=(USER, PASSWORD), timeout=5)


def test_a_full_disk_pauses_and_goes_on_by_itself(
    binary: str, kafka: None, small_disk: SmallDisk, make_server: Callable[..., Server]
) -> None:
    create_topic("FULL", 2)
    server = make_server("small/data", "--hot-memory-mib", "1")
    server.start()
    post(server, spec("FULL", maxRowsPerSegment=500))
    producer = Ids("FULL", 2)
    producer.send(1_000)
    assert_exactly_once(server, "FULL", producer.acknowledged)
    assert health(server).json() is True

    small_disk.fill()
    producer.send(60_000)
    wait_for("the state", lambda: status(server, "FULL")["detailedState"] == "PUBLISH_DELAYED")
    wait_for("a pause", lambda: "ovate_ingest_pauses_total" in requests.get(f"{server.url}/metrics", timeout=5).text)
    found = status(server, "FULL")
    assert not found["healthy"] and found["state"] == "UNHEALTHY_SUPERVISOR"
    assert "No space left" in str(found["recentErrors"]) or "storage full" in str(found["recentErrors"])
    answer = health(server)
    assert answer.status_code == 503
    assert list(answer.json()["stopped"]) == ["FULL"]
    # It waits: more is in Kafka than may be in memory, and what was read answers queries.
    assert 1_000 <= server.count("FULL") < 61_000

    small_disk.make_room()
    assert_exactly_once(server, "FULL", producer.acknowledged)
    wait_for("its health", lambda: health(server).json() is True)
    wait_for("the state", lambda: status(server, "FULL")["detailedState"] == "RUNNING")

    # A process that is killed while the disk is full starts all the same, and goes on when there is room.
    small_disk.fill()
    producer.send(2_000)
    wait_for("the state", lambda: status(server, "FULL")["detailedState"] == "PUBLISH_DELAYED")
    server.kill()
    server.start()
    wait_for("rows", lambda: server.count("FULL") == len(producer.acknowledged))
    small_disk.make_room()
    producer.send(1_000)
    assert_exactly_once(server, "FULL", producer.acknowledged)
    wait_for("its health", lambda: health(server).json() is True)
    assert server.stop() == 0
    verified = subprocess.run([binary, "verify", "--data", str(server.folder)], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr
