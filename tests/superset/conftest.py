"""One Superset and one server for all tests, both real; each dashboard is imported once, as a person would.

Environment: `OVATE_BIN` is the binary under test, `SUPERSET_PORT` where Superset listens. Pictures and statements are
kept in `artefacts/superset`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from browser import Browser, browser
from superset_client import Superset

from demo import ROOT, Demo

ARTEFACTS = ROOT / "artefacts" / "superset"
CASE_STUDY = ROOT / "tests" / "data" / "IOT-STREAMING-ANALYTICS.zip"
PORT = os.environ.get("SUPERSET_PORT", "18089")


@dataclass(frozen=True)
class Imported:
    """A dashboard that has been imported: its id, and the database that it draws from."""

    dashboard: int
    database: int
    database_name: str
    uri: str
    superset: Superset

    def dataset(self, table: str) -> int:
        """The id of a table's dataset."""
        return self.superset.dataset_id(table, self.database_name)


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    started = Demo(os.environ.get("OVATE_BIN", str(ROOT / "target" / "debug" / "ovate")))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def superset_url() -> Iterator[str]:
    script = str(ROOT / "tests" / "components" / "superset.sh")
    environment = {**os.environ, "SUPERSET_PORT": PORT}
    subprocess.run([script, "up"], check=True, env=environment)
    yield f"http://127.0.0.1:{PORT}"
    subprocess.run([script, "down"], check=True, env=environment)


@pytest.fixture(scope="session")
def superset(superset_url: str) -> Superset:
    return Superset(superset_url)


@pytest.fixture(scope="session")
def page(superset_url: str) -> Iterator[Browser]:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with browser(superset_url, ARTEFACTS) as opened:
        yield opened


@pytest.fixture(scope="session")
def case_study(superset: Superset, demo: Demo) -> Imported:
    """The published export, through stock pydruid."""
    number = superset.import_dashboard(CASE_STUDY, demo.druid_uri)
    return Imported(number, superset.database_id("Apache Druid"), "Apache Druid", demo.druid_uri, superset)


@pytest.fixture(scope="session")
def ours(superset: Superset, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """The connector's own dashboard, through its own dialect."""
    file = tmp_path_factory.mktemp("dashboard") / "ovate-dashboard.zip"
    subprocess.run([sys.executable, str(ROOT / "superset_connector" / "dashboard" / "zip.py"), str(file)], check=True)
    number = superset.import_dashboard(file, demo.ovate_uri)
    return Imported(number, superset.database_id("Ovate"), "Ovate", demo.ovate_uri, superset)


@pytest.fixture(params=["case_study", "ours"], ids=["druid", "ovate"])
def either(request: pytest.FixtureRequest) -> Imported:
    """The same through both dialects."""
    imported: Imported = request.getfixturevalue(request.param)
    return imported
