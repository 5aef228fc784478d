"""Storage URLs: which storage they name, and what is refused."""

from pathlib import Path

import pytest

from services.storage.base import S3Options
from services.storage.factory import make_storage, parse_storage_url
from services.storage.local import LocalFolder
from services.storage.s3 import S3Bucket


@pytest.mark.parametrize(
    ("url", "kind", "place"),
    [
        ("file:data/objects", "file", "data/objects"),
        ("file:/var/objects", "file", "/var/objects"),
        ("file:///var/objects", "file", "/var/objects"),
        ("s3://my-bucket", "s3", "my-bucket"),
        ("s3://my-bucket/", "s3", "my-bucket"),
    ],
)
def test_storage_url_names_a_folder_or_a_bucket(url: str, kind: str, place: str) -> None:
    assert parse_storage_url(url) == (kind, place)


@pytest.mark.parametrize(
    "url",
    ["", "data/objects", "file:", "file://host/data", "s3://", "s3://UPPER", "s3://bucket/key", "s3://bucket?x=1",
     "file:a#b", "https://host/bucket", "s3://[", "s3://ab"],
)  # fmt: skip
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="file:folder or s3://bucket"):
        parse_storage_url(url)


def test_storage_is_made_without_opening_anything(tmp_path: Path) -> None:
    assert isinstance(make_storage(f"file:{tmp_path}/objects", secret="s"), LocalFolder)
    assert isinstance(make_storage("s3://bucket", secret="s", s3=S3Options()), S3Bucket)
    assert list(tmp_path.iterdir()) == []
