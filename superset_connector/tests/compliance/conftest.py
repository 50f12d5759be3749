"""Runs SQLAlchemy's own dialect suite against a real server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import registry

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
registry.register("ovate.suite", "suite_dialect", "SuiteDialect")

from server import Server  # noqa: E402
from sqlalchemy.testing.plugin import pytestplugin  # noqa: E402
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403

_SERVER: list[Server] = []


def pytest_configure(config: Any) -> None:
    server = Server("--rate", "20")
    _SERVER.append(server)
    server.wait()
    config.option.dburi = [f"ovate+suite://{server.host}:{server.port}/"]
    config.option.requirements = "suite_requirements:Requirements"
    pytestplugin.pytest_configure(config)


def pytest_unconfigure(config: Any) -> None:
    for server in _SERVER:
        server.stop()
