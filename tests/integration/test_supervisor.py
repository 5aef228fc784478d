"""The supervisor with real processes: log lines, restarts, and a stop that leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.processes import is_running
from tests.support.waiting import ROOT, poll

DRIVER = """
import json, sys
from pathlib import Path
from services.launch.program import Program
from services.launch.supervisor import Supervisor
programs = []
for entry in json.loads(sys.argv[1]):
    if "ready" in entry:
        entry |= {"ready": Path(entry["ready"]).exists, "on_ready": lambda: print("ready | it is", flush=True)}
    programs.append(Program(**entry))
sys.exit(Supervisor(programs).run())
"""
# Runs `{more}`, prints its process id and that of a child in its own group, then waits.
SLEEPER = """
import os, signal, subprocess, sys, time
{more}
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("up", os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


def sleeper(name: str, more: str = "", **fields: Any) -> dict[str, Any]:
    return {"name": name, "command": [sys.executable, "-c", SLEEPER.format(more=more)], "delay_seconds": 0.05, **fields}


def command(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "command": [sys.executable, "-c", script], "delay_seconds": 0.05, **fields}


class Running:
    """A running supervisor of these programs, and its log."""

    def __init__(self, *programs: dict[str, Any]) -> None:
        self._programs = programs
        self.log_path = Path(tempfile.mkstemp(prefix="supervisor-", suffix=".log")[1])

    def __enter__(self) -> Self:
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, json.dumps(self._programs)], cwd=ROOT, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            # It kills the programs' children too, also those of a program that has not printed them yet.
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        for pids in self.ups():
            for pid in pids:
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)
        self.log_path.unlink()

    def lines(self, name: str = "") -> list[str]:
        text = self.log_path.read_text().splitlines()
        return [line.partition("| ")[2] for line in text if line.split(" |")[0].strip() == name] if name else text

    def ups(self, name: str = "") -> list[list[int]]:
        """Return the process ids that each start printed, for all programs or for one."""
        found = [line.partition("| ") for line in self.lines()]
        return [
            [int(pid) for pid in text.split()[1:]]
            for program, _, text in found
            if text.startswith("up ") and (not name or program.strip() == name)
        ]

    def wait_up(self, name: str, times: int = 1) -> list[int]:
        """Wait for a start of this program; return its process ids."""
        poll(lambda: len(self.ups(name)) >= times, 20, f"start {times} of {name} ({self.log_path.read_text()})")
        return self.ups(name)[times - 1]

    def wait_end(self, seconds: float = 20) -> int:
        return self.process.wait(seconds)


def wait_gone(pids: list[int]) -> None:
    """Wait for the end of these processes; a killed one may still run for a moment on a busy machine."""
    poll(lambda: not any(map(is_running, pids)), 5, f"the end of {pids}")


@pytest.fixture
def two() -> Iterator[Running]:
    with Running(sleeper("web", required=True), sleeper("worker")) as running:
        running.wait_up("web")
        running.wait_up("worker")
        yield running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_all_programs_and_their_children(two: Running, number: signal.Signals) -> None:
    pids = [pid for pids in two.ups() for pid in pids]
    assert len(pids) == 4
    two.process.send_signal(number)
    assert two.wait_end() == 0
    wait_gone(pids)
    assert two.lines("run") == ["stopping"]


def test_ctrl_c_reaches_only_the_supervisor(two: Running) -> None:
    groups = {os.getpgid(pids[0]) for pids in two.ups()}
    assert len(groups) == 2
    assert os.getpgid(two.process.pid) not in groups


def test_dead_program_restarts_without_affecting_others(two: Running) -> None:
    worker, child = two.wait_up("worker")
    os.kill(worker, signal.SIGKILL)
    again, _ = two.wait_up("worker", 2)
    # An orphaned child would continue its parent's work.
    wait_gone([worker, child])
    assert is_running(again)
    assert len(two.ups("web")) == 1
    assert is_running(two.ups("web")[0][0])
    assert "worker was killed by SIGKILL" in two.lines("run")[0]


