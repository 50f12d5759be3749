"""The end of a process, and what the commands say of the folder it leaves. Runs last: it stops the server."""

from __future__ import annotations

import subprocess
import time

import requests
from harness import Server, wait_for


def run(server: Server, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [server.binary, *command, "--data", str(server.folder)], capture_output=True, text=True, timeout=60
    )


def test_a_second_process_is_refused_while_the_first_runs(case_study: Server) -> None:
    refused = run(case_study, "verify")
    assert refused.returncode == 1
    assert case_study.process
    assert f"in use by process {case_study.process.pid}" in refused.stderr


def test_metrics_can_be_scraped(case_study: Server) -> None:
    text = requests.get(f"{case_study.url}/metrics", auth=("druid_system", "password2"), timeout=10).text
    assert 'ovate_ingest_rows_total{' in text
    assert "# TYPE" in text


def test_stopping_publishes_every_row_and_the_folder_is_whole(case_study: Server) -> None:
    began = time.monotonic()
    assert case_study.stop() == 0
    assert time.monotonic() - began < 20
    verified = run(case_study, "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    listed = run(case_study, "segments").stdout
    rows = {}
    for line in listed.splitlines()[1:-1]:
        name, count = line.split()[:2]
        rows[name] = rows.get(name, 0) + int(count)
    assert (rows["DEVICES"], rows["EVENTS_GEO"], rows["ALERTS"]) == (1_000, 49_000, 20)

    data_file = next(case_study.folder.glob("segments/EVENTS_GEO/*/data.arrow"))
    original = data_file.read_bytes()
    try:
        data_file.chmod(0o644)
        broken = bytearray(original)
        broken[len(broken) // 2] ^= 1
        data_file.write_bytes(bytes(broken))
        damaged = run(case_study, "verify")
        assert damaged.returncode == 1
        assert "EVENTS_GEO" in damaged.stdout
    finally:
        data_file.write_bytes(original)
    case_study.start()
    wait_for("all rows", lambda: case_study.count("EVENTS_GEO") == 49_000, 10)
