"""Run the command line as a process."""

import subprocess
import sys
from pathlib import Path

from tests.support.waiting import ROOT


def cli(
    *words: str | Path, data: bytes = b"", cwd: Path = ROOT, **settings: object
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    env = {"PATH": "/usr/bin:/bin", "REMBG_SESSION_PATH": str(ROOT / "models")}
    env |= {name: str(value) for name, value in settings.items()}
    return subprocess.run(command, input=data, capture_output=True, cwd=cwd, env=env, timeout=120, check=False)
