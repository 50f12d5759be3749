"""Connecting: the right and the wrong password, the command line, and a server that goes away and comes back."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import Imported
from superset_client import Superset

from demo import PASSWORD, ROOT, Demo

VENV = Path(
    os.environ.get(
        "SUPERSET_VENV", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ovate/superset-venv"
    )
)


def _uri(demo: Demo, scheme: str) -> str:
    return demo.druid_uri if scheme == "druid" else demo.ovate_uri


@pytest.mark.parametrize("scheme", ["druid", "ovate"])
def test_test_connection_knows_the_right_password_from_a_wrong_one(superset: Superset, demo: Demo, scheme: str) -> None:
    path, uri = "/api/v1/database/test_connection/", _uri(demo, scheme)
    assert superset.post(path, {"database_name": "trial", "sqlalchemy_uri": uri}) == {"message": "OK"}
    wrong = superset.request(
        "POST", path, json={"sqlalchemy_uri": uri.replace(PASSWORD, "wrong"), "database_name": "trial"}
    )
    assert 400 <= wrong.status_code < 500
    (error,) = wrong.json()["errors"]
    # Stock pydruid keeps what the server said to itself; there is nothing to hold for druid:// beyond the status.
    if scheme == "ovate":
        assert "NoneType" not in error["message"]
        assert error["error_type"] == "CONNECTION_ACCESS_DENIED_ERROR"
        assert error["extra"]["invalid"] == ["username", "password"]


def test_a_server_that_is_not_there_is_said_to_be_not_there(superset: Superset) -> None:
    body = {"database_name": "trial", "sqlalchemy_uri": "ovate://127.0.0.1:9/"}
    answer = superset.request("POST", "/api/v1/database/test_connection/", json=body)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["error_type"] == "CONNECTION_PORT_CLOSED_ERROR"


def test_supersets_own_check_finds_the_dialect_and_the_engine_spec(demo: Demo, superset_url: str) -> None:
    folder = Path(os.environ.get("SUPERSET_DIR", VENV.parent / "superset"))
    settings = ROOT / "tests" / "components" / "superset_config.py"
    environment = {**os.environ, "SUPERSET_HOME": str(folder), "SUPERSET_CONFIG_PATH": str(settings)}
    ran = subprocess.run(
        [str(VENV / "bin" / "superset"), "test-db", demo.ovate_uri],
        env=environment,
        input="n\n",  # no further connection arguments
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for found in ("ovate_connector.superset.spec", "Connected successfully", "> 1"):
        assert found in ran.stdout, ran.stdout


def test_the_feature_score_is_what_the_readme_says() -> None:
    ran = subprocess.run([str(VENV / "bin" / "ovate-superset-score")], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    score = re.search(r"score: (\d+) of (\d+)", ran.stdout)
    assert score is not None, ran.stdout
    assert int(score[1]) >= 131
    assert f"{score[1]} of {score[2]}" in (ROOT / "superset_connector" / "README.md").read_text(encoding="utf-8")


def test_charts_come_back_when_the_server_does(case_study: Imported, ours: Imported, demo: Demo) -> None:
    def ask(imported: Imported) -> tuple[int, str]:
        query = {"columns": [], "metrics": ["count"], "filters": []}
        body = {"datasource": {"id": imported.dataset("DEVICES"), "type": "table"}, "queries": [query], "force": True}
        answer = imported.superset.request("POST", "/api/v1/chart/data", json=body)
        return answer.status_code, answer.text

    demo.stop()
    try:
        for imported in (case_study, ours):
            status, text = ask(imported)
            assert status >= 400
            assert "refused" in text
    finally:
        demo.start()
    for imported in (case_study, ours):
        status, text = ask(imported)
        assert status == 200, text
        assert '"count":1000' in text.replace(" ", "")
