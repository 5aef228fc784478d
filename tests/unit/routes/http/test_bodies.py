"""Request bodies: how they are counted, read and decoded."""

import base64
import io
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flask import Flask, request
from werkzeug.datastructures import FileStorage

from config import BODY_COPIES
from routes.http.bodies import (
    InMemoryRequest,
    decode_base64,
    hold,
    hold_body,
    hold_more,
    keep_body,
    read_json,
    read_part,
    refuse_encoded_body,
    release_body,
)
from routes.http.context import EXTENSION, state
from services.capacity.admission import Bodies
from services.errors import BadBase64, BadJSON, Busy, EmptyImage, UploadTooLarge
from services.imaging.errors import UnsupportedFormat

LIMIT = 1000


@pytest.fixture
def bodies() -> Bodies:
    return Bodies(LIMIT)


@pytest.fixture
def app(bodies: Bodies) -> Flask:
    """An application whose bodies have `LIMIT` bytes of memory, and whose images have at most 100 bytes."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(
        bodies=bodies, limits=SimpleNamespace(max_bytes=100), settings=SimpleNamespace(max_encoded_bytes=150)
    )
    return made


@pytest.fixture
def other_body(bodies: Bodies) -> Iterator[None]:
    """Another request's body, which leaves 100 bytes."""
    bodies.take(LIMIT - 100)
    yield
    bodies.give_back(LIMIT - 100)


def test_announced_length_is_held_once_for_each_copy(app: Flask) -> None:
    with app.test_request_context("/", method="POST", data=b"x" * 20):
        hold_body()
        assert state().held_bytes == BODY_COPIES * 20
        release_body()
        assert state().held_bytes == 0


def test_unknown_length_is_held_as_the_largest_body(app: Flask) -> None:
    with app.test_request_context("/", method="POST", environ_overrides={"HTTP_TRANSFER_ENCODING": "chunked"}):
        assert request.content_length is None
        hold_body()
        assert state().held_bytes == BODY_COPIES * 150
        release_body()
        hold_body(most=40)
        assert state().held_bytes == BODY_COPIES * 40


@pytest.mark.usefixtures("other_body")
def test_body_that_exceeds_the_memory_is_refused_and_not_counted(app: Flask, bodies: Bodies) -> None:
    with app.test_request_context("/"):
        with pytest.raises(Busy):
            hold(101)
        assert state().held_bytes == 0
        hold(100)
        with pytest.raises(Busy):
            bodies.take(1)
        release_body()
        bodies.take(100)


@pytest.mark.usefixtures("other_body")
def test_memory_is_refused_to_an_additional_body_but_not_to_the_only_one(app: Flask, bodies: Bodies) -> None:
    with app.test_request_context("/"):
        with pytest.raises(Busy):
            hold_more(101)
        bodies.give_back(LIMIT - 100)
        hold_more(2 * LIMIT)
        assert state().held_bytes == 2 * LIMIT
        release_body()
        bodies.take(LIMIT - 100)


def test_kept_body_is_counted_after_its_request_until_it_is_released(app: Flask, bodies: Bodies) -> None:
    with app.test_request_context("/"):
        hold(LIMIT)
        release = keep_body()
        release_body()
    with pytest.raises(Busy):
        bodies.take(1)
    release()
    bodies.take(LIMIT)


@pytest.mark.parametrize(("encoding", "refused"), [("", False), (" Identity ", False), ("gzip", True), ("br", True)])
def test_compressed_body_is_refused(app: Flask, encoding: str, refused: bool) -> None:
    with app.test_request_context("/", headers={"Content-Encoding": encoding}):
        if not refused:
            refuse_encoded_body()
            return
        with pytest.raises(UnsupportedFormat, match=f"Content-Encoding {encoding}"):
            refuse_encoded_body()


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (b"", "the body is empty"),
        (b'{"a": }', r"\(character 6\)"),
        (b"[1]", "an object is needed; found list"),
        (b"null", "an object is needed; found NoneType"),
    ],
)
def test_body_that_is_not_a_json_object_is_refused(app: Flask, body: bytes, details: str) -> None:
    with app.test_request_context("/", method="POST", data=body), pytest.raises(BadJSON, match=details):
        read_json()


def test_json_object_is_read(app: Flask) -> None:
    with app.test_request_context("/", method="POST", data=b'{"a": [1, "\xc3\xa9"]}'):
        assert read_json() == {"a": [1, "é"]}


def test_empty_file_of_a_form_is_refused_with_its_field() -> None:
    assert read_part(FileStorage(io.BytesIO(b"data"), name="file")) == b"data"
    with pytest.raises(EmptyImage, match="'file' has 0 bytes"):
        read_part(FileStorage(io.BytesIO(), name="file"))


def test_large_upload_stays_in_memory() -> None:
    app = Flask(__name__)
    app.request_class = InMemoryRequest
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="photo.png"\r\n\r\n'
    upload = head + b"x" * 1_000_000 + b"\r\n--x--\r\n"
    with app.test_request_context("/", method="POST", data=upload, content_type="multipart/form-data; boundary=x"):
        stream = request.files["file"].stream
        assert type(stream) is io.BytesIO
        assert len(stream.getvalue()) == 1_000_000


def test_url_safe_base64_is_decoded_where_asked_for() -> None:
    for text in ("-_-_", "-_8=", "-_8"):
        assert decode_base64(text, 5, lenient=True)[:2] == b"\xfb\xff"
        with pytest.raises(BadBase64):
            decode_base64(text, 5)
    assert decode_base64("aGVsbG8=", 5, lenient=True) == b"hello"


@pytest.mark.parametrize(
    "text", ["aGVsbG8=", "aGVs\r\nbG8= ", "data:image/png;base64,aGVsbG8=", "DATA:;BASE64,aGVsbG8="]
)
def test_base64_is_decoded(text: str) -> None:
    assert decode_base64(text, 5) == b"hello"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("aGVsbG8", BadBase64),
        ("aGVs*G8=", BadBase64),
        ("aGVsbGé=", BadBase64),
        ("data:image/png,hello", BadBase64),
        ("data:image/png;base64", BadBase64),
        ("", EmptyImage),
        ("data:image/png;base64,", EmptyImage),
    ],
)
def test_malformed_base64_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode_base64(text, 100)


@pytest.mark.parametrize("size", [100, 101, 102, 103])
def test_base64_of_more_bytes_than_an_image_may_have_is_refused(app: Flask, size: int) -> None:
    text = base64.b64encode(b"x" * size).decode()
    with app.app_context():
        if size == 100:
            assert len(decode_base64(text)) == 100
            return
        with pytest.raises(UploadTooLarge, match="allowed: 100"):
            decode_base64(text)
    assert len(decode_base64(text, size)) == size
