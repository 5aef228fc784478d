"""The sweeper is small: it runs on every host, all the time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import ROOT

LARGE = {"flask", "cv2", "numpy", "PIL", "rembg", "onnxruntime", "celery", "boto3"}


@pytest.mark.slow
def test_the_sweeper_imports_nothing_that_serves_or_works_on_images() -> None:
    code = "import sys, sweeper; sweeper.make_maintenance(sweeper.load_settings()); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "services.jobs.recovery" in done.stdout.split()
    assert LARGE & set(done.stdout.split()) == set()


def test_sweeper_whose_worker_ended_during_its_imports_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(30)
    env = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/jobs.db", "BGREMOVE_HOME": str(tmp_path)}
    command = [sys.executable, str(ROOT / "sweeper.py"), str(gone.pid)]
    assert subprocess.run(command, env=env, timeout=60, check=False).returncode == 0
