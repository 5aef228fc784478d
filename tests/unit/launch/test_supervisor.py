"""The supervisor's decisions and log lines; tests/integration/test_supervisor.py stops and restarts real services."""

import io
import os
import signal
from collections.abc import Iterator

import pytest

from services.launch import supervisor
from services.launch.broker import NOISE
from services.launch.program import Program
from services.launch.supervisor import Supervisor


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Give the test process its signal handlers back."""
    numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def run(*programs: Program) -> tuple[int, list[str]]:
    """The exit status of a supervisor of these programs, and its log's lines."""
    out = io.BytesIO()
    status = Supervisor(programs, out).run()
    return status, out.getvalue().decode().splitlines()


def shell(name: str, script: str, **fields: object) -> Program:
    return Program(name, ["/bin/sh", "-c", script], delay_seconds=0.01, **fields)  # type: ignore[arg-type] # any field


def test_required_program_failing_at_its_start_ends_all_with_its_status() -> None:
    status, lines = run(shell("web", "exit 7", required=True), shell("worker", "sleep 60"))
    assert status == 7
    assert lines == ["run    | web ended with status 7 at its start; stopping everything"]


def test_missing_command_ends_a_required_program_with_status_127() -> None:
    status, lines = run(Program("web", ["/no/such/command"], required=True))
    assert status == 127
    assert lines == ["run | web could not start: No such file or directory at its start; stopping everything"]


def test_json_line_gets_the_programs_name_and_other_lines_a_prefix() -> None:
    script = """printf '{"event":"up"}\\nplain\\nunfinished'; exit 3"""
    _, lines = run(shell("web", script, required=True))
    assert lines[:3] == ['{"process":"web","event":"up"}', "web | plain", "web | unfinished"]


def test_failed_program_restarts_after_a_doubling_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "WHEN_SECONDS", 0.01)
    out = io.BytesIO()
    job = shell("job", "exit 1")
    stop = shell("stop", "exit 5", required=True, when=lambda: b"0.04 s" in out.getvalue())
    Supervisor([job, stop], out).run()
    delays = [line.rpartition(" in ")[2] for line in out.getvalue().decode().splitlines() if "restarting" in line]
    assert delays[:3] == ["0.01 s", "0.02 s", "0.04 s"]


class LogThatEndsTheWorker(io.BytesIO):
    """A log; before the line that says that everything stops, the worker has ended."""

    def write(self, line: bytes) -> int:  # type: ignore[override] # it gets bytes alone
        if b"stopping everything" in line:
            worker = int(self.getvalue().split()[-1])
            os.kill(worker, signal.SIGKILL)
            os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        return super().write(line)


def test_program_may_end_by_itself_at_the_moment_in_which_it_is_stopped() -> None:
    out = LogThatEndsTheWorker()
    worker = shell("worker", "echo $$; exec sleep 60", ready=lambda: b"worker |" in out.getvalue())
    web = shell("web", "exit 7", required=True, after="worker")
    assert Supervisor([worker, web], out).run() == 7


def test_program_waits_until_its_predecessor_is_ready() -> None:
    ready: list[str] = []
    first = shell("first", "sleep 60", ready=lambda: True, on_ready=lambda: ready.append("first"))
    second = shell("second", "echo started; exit 4", required=True, after="first")
    status, lines = run(second, first)
    assert (status, ready, lines[0]) == (4, ["first"], "second | started")


def test_named_lines_are_left_out_and_errors_are_shown() -> None:
    script = "echo '1:M # WARNING Memory overcommit must be enabled! x'; echo '# Fatal error'; exit 1"
    _, lines = run(shell("valkey", script, required=True, left_out=NOISE))
    assert lines[0] == "valkey | # Fatal error"
    assert "overcommit" not in "".join(lines)
