"""Forms of images and ZIP archives of images."""

import io
from types import SimpleNamespace

import pytest
from flask import Flask

from routes.http.bodies import InMemoryRequest
from routes.http.context import EXTENSION
from routes.http.image_forms import FormFile, body_image, form_files, form_image, no_image
from services.archives.errors import BadArchive, TooManyFiles
from services.archives.zip_reader import MAX_ENTRIES, Archive
from services.errors import EmptyImage, MissingImage, MultipleImages
from services.imaging.errors import UnsupportedFormat
from tests.support.archives import archive
from tests.support.pictures.hostile import folders

Part = tuple[str, bytes]


def read(*parts: Part, field: str = "files", max_files: int = 10) -> list[FormFile]:
    """The files that are read from a form with these names and bytes."""
    data = {field: [(io.BytesIO(content), name) for name, content in parts]}
    with Flask(__name__).test_request_context("/", method="POST", data=data):
        return list(form_files(max_files, max_bytes=1000))


def test_images_keep_their_order_and_names() -> None:
    assert read(("b.png", b"two"), ("a.png", b"one")) == [("b.png", b"two"), ("a.png", b"one")]


def test_fields_of_other_names_are_ignored() -> None:
    assert read(("a.png", b"one"), field="file") == []
    assert "'files'" in no_image().details


def test_empty_file_is_an_error_beside_the_other_images() -> None:
    (name, error), other = read(("empty.png", b""), ("a.png", b"one"))
    assert (name, other) == ("empty.png", ("a.png", b"one"))
    assert isinstance(error, EmptyImage)


def test_zip_is_opened_whatever_its_name_is() -> None:
    ((name, found),) = read(("photo.png", archive(("a.png", b"one"), ("b.png", b"two"))))
    assert name == "photo.png"
    assert isinstance(found, Archive)
    assert list(found) == [("a.png", b"one"), ("b.png", b"two")]


def test_damaged_zip_is_an_error_beside_the_other_images() -> None:
    (_, error), other = read(("bad.zip", b"PK\x03\x04 and nothing else"), ("a.png", b"one"))
    assert isinstance(error, BadArchive)
    assert other == ("a.png", b"one")


def test_zip_of_too_many_images_refuses_the_whole_form() -> None:
    with pytest.raises(TooManyFiles):
        read(("many.zip", archive(("a.png", b"one"), ("b.png", b"two"))), max_files=1)


@pytest.fixture
def app() -> Flask:
    """An application that counts bodies, and never refuses one."""
    made = Flask(__name__)
    made.request_class = InMemoryRequest
    made.extensions[EXTENSION] = SimpleNamespace(
        bodies=SimpleNamespace(take=lambda *_: None, give_back=lambda _: None),
        settings=SimpleNamespace(max_encoded_bytes=1000),
    )
    return made


def test_one_image_is_read_from_its_field(app: Flask) -> None:
    data = {"image": (io.BytesIO(b"one"), "a b.jpg"), "other": (io.BytesIO(b"two"), "c.jpg")}
    with app.test_request_context("/", method="POST", data=data):
        found = form_image("image")
    assert (found.data, found.stem) == (b"one", "a b")


def test_form_without_the_field_names_the_one_that_it_has(app: Flask) -> None:
    data = {"photo": (io.BytesIO(b"one"), "a.jpg")}
    hint = "no file in the field 'image'; it has one in 'photo'"
    with app.test_request_context("/", method="POST", data=data), pytest.raises(MissingImage, match=hint):
        form_image("image")
    with app.test_request_context("/", method="POST", json={}), pytest.raises(UnsupportedFormat):
        form_image("image")
    twice = {"image": [(io.BytesIO(b"one"), "a.jpg"), (io.BytesIO(b"two"), "b.jpg")]}
    with app.test_request_context("/", method="POST", data=twice), pytest.raises(MultipleImages):
        form_image("image")


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", ""])
def test_body_of_any_type_is_the_image(app: Flask, kind: str) -> None:
    with app.test_request_context("/", method="POST", data=b"one", content_type=kind):
        assert body_image("image").data == b"one"
    with app.test_request_context("/", method="POST", content_type=kind), pytest.raises(MissingImage, match="empty"):
        body_image("image")


def test_body_image_is_read_from_a_form_too(app: Flask) -> None:
    data = {"image": (io.BytesIO(b"one"), "a.jpg")}
    with app.test_request_context("/", method="POST", data=data):
        assert body_image("image").data == b"one"


def test_archives_share_one_bound_on_entries() -> None:
    half = folders(MAX_ENTRIES // 2)
    assert len(read(("a.zip", half), ("b.zip", half), ("c.png", b"one"))) == 3
    with pytest.raises(BadArchive, match=f"more than {MAX_ENTRIES} entries together"):
        read(("a.zip", half), ("b.zip", half), ("c.zip", folders(1)))
