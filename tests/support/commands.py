"""Run the command line as a process."""

import subprocess
import sys
from pathlib import Path

from tests.support import tiny_models
from tests.support.waiting import ROOT


def cli(
    *words: str | Path, data: bytes = b"", cwd: Path = ROOT, **settings: object
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    env = {"PATH": "/usr/bin:/bin", "REMBG_SESSION_PATH": str(ROOT / "models")}
    env |= {name: str(value) for name, value in settings.items()}
    return subprocess.run(command, input=data, capture_output=True, cwd=cwd, env=env, timeout=120, check=False)


def quick_cli(*words: str | Path, **settings: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command line with the tiny model, for tests that check no mask: two thirds of the processor time."""
    return cli(*words, data=b"", cwd=ROOT, **{**tiny_models.quick(), **settings})
