"""Images that are read from the bucket: whose folder, how large, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from routes.http.context import EXTENSION, state
from routes.http.incoming import read_incoming
from services.api_keys.caller import Caller
from services.capacity.admission import Bodies
from services.errors import BadOption, Busy, EmptyImage, Forbidden, NotFound, ServiceError, UploadTooLarge
from services.storage.base import Opened
from services.storage.errors import ObjectNotFound
from services.storage.local import LocalFolder


class Bucket:
    """An S3 bucket in memory. `closed` lists the objects that were opened and closed again."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = {f"incoming/{name.replace('_', '/')}": data for name, data in objects.items()}
        self.closed: list[str] = []

    def open(self, key: str) -> Opened:
        if key not in self.objects:
            raise ObjectNotFound(key)
        data = self.objects[key]
        pieces = (data[start : start + 2] for start in range(0, len(data), 2))
        return Opened(len(data), pieces, lambda: self.closed.append(key))


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(public_a=b"image", public_empty=b"", public_large=b"x" * 11, abc_a=b"mine", public2_a=b"theirs")


@pytest.fixture
def app(bucket: Bucket) -> Flask:
    """An application whose images have at most 10 bytes."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(
        storage=bucket, limits=SimpleNamespace(max_bytes=10), bodies=Bodies(100)
    )
    return made


@pytest.fixture
def request_of(app: Flask) -> Iterator[Flask]:
    """A request of a caller without a key."""
    with app.test_request_context("/"):
        yield app


def test_object_is_read_counted_and_closed(request_of: Flask, bucket: Bucket) -> None:
    assert read_incoming("incoming/public/a") == b"image"
    assert state().held_bytes == 5
    assert set(bucket.closed) == {"incoming/public/a"}


def test_caller_with_a_key_reads_its_own_folder_only(app: Flask) -> None:
    with app.test_request_context("/"):
        state().caller = Caller(id="abc", key_id="abc", name="shop", scopes=())
        assert read_incoming("incoming/abc/a") == b"mine"
        with pytest.raises(Forbidden, match="open to you: incoming/abc/"):
            read_incoming("incoming/public/a")


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("incoming/abc/a", Forbidden),
        ("incoming/public2/a", Forbidden),
        ("results/public/a", Forbidden),
        ("incoming/public/../abc/a", BadOption),
        ("/incoming/public/a", BadOption),
        (7, BadOption),
        ("incoming/public/absent", NotFound),
        ("incoming/public/empty", EmptyImage),
        ("incoming/public/large", UploadTooLarge),
    ],
)
@pytest.mark.usefixtures("request_of")
def test_any_other_key_is_refused(key: object, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        read_incoming(key)


@pytest.mark.usefixtures("request_of")
def test_refused_object_is_closed_and_not_counted(bucket: Bucket) -> None:
    with pytest.raises(UploadTooLarge):
        read_incoming("incoming/public/large")
    assert bucket.closed == ["incoming/public/large"]
    assert state().held_bytes == 0


def test_object_without_memory_for_it_is_refused_before_it_is_read(request_of: Flask, bucket: Bucket) -> None:
    request_of.extensions[EXTENSION].bodies.take(98)
    with pytest.raises(Busy):
        read_incoming("incoming/public/a")
    assert bucket.closed == ["incoming/public/a"]


def test_server_without_a_bucket_refuses_every_key(request_of: Flask, tmp_path: Path) -> None:
    request_of.extensions[EXTENSION].storage = LocalFolder(tmp_path, "secret")
    with pytest.raises(BadOption, match="not S3"):
        read_incoming("incoming/public/a")
