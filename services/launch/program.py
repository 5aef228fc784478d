"""A program that the supervisor runs, and the set-up of its process."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# A background program uses the CPU time that others leave.
NICE_INCREMENT: Final = 5
# The kernel kills a background program first when memory runs out.
OOM_SCORE: Final = 300
PR_SET_PDEATHSIG: Final = 1  # prctl.h


@dataclass(frozen=True)
class Program:
    """A command, and how it is kept running.

    `env`: its whole environment; None: the supervisor's.
    `required`: if its first start fails early, everything ends with its exit status.
    `after`: the name of a program that has to be `ready` before this one starts. `when`: whether it is needed yet.
    `background`: yields CPUs and memory to the others. `last`: stops after all programs that are not `last`.
    `left_out`: lines of its output that hold one of these texts are not shown.
    `grace_seconds`: between SIGTERM and SIGKILL. `delay_seconds`: before the first restart; doubles with each failure.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    required: bool = False
    ready: Callable[[], bool] | None = None
    on_ready: Callable[[], None] | None = None
    after: str = ""
    when: Callable[[], bool] | None = None
    background: bool = False
    last: bool = False
    left_out: tuple[bytes, ...] = ()
    grace_seconds: float = 75.0
    delay_seconds: float = 1.0
    pass_fds: tuple[int, ...] = ()


class RunningProgram:
    """A program and its present process, if any."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started = self.check_at = self.kill_at = 0.0
        self.start_at = time.monotonic()
        self.failures = self.starts = 0
        self.terminated = False
        self.is_ready = False
        self.partial = b""


def child_setup(background: bool, parent: int) -> Callable[[], None] | None:
    """Return what a child does between fork and exec: on Linux it is signalled when the supervisor dies."""
    libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:  # it died in between
                os._exit(1)
        if background:
            os.nice(NICE_INCREMENT)
            with contextlib.suppress(OSError):
                Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))

    return prepare
