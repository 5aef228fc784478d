"""The worker process."""

import subprocess
import sys

import pytest

from tests.support.waiting import ROOT


@pytest.mark.slow
def test_worker_imports_no_web_framework() -> None:
    code = (
        "import os, sys, worker; worker.make_job_worker(worker.settings);"
        # The model is still loading in a thread.
        "print(*sys.modules, flush=True); os._exit(0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    modules = set(done.stdout.split())
    assert "services.jobs.process" in modules
    assert not {"flask", "werkzeug", "flask_limiter", "routes", "app"} & modules
