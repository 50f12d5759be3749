"""The store that the end-to-end tests run against, started once, and the case study in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import FIGURES, DATA, Server, binary, kafka, lines, produce  # noqa: F401 (`binary` and `kafka` are fixtures)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for text in FIGURES:
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def server(binary: str, kafka: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    started = Server(binary, tmp_path_factory.mktemp("ovate") / "data")
    started.start()
    yield started
    assert started.stop() == 0


@pytest.fixture
def make_server(binary: str, kafka: None, tmp_path: Path) -> Iterator[Callable[..., Server]]:  # noqa: F811
    """Servers of a test's own, open to anybody on this machine. They end with the test."""
    made: list[Server] = []

    def make(name: str = "data", *flags: str, **more: Any) -> Server:
        made.append(Server(binary, tmp_path / name, *flags, open=True, **more))
        return made[-1]

    yield make
    for one in made:
        if not one.has_ended():
            one.kill()


@pytest.fixture(scope="session")
def case_study(server: Server) -> Server:
    """The three unmodified specifications posted, the devices and the real Flink output produced and ingested."""
    server.post_specifications()
    devices = json.loads((DATA / "devices_zurich.json").read_text())
    produce("DEVICES", [json.dumps(device) for device in devices])
    for topic in ("EVENTS_GEO", "ALERTS"):
        produce(topic, lines(topic))
    for table, rows in (("DEVICES", 1_000), ("EVENTS_GEO", 49_000), ("ALERTS", 20)):
        server.wait_for_rows(table, rows)
    return server
