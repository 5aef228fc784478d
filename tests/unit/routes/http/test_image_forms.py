"""Forms of images and ZIP archives of images."""

import io

import pytest
from flask import Flask

from routes.http.image_forms import FormFile, form_files, no_image
from services.archives.errors import BadArchive, TooManyFiles
from services.archives.zip_reader import MAX_ENTRIES, Archive
from services.errors import EmptyImage
from tests.support.archives import archive
from tests.support.hostile import folders

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


def test_archives_share_one_bound_on_entries() -> None:
    half = folders(MAX_ENTRIES // 2)
    assert len(read(("a.zip", half), ("b.zip", half), ("c.png", b"one"))) == 3
    with pytest.raises(BadArchive, match=f"more than {MAX_ENTRIES} entries together"):
        read(("a.zip", half), ("b.zip", half), ("c.zip", folders(1)))
