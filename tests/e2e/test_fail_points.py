"""The process ends at every place that the binary names, five times each; the next one finds each row once.

The places are listed by the binary (`ovate fail-points`, debug builds only), so that a new one cannot be forgotten: a
place that no action here leads to fails the test, too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from harness import Server, figure, wait_for
from exactly_once import FIRST_MS, Ids, assert_exactly_once, create_topic, post, row, spec, status

ENDS = int(os.environ.get("OVATE_TEST_ENDS_PER_POINT", "5"))
AT_ONCE = 4
SUPERVISOR = "/druid/indexer/v1/supervisor"
RULES = "/druid/coordinator/v1/rules"
# What the store does for itself, it does soon.
CARE = ("--care-period-ms", "50")


class Place:
    """One fail point with a server, a topic and rows of its own."""

    def __init__(self, binary: str, folder: Path, point: str) -> None:
        self.point = point
        self.topic = "FP_" + point.replace(".", "_").upper()
        self.kind = point.split(".")[0]
        flags = CARE if self.kind in ("compact", "rules", "retention") else ()
        self.server = Server(binary, folder / point / "data", *flags, open=True)
        self.ids = Ids(self.topic)
        self.turn = 0
        self.begun: list[str] = []
        self.ruled: list[str] = []

    def action(self) -> Callable[[], None]:
        """What leads to the place."""
        of_its_own = {
            "start.before_offsets": self.begin_another,
            "start.offsets_stored": self.begin_another,
            "publish.offsets_stored": self.begin_another,
        }
        of_its_kind = {
            "spec": self.change_spec, "suspend": self.suspend_and_resume, "resume": self.suspend_and_resume,
            "reset": self.reset, "offsets": self.set_offsets, "task": self.shut_down_task, "terminate": self.terminate,
            "unused": self.drop_another, "kill": self.drop_another, "shutdown": self.shut_down,
            "rules": self.rule_another_out, "retention": self.rule_another_out,
        }  # fmt: skip
        return of_its_own.get(self.point) or of_its_kind.get(self.kind) or self.produce

    def limits(self) -> dict[str, int]:
        # A reset reads again what is published, as Druid's does: there, nothing is.
        return {} if self.kind == "reset" else {"maxRowsPerSegment": 40}

    def ask(self, path: str, body: object = None) -> None:
        assert self.server.post(path, body).ok

    def wait(self, what: str, check: Callable[[], object]) -> None:
        """Until it is so, or the process has ended, which the next request notices."""
        wait_for(f"{what} at {self.point}", lambda: self.server.has_ended() or check(), 20)

    def produce(self) -> None:
        self.ids.send(50)
        self.wait("rows", lambda: self.server.count(self.topic) >= len(self.ids.acknowledged))

    def change_spec(self) -> None:
        self.turn += 1
        self.ids.send(10)
        post(self.server, spec(self.topic, maxRowsPerSegment=40 + self.turn))

    def suspend_and_resume(self) -> None:
        self.ids.send(10)
        if not status(self.server, self.topic)["suspended"]:
            self.ask(f"{SUPERVISOR}/{self.topic}/suspend")
        self.ask(f"{SUPERVISOR}/{self.topic}/resume")

    def reset(self) -> None:
        self.produce()
        self.ask(f"{SUPERVISOR}/{self.topic}/reset")

    def set_offsets(self) -> None:
        """To where they are: anything else would lose or double rows, as asked."""
        self.produce()
        offset = {"0": len(self.ids.acknowledged)}
        self.ask(f"{SUPERVISOR}/{self.topic}/resetOffsets", {"partitions": {"partitionOffsetMap": offset}})

    def shut_down_task(self) -> None:
        self.produce()
        task = next(t["id"] for t in self.server.get("/druid/indexer/v1/tasks") if t["statusCode"] == "RUNNING")
        self.ask(f"/druid/indexer/v1/task/{task}/shutdown")

    def terminate(self) -> None:
        post(self.server, spec(self.topic, **self.limits()))
        self.produce()
        self.ask(f"{SUPERVISOR}/{self.topic}/terminate")

    def another(self) -> str:
        self.turn += 1
        name = f"{self.topic}_{self.turn}"
        create_topic(name)
        self.ids.producer.produce(name, row(0))
        self.ids.producer.flush(10)
        post(self.server, spec(name, maxRowsPerSegment=1))
        return name

    def begin_another(self) -> None:
        name = self.another()
        self.begun.append(name)
        self.wait("its row", lambda: self.server.count(name) == 1)

    def another_segment(self) -> str:
        """Of another datasource, so that what is dropped is not missed."""
        name = self.another()
        published = f"SELECT 1 FROM sys.segments WHERE datasource = '{name}' AND is_published = 1"
        self.wait("its segment", lambda: self.server.sql(published))
        return name

    def rule_another_out(self) -> None:
        name = self.another_segment()
        self.ruled.append(name)
        self.ask(f"{RULES}/{name}", [{"type": "dropForever"}])
        self.wait("it to be dropped", lambda: self.server.count(name) == 0)

    def drop_another(self) -> None:
        name = self.another_segment()
        url = f"{self.server.url}/druid/coordinator/v1/datasources/{name}"
        assert requests.delete(url, timeout=10).ok
        hour = FIRST_MS // 3_600_000 * 3_600_000
        ends = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((hour + plus) / 1000)) for plus in (0, 3_600_000)]
        assert requests.delete(url, params={"kill": "true", "interval": "/".join(ends)}, timeout=10).ok

    def shut_down(self) -> None:
        self.ids.send(10)
        assert self.server.process
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.wait(20)

    def end(self, nth: int) -> None:
        """Starts, and does what leads to the place until the process has ended there."""
        self.server.launch(OVATE_FAIL_POINT=f"{self.point}:{nth}")
        action = self.action()
        until = time.monotonic() + 40
        while not self.server.has_ended():
            assert time.monotonic() < until, f"{self.point}: never came by"
            try:
                if self.server.answers():
                    action()
            except (requests.RequestException, AssertionError):
                time.sleep(0.02)
        assert self.server.process
        code = self.server.process.returncode
        assert code == -signal.SIGABRT, f"{self.point}: ended with {code}, see {self.server.log}"

    def check(self) -> None:
        self.server.start()
        if self.topic not in self.server.get(SUPERVISOR):
            post(self.server, spec(self.topic, **self.limits()))
        if status(self.server, self.topic)["suspended"]:
            self.ask(f"{SUPERVISOR}/{self.topic}/resume")
        self.ids.send(1)
        assert_exactly_once(self.server, self.topic, self.ids.acknowledged)
        for name in self.begun:
            post(self.server, spec(name, maxRowsPerSegment=1))
            assert_exactly_once(self.server, name, {0})
        for name in self.ruled:
            # A rule that is stored is followed, by whatever process; one that is not was never answered.
            if self.server.get(f"{RULES}/{name}"):
                self.wait("it to be dropped", lambda name=name: self.server.count(name) == 0)
        self.server.kill()
        verified = self.run("verify", self.server.folder)
        assert verified.returncode == 0, f"{self.point}: {verified.stdout}{verified.stderr}"

    def run(self, command: str, folder: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.server.binary, command, "--data", str(folder), *more],
            capture_output=True, text=True, timeout=60, env={**os.environ, **environment},
        )  # fmt: skip

    def walk(self) -> None:
        create_topic(self.topic)
        self.server.folder.parent.mkdir()
        self.server.start()
        post(self.server, spec(self.topic, **self.limits()))
        self.produce()
        self.server.kill()
        if self.kind == "backup":
            self.end_backups()
        elif self.point in ("catalog.written", "catalog.in_place"):
            self.end_before_there_is_a_catalog()
        else:
            for turn in range(1, ENDS + 1):
                # A process is shut down once, and looks after its segments only now and then.
                self.end(1 if self.kind in ("shutdown", "compact", "rules", "retention") else turn)
        self.check()

    def end_before_there_is_a_catalog(self) -> None:
        known = self.server
        for turn in range(ENDS):
            self.server = Server(known.binary, known.folder.parent / str(turn), open=True)
            self.end(1)
            self.server.start()
            assert self.server.get(SUPERVISOR) == []
            self.server.kill()
        self.server = known

    def end_backups(self) -> None:
        """A backup that has ended before its end is none, and says so; the store never minds."""
        for turn in range(ENDS):
            self.server.start()
            self.produce()
            assert self.server.stop() == 0
            target = self.server.folder.parent / str(turn)
            ended = self.run("backup", self.server.folder, "--to", str(target), OVATE_FAIL_POINT=self.point)
            assert ended.returncode == -signal.SIGABRT, ended.stdout + ended.stderr
            verified = self.run("verify", target)
            assert verified.returncode == (0 if self.point == "backup.done" else 1), verified.stdout + verified.stderr
            shutil.rmtree(target)
            for command in (["backup", self.server.folder, "--to", str(target)], ["verify", target]):
                done = self.run(*command)
                assert done.returncode == 0, done.stdout + done.stderr
        restored = Server(self.server.binary, target, open=True)
        restored.start()
        assert_exactly_once(restored, self.topic, self.ids.acknowledged)
        restored.kill()


def test_every_fail_point_loses_and_doubles_nothing(binary: str, kafka: None, tmp_path: Path) -> None:
    listed = subprocess.run([binary, "fail-points"], capture_output=True, text=True, check=True)
    points = listed.stdout.split()
    assert len(points) >= 24
    places = [Place(binary, tmp_path, point) for point in points]
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for walked in [pool.submit(place.walk) for place in places]:
                walked.result()
    finally:
        for place in places:
            if not place.server.has_ended():
                place.server.kill()
    rows = sum(len(place.ids.acknowledged) for place in places)
    figure(
        f"fail points: {len(points)} places x {ENDS} ends, {rows} rows; 0 lost, 0 doubled; "
        f"{time.monotonic() - began:.0f} s"
    )
