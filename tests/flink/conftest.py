"""The cluster, started once, and a fresh run of the case study for each module that asks for one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "examples" / "iot-streaming-analytics" / "producers")]

from cluster import Cluster  # noqa: E402
from harness import DATA, Server, binary, kafka  # noqa: E402, F401 (`binary` and `kafka` are fixtures)
from pipeline import Pipeline  # noqa: E402


@pytest.fixture(scope="session")
def cluster(kafka: None) -> Iterator[Cluster]:  # noqa: F811
    """A cluster without any job or checkpoint."""
    started = Cluster()
    started.wipe()
    started.up()
    yield started
    started.wipe()


@pytest.fixture(scope="module")
def new_pipeline(
    cluster: Cluster,
    binary: str,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[int], Pipeline]]:
    """Starts a run of the case study with so many partitions; it ends with the module."""
    started: list[Pipeline] = []

    def start(partitions: int) -> Pipeline:
        folder = tmp_path_factory.mktemp("run")
        started.append(Pipeline(cluster, Server(binary, folder / "data"), folder, partitions))
        return started[-1]

    yield start
    for pipeline in started:
        pipeline.close()


@pytest.fixture(scope="session")
def devices() -> list[dict[str, Any]]:
    """The 1,000 devices of the case study."""
    return list(json.loads((DATA / "devices_zurich.json").read_text(encoding="utf-8")))