def test_required_program_that_dies_after_its_start_restarts(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with Running(sleeper("web", required=True, ready=str(ready))) as running:
        web, _ = running.wait_up("web")
        ready.touch()
        poll(lambda: running.lines("ready"), 30, "a readiness check")
        os.kill(web, signal.SIGKILL)
        assert is_running(running.wait_up("web", 2)[0])


def test_restart_delay_grows_with_each_failure() -> None:
    with Running(command("worker", "raise SystemExit(3)")) as running:
        poll(lambda: len(running.lines("run")) >= 4, 20, "four failures")
        lines = running.lines("run")[:4]
        assert [line.rpartition("in ")[2] for line in lines] == ["0.05 s", "0.1 s", "0.2 s", "0.4 s"]
        assert all("ended with status 3" in line for line in lines)
        running.process.terminate()
        assert running.wait_end() == 0


def test_required_program_failing_at_start_ends_all_with_its_status() -> None:
    bad = command("web", "print('PORT is 70000'); raise SystemExit(4)", required=True)
    with Running(bad, sleeper("worker")) as running:
        assert running.wait_end() == 4
        assert running.lines("web") == ["PORT is 70000"]
        assert running.lines("run") == ["web ended with status 4 at its start; stopping everything"]
        wait_gone([pid for pids in running.ups() for pid in pids])


def test_missing_command_is_reported_and_stops_no_other() -> None:
    with Running(sleeper("web"), {"name": "worker", "command": ["/nowhere/worker"], "delay_seconds": 20}) as running:
        running.wait_up("web")
        assert "worker could not start: No such file or directory" in running.lines("run")[0]


def test_program_ignoring_sigterm_is_killed_after_its_grace_period() -> None:
    stubborn = sleeper("worker", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", grace_seconds=0.3)
    with Running(sleeper("web"), stubborn) as running:
        pids = [*running.wait_up("worker"), *running.wait_up("web")]
        running.process.terminate()
        assert running.wait_end(10) == 0
        assert running.lines("run") == ["stopping", "worker did not stop within 0.3 s and is killed"]
        wait_gone(pids)


def test_second_signal_ends_the_grace_period() -> None:
    stubborn = sleeper("worker", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", grace_seconds=600)
    with Running(stubborn) as running:
        running.wait_up("worker")
        running.process.send_signal(signal.SIGINT)
        poll(lambda: running.lines("run"), 30, "the log line of the first signal")
        running.process.send_signal(signal.SIGINT)
        assert running.wait_end(10) == 0


def test_broker_stops_last() -> None:
    note = "def end(*_):\n    print('gone', flush=True)\n    raise SystemExit\nsignal.signal(signal.SIGTERM, end)"
    slow = note.replace("print", "time.sleep(0.5); print")
    with Running(sleeper("broker", note, last=True), sleeper("worker", slow)) as running:
        running.wait_up("worker")
        running.wait_up("broker")
        running.process.terminate()
        assert running.wait_end() == 0
        assert [line.split()[0] for line in running.lines() if line.endswith("gone")] == ["worker", "broker"]


def test_program_starts_after_its_dependency(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with Running(sleeper("web", ready=str(ready)), sleeper("worker", after="web")) as running:
        running.wait_up("web")
        assert running.ups("worker") == []
        ready.touch()
        running.wait_up("worker")


def test_programs_stop_when_the_supervisor_is_killed(two: Running) -> None:
    two.process.kill()
    two.process.wait(10)
    for pids in two.ups():
        poll(lambda pid=pids[0]: not is_running(pid), 30, "the end of its programs")


def test_background_programs_have_lower_cpu_and_memory_priority() -> None:
    with Running(sleeper("web"), sleeper("worker", background=True)) as running:
        web, worker = running.wait_up("web")[0], running.wait_up("worker")[0]
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, web) == own
        assert os.getpriority(os.PRIO_PROCESS, worker) == min(19, own + 5)
        assert int(Path(f"/proc/{worker}/oom_score_adj").read_text()) == 300


def test_log_lines_name_their_program_and_json_stays_json() -> None:
    script = """print('{"event":"started","level":"info"}'); print("plain"); print("x" * 200_000, end="", flush=True)"""
    with Running(command("web", script, delay_seconds=20), sleeper("worker")) as running:
        poll(lambda: running.lines("run"), 20, "the end of web")
        lines = running.lines()
        (line,) = (line for line in lines if line.startswith("{"))
        assert json.loads(line) == {"process": "web", "event": "started", "level": "info"}
        assert "web    | plain" in lines
        assert sum(line.count("x") for line in running.lines("web")) == 200_000


def test_program_with_closed_output_uses_no_cpu() -> None:
    silent = sleeper("web", "os.dup2(os.open('/dev/null', os.O_WRONLY), 1)\nos.dup2(1, 2)")
    with Running(silent, sleeper("worker", "time.sleep(1)")) as running:
        running.wait_up("worker")
        fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
        assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 0.5
