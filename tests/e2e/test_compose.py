"""The containers of the case study, as far as they can be checked without an engine: Docker Compose reads the file, and
what the images are built from is there."""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "iot-streaming-analytics"
COMPOSE = Path(sys.executable).parent / "docker-compose"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """What Docker Compose makes of the file."""
    command = [COMPOSE, "--file", EXAMPLE / "compose.yaml", "config", "--format", "json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": os.environ["HOME"]})
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    found: dict[str, Any] = json.loads(told.stdout)["services"]
    return found


def test_every_part_of_the_case_study_is_a_service(services: dict[str, Any]) -> None:
    assert {"kafka_broker", "ovate", "jobmanager", "taskmanager", "jobs", "superset", "devices", "events"} <= set(services)


def test_only_this_machine_reaches_what_is_published(services: dict[str, Any]) -> None:
    published = {
        (port["host_ip"], port["published"]) for service in services.values() for port in service.get("ports", [])
    }
    assert published == {("127.0.0.1", "8888"), ("127.0.0.1", "8081"), ("127.0.0.1", "8088")}


def test_what_is_waited_for_can_come(services: dict[str, Any]) -> None:
    """Who waits for health has somebody with a health check to wait for: in the file, or in the image we build."""
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                asked = services[other]
                own = asked.get("build") and "HEALTHCHECK" in _dockerfile(asked["build"]).read_text()
                assert asked.get("healthcheck") or own, f"{name} waits for {other}"


def test_images_are_pinned_and_made_of_what_is_there(services: dict[str, Any]) -> None:
    for name, service in services.items():
        build = service.get("build")
        if build is None:
            assert _is_pinned(service["image"]), name
            continue
        dockerfile = _dockerfile(build)
        stages: set[str] = set()
        for line in dockerfile.read_text().splitlines():
            match line.split():
                case ["FROM", image, *rest]:
                    assert image in stages or _is_pinned(image), f"{dockerfile.name}: {line}"
                    stages.update(rest[1:])
                case ["COPY", *parts] if not any(part.startswith("--from") for part in parts):
                    *sources, _ = (part for part in parts if not part.startswith("--"))
                    for source in sources:
                        _check_source(Path(build["context"]), dockerfile, source)


def _dockerfile(build: dict[str, Any]) -> Path:
    return Path(build["context"]) / build["dockerfile"]


def _is_pinned(image: str) -> bool:
    return image.partition(":")[2] not in ("", "latest")


def _check_source(context: Path, dockerfile: Path, source: str) -> None:
    """It is there, and the image's own list does not keep it from the engine."""
    here = context / source
    assert here.exists(), f"{dockerfile.name} copies {source}"
    ignore = Path(f"{dockerfile}.dockerignore")
    if not ignore.exists() or source == ".":
        return
    let_in = [line[1:] for line in ignore.read_text().splitlines() if line.startswith("!")]
    inside = [here, *here.rglob("*")] if here.is_dir() else [here]
    names = [path.relative_to(context).as_posix() for path in inside]
    assert any(fnmatch.fnmatch(name, pattern) for name in names for pattern in let_in), f"{ignore.name} hides {source}"
