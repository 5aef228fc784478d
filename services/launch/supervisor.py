"""Runs and stops several programs as one: the few features of a process manager that `make run` needs.

Each program has its own process group, so that Ctrl-C reaches only the supervisor and nothing is left behind of a
program that ends. One thread does everything: it sleeps until a line is written, a child ends or a signal comes.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import IO, Final

from services.launch.program import Program, RunningProgram, child_setup

# Between two steps while something is due.
POLL_SECONDS: Final = 0.05
# A required program that fails this early was never right: settings, an address in use.
FIRST_SECONDS: Final = 10.0
# Between two checks whether a program is needed.
WHEN_SECONDS: Final = 0.5
# A program that ran this long restarts without the delay of its earlier failures.
STEADY_SECONDS: Final = 60.0
MAX_DELAY_SECONDS: Final = 30.0
# The longest wait for another program's readiness.
READY_SECONDS: Final = 20.0
MAX_LINE_BYTES: Final = 64 * 1024
# Reads after a program's end: more than a pipe holds.
LAST_READS: Final = 16


class Supervisor:
    """Runs programs until a signal comes (SIGTERM, SIGINT or SIGHUP; a second one kills), or a required one fails."""

    def __init__(self, programs: Sequence[Program], out: IO[bytes] | None = None) -> None:
        self._all = [RunningProgram(program) for program in programs]
        self._out = out or sys.stderr.buffer
        self._width = max(len(program.name) for program in programs)
        self._selector = selectors.DefaultSelector()
        self._signals = 0
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Run until all programs have ended; return the exit status. Must be called in the main thread."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        self._selector.register(wake_read, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the loop
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._note_signal)
        try:
            while self._step():
                for key, _ in self._selector.select(self._timeout()):
                    if key.data is None:
                        with contextlib.suppress(BlockingIOError):
                            os.read(wake_read, 1024)
                    else:
                        self._read(key.data)
        finally:
            for one in self._all:
                self._kill(one)
        return self._status

    def _note_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as `signal` calls it
        self._signals += 1

    def _step(self) -> bool:
        """Do what is due; return whether to go on."""
        now = time.monotonic()
        for one in self._all:
            self._reap(one)
        if self._signals and not self._stopping:
            self._stopping = True
            self._say("stopping")
        elif self._signals > 1:
            for one in self._all:
                self._kill(one)
        for one in self._all:
            if self._stopping:
                self._stop(one, now)
            elif one.process is None:
                if now >= one.start_at and self._may_start(one, now):
                    self._start(one)
            else:
                self._check_ready(one, now)
        return not self._stopping or any(one.process for one in self._all)

    def _check_ready(self, one: RunningProgram, now: float) -> None:
        if one.is_ready or not one.program.ready or now < one.check_at:
            return
        one.check_at = now + (POLL_SECONDS if now - one.started < READY_SECONDS else 1.0)
        if one.program.ready():
            one.is_ready = True
            if one.program.on_ready:
                one.program.on_ready()

    def _timeout(self) -> float | None:
        """Return how long nothing can become due; None: until something happens."""
        waits = self._stopping or any(one.process is None and not self._is_dormant(one) for one in self._all)
        waits = waits or any(one.process and one.program.ready and not one.is_ready for one in self._all)
        if waits:
            return POLL_SECONDS
        return WHEN_SECONDS if any(self._is_dormant(one) for one in self._all) else None

    def _is_dormant(self, one: RunningProgram) -> bool:
        return bool(one.program.when) and not one.starts

    def _may_start(self, one: RunningProgram, now: float) -> bool:
        if one.program.when and not one.starts and not one.program.when():
            one.start_at = now + WHEN_SECONDS
            return False
        other = next((other for other in self._all if other.program.name == one.program.after), None)
        if other is None or other.is_ready:
            return True
        return bool(other.process) and now - other.started > READY_SECONDS

    def _start(self, one: RunningProgram) -> None:
        program = one.program
        try:
            one.process = subprocess.Popen(  # noqa: S603 - the operator's own programs
                program.command,
                env=program.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=program.pass_fds,
                preexec_fn=child_setup(program.background, os.getpid()),  # safe: there is one thread
            )
        except OSError as exc:
            one.started = time.monotonic()
            self._ended(one, f"could not start: {exc.strerror}", 127)
            return
        finally:
            one.starts += 1
        assert one.process.stdout
        os.set_blocking(one.process.stdout.fileno(), False)
        self._selector.register(one.process.stdout, selectors.EVENT_READ, one)
        one.started, one.terminated, one.is_ready = time.monotonic(), False, False

    def _reap(self, one: RunningProgram) -> None:
        """Clean up after a process that has ended: its group is killed before the group's number is free again."""
        if one.process is None:
            return
        if os.waitid(os.P_PID, one.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return
        self._kill(one)
        status = one.process.wait()
        for _ in range(LAST_READS):
            if not self._read(one):
                break
        self._flush(one)
        assert one.process.stdout
        self._forget(one)
        one.process.stdout.close()
        one.process = None
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self._ended(one, how, status if status > 0 else 1)

    def _ended(self, one: RunningProgram, how: str, status: int) -> None:
        """Report the end, and either plan the next start or stop everything."""
        program, ran = one.program, time.monotonic() - one.started
        if self._stopping:
            return
        if program.required and one.starts <= 1 and ran < FIRST_SECONDS and not one.is_ready:
            self._say(f"{program.name} {how} at its start; stopping everything")
            self._stopping, self._status = True, status
            return
        one.failures = 0 if ran > STEADY_SECONDS else one.failures
        delay = min(MAX_DELAY_SECONDS, program.delay_seconds * 2**one.failures)
        one.failures = min(one.failures + 1, 10)
        one.start_at = time.monotonic() + delay
        self._say(f"{program.name} {how} after {ran:.1f} s; restarting it in {delay:g} s")

    def _stop(self, one: RunningProgram, now: float) -> None:
        if one.process is None:
            return
        if one.program.last and any(other.process and not other.program.last for other in self._all):
            return
        if not one.terminated:
            one.terminated, one.kill_at = True, now + one.program.grace_seconds
            # Popen.terminate would wait for a process that has just ended, and leave the rest of its group.
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.process.pid, signal.SIGTERM)
        elif now >= one.kill_at:
            one.kill_at = float("inf")
            self._say(f"{one.program.name} did not stop within {one.program.grace_seconds:g} s and is killed")
            self._kill(one)

    def _kill(self, one: RunningProgram) -> None:
        """Kill the whole process group; it exists as long as its leader has not been waited for."""
        if one.process and one.process.returncode is None:
            # MacOS: of a group that has only ended ones.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(one.process.pid, signal.SIGKILL)

    def _read(self, one: RunningProgram) -> bool:
        """Pass on complete lines; return whether there was anything to read."""
        assert one.process
        assert one.process.stdout
        try:
            data = os.read(one.process.stdout.fileno(), MAX_LINE_BYTES)
        except BlockingIOError:
            return False
        # It has closed its output, and may go on all the same.
        if not data:
            self._forget(one)
            return False
        *lines, one.partial = (one.partial + data).split(b"\n")
        for line in lines:
            if not any(text in line for text in one.program.left_out):
                self._write(one.program.name, line)
        if len(one.partial) >= MAX_LINE_BYTES:
            self._flush(one)
        return True

    def _forget(self, one: RunningProgram) -> None:
        with contextlib.suppress(KeyError):
            assert one.process
            assert one.process.stdout
            self._selector.unregister(one.process.stdout)

    def _flush(self, one: RunningProgram) -> None:
        if one.partial:
            self._write(one.program.name, one.partial)
            one.partial = b""

    def _write(self, name: str, line: bytes) -> None:
        """Write a line: a JSON object gets a field `process`, any other line the name in front of it."""
        if line.startswith(b'{"') and line.endswith(b"}"):
            line = b'{"process":"' + name.encode() + b'",' + line[1:]
        else:
            line = f"{name:{self._width}} | ".encode() + line
        # The log's reader is gone; the programs go on.
        with contextlib.suppress(OSError):
            self._out.write(line + b"\n")
            self._out.flush()

    def _say(self, text: str) -> None:
        self._write("run", text.encode())
