"""What the supervisor routes answer, beside what a real Druid 33 answered to the same requests (`recorded/`).

Status and shape are compared: the same fields in the same order, with values of the same types. Maps by partition or by task
are compared by their first entry, supervisors by their ids, texts that are JSON by what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from harness import PASSWORD, USER, Server, wait_for

RECORDED = Path(__file__).parent / "recorded"
CASE_STUDY = {"ALERTS", "DEVICES", "EVENTS_GEO"}
# A supervisor's life, in order; the others only ask.
LIFE = [
    "life-01-suspend", "life-02-status-suspended", "life-03-suspend-again", "life-12-resume", "life-13-status-resumed",
    "life-14-resume-again", "life-15-reset", "life-17-reset-offsets", "life-18-terminate", "life-19-get-terminated",
    "life-20-status-terminated", "life-22-terminate-again", "life-23-history", "life-21-list",
]  # fmt: skip
# Told only once the broker has been asked: a server quicker than the recorded one may already know them.
LEARNED = {"latestOffsets", "offsetsLastUpdated"}
ASKED = sorted(path.stem for path in RECORDED.glob("supervisor-*.json"))


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def by_id(value: Any) -> Any:
    """The case study's supervisors: they are listed in any order, and among those of other tests."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "id" in item for item in value):
        value = {item["id"]: item for item in value}
    if isinstance(value, dict) and set(value) >= CASE_STUDY:
        return {name: value[name] for name in sorted(CASE_STUDY)}
    return value


def is_map(value: dict[str, Any]) -> bool:
    return bool(value) and all(key.isdigit() or key.startswith("index_kafka_") for key in value)


def difference(at: str, ours: Any, druids: Any) -> str | None:
    if ours is None or druids is None:
        return None
    if isinstance(ours, dict) and isinstance(druids, dict):
        if is_map(druids) or is_map(ours):
            pairs = [("*", *pair) for pair in zip(ours.values(), druids.values(), strict=False)][:1]
        elif [field for field in ours if field in druids or field not in LEARNED] != list(druids):
            return f"{at}: fields {list(ours)}, Druid has {list(druids)}"
        else:
            pairs = [(key, ours[key], druids[key]) for key in druids]
    elif isinstance(ours, list) and isinstance(druids, list):
        pairs = [("0", *pair) for pair in zip(ours, druids, strict=False)][:1]
    elif isinstance(ours, str) and isinstance(druids, str) and druids.startswith("{"):
        return difference(f"{at}(text)", parsed(ours), parsed(druids))
    elif isinstance(ours, bool) != isinstance(druids, bool):
        return f"{at}: {ours!r}, Druid has {druids!r}"
    elif isinstance(ours, int | float) and isinstance(druids, int | float):
        return None
    else:
        return None if type(ours) is type(druids) else f"{at}: {ours!r}, Druid has {druids!r}"
    return next(filter(None, (difference(f"{at}.{key}", a, b) for key, a, b in pairs)), None)


def compared(server: Server, name: str) -> list[str]:
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    asked = recorded["request"]
    answer = requests.request(
        asked["method"], server.url + asked["path"], json=asked["body"], auth=(USER, PASSWORD), timeout=30
    )
    found = []
    if answer.status_code != recorded["status"]:
        found.append(f"{name}: status {answer.status_code}, Druid says {recorded['status']}: {answer.text[:200]}")
    if answer.status_code >= 400 and answer.text != recorded["body"]:
        found.append(f"{name}: {answer.text!r}, Druid says {recorded['body']!r}")
    ours, druids = by_id(parsed(answer.text)), by_id(parsed(recorded["body"]))
    found.extend(filter(None, [difference(name, ours, druids)]))
    return found


@pytest.mark.parametrize("name", ASKED)
def test_an_answer_has_the_shape_of_druids(case_study: Server, name: str) -> None:
    assert compared(case_study, name) == []


def test_a_supervisors_life_is_told_as_druid_tells_it(make_server: Callable[..., Server]) -> None:
    server = make_server()
    server.start()
    server.post_specifications()
    running = f"{server.url}/druid/indexer/v1/supervisor/ALERTS/status"
    wait_for("ALERTS to run", lambda: requests.get(running, timeout=10).json()["payload"]["state"] == "RUNNING")
    found = [difference for name in LIFE for difference in compared(server, name)]
    assert found == []
