"""What the Python client takes as an image."""

import io
import tempfile
from pathlib import Path

import pytest

from clients.python.bgremove_client import Client
from clients.python.bgremove_client.client import read


class Named:
    """A path that is no `Path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_image_may_be_bytes_a_path_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"pixels")
    assert (
        read(b"pixels", 2) == read(bytearray(b"pixels"), 2) == read(memoryview(b"pixels"), 2) == ("image-2", b"pixels")
    )
    assert read(path) == read(str(path)) == read(Named(path)) == ("photo.jpg", b"pixels")
    with path.open("rb") as file:
        assert read(file) == ("photo.jpg", b"pixels")


def test_file_without_a_name_gets_a_number(tmp_path: Path) -> None:
    unnamed = io.BytesIO(b"pixels")
    unnamed.name = ""
    assert read(unnamed, 3) == ("image-3", b"pixels")
    with tempfile.SpooledTemporaryFile() as spooled:
        assert read(spooled, 4) == ("image-4", b"")


def test_single_image_is_no_batch() -> None:
    with Client("http://localhost") as client, pytest.raises(TypeError, match="list"):
        client.submit_batch("photo.jpg")
