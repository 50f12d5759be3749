"""The Flink cluster that `tests/components/flink.sh` starts, over its script and its REST interface."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import requests
from harness import KAFKA_PORT, ROOT, wait_for

SCRIPT = str(ROOT / "tests" / "components" / "flink.sh")
JOBS = ROOT / "examples" / "iot-streaming-analytics" / "jobs"
PORT = os.environ.get("FLINK_PORT", "18081")


class Cluster:
    """One job manager and one task manager."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{PORT}"

    def up(self) -> None:
        """Starts whatever of the cluster is not running."""
        subprocess.run([SCRIPT, "up"], check=True)

    def wipe(self) -> None:
        """Ends the cluster and removes its checkpoints."""
        subprocess.run([SCRIPT, "wipe"], check=True)

    def kill_task_manager(self) -> None:
        """Pulls the plug of the process that runs the jobs."""
        subprocess.run([SCRIPT, "kill-taskmanager"], check=True)

    def submit(self, name: str, tmp_path: Path, **settings: str) -> str:
        """Starts the job of `jobs/<name>.sql` as it stands, below some more settings; gives the job's id."""
        text = (JOBS / f"{name}.sql").read_text(encoding="utf-8")
        sets = "".join(f"SET '{key}' = '{value}';\n" for key, value in settings.items())
        script = tmp_path / f"{name}.sql"
        script.write_text(sets + text, encoding="utf-8")
        command = [SCRIPT, "sql", str(script), f"kafka_broker:29092=127.0.0.1:{KAFKA_PORT}"]
        job = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.wait_until_running(job)
        return job

    def wait_until_running(self, job: str) -> None:
        """Waits until every task of a job runs."""
        running = lambda: {task["status"] for task in self.get(f"/jobs/{job}")["vertices"]} == {"RUNNING"}  # noqa: E731
        wait_for(f"job {job} to run", running, 120)

    def wait_for_source(self, job: str, table: str, records: int) -> None:
        """Waits until the source `table` of a job has handed on that many records."""

        def handed_on() -> bool:
            tasks = [task for task in self.get(f"/jobs/{job}")["vertices"] if f"Source: {table}[" in task["name"]]
            assert len(tasks) == 1
            return bool(tasks[0]["metrics"]["write-records"] == records)

        wait_for(f"{records} records of {table}", handed_on, 120)

    def checkpoint(self, job: str) -> None:
        """Takes a checkpoint now, which commits what the job has written."""
        self.wait_for_request(f"/jobs/{job}/checkpoints", self.post(f"/jobs/{job}/checkpoints", {}))

    def stop_with_savepoint(self, job: str) -> str:
        """Ends a job; gives where the state it leaves lies."""
        request = self.post(f"/jobs/{job}/stop", {"drain": False})
        return str(self.wait_for_request(f"/jobs/{job}/savepoints", request)["location"])

    def cancel_all(self) -> None:
        """Ends every job."""
        ended = {"CANCELED", "FINISHED", "FAILED"}
        for job in self.get("/jobs/overview")["jobs"]:
            if job["state"] not in ended:
                requests.patch(f"{self.url}/jobs/{job['jid']}?mode=cancel", timeout=30)
        all_ended = lambda: all(job["state"] in ended for job in self.get("/jobs/overview")["jobs"])  # noqa: E731
        wait_for("all jobs to end", all_ended, 60)

    def wait_for_request(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """Waits for what was asked for in the background; gives its result."""

        def done() -> dict[str, Any] | None:
            answer = self.get(f"{path}/{request['request-id']}")
            return answer if answer["status"]["id"] == "COMPLETED" else None

        operation = wait_for(f"{path} to complete", done, 120)["operation"]
        assert not operation.get("failure-cause"), operation
        return dict(operation)

    def get(self, path: str) -> Any:
        """The answer to a GET."""
        answer = requests.get(f"{self.url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a POST."""
        answer = requests.post(f"{self.url}{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return dict(answer.json())
