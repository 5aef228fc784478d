"""The sweeper is small: it runs on every host, all the time."""

import subprocess
import sys

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
