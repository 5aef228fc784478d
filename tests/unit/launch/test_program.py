"""The set-up of a program's process, in real children."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.launch.program import NICE_INCREMENT, OOM_SCORE, Program, RunningProgram, child_setup

linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl and /proc are Linux's")


def output(script: str, setup: Callable[[], None] | None) -> str:
    """What a shell script prints in a child with this set-up."""
    done = subprocess.run(["/bin/sh", "-c", script], preexec_fn=setup, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_new_program_has_no_process_and_may_start_immediately() -> None:
    running = RunningProgram(Program("web", ["true"]))
    assert (running.process, running.starts, running.failures, running.is_ready) == (None, 0, 0, False)
    assert running.start_at > 0


@linux
def test_background_program_yields_cpu_and_memory() -> None:
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert output("nice", child_setup(True, os.getpid())) == str(min(19, nice + NICE_INCREMENT))
    assert output("cat /proc/self/oom_score_adj", child_setup(True, os.getpid())) == str(OOM_SCORE)


@linux
def test_foreground_program_keeps_its_priorities() -> None:
    setup = child_setup(False, os.getpid())
    assert output("nice", setup) == str(os.getpriority(os.PRIO_PROCESS, 0))
    assert output("cat /proc/self/oom_score_adj", setup) == Path("/proc/self/oom_score_adj").read_text().strip()


@linux
def test_child_of_a_dead_supervisor_does_not_start() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        output("echo started", child_setup(False, parent=-1))
    assert (failed.value.returncode, failed.value.stdout) == (1, "")


@linux
def test_child_is_signalled_when_its_parent_dies() -> None:
    # PR_GET_PDEATHSIG is 2; `exec` keeps the signal that the set-up chose.
    script = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
    assert output(f"exec {sys.executable} -ISc '{script}'", child_setup(False, os.getpid())) == str(int(signal.SIGTERM))
