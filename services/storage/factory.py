"""Makes the storage that a URL names."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from services.storage.base import S3Options, Storage

BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
STORAGE_URLS: Final = "Input should be file:folder or s3://bucket"
BUCKETS: Final = "Input should be a bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots"


def make_storage(url: str, *, secret: str, s3: S3Options | None = None) -> Storage:
    """Make the storage of a URL, `file:folder` or `s3://bucket`; `secret` signs a local folder's links.

    Raises ValueError.
    """
    kind, place = parse_storage_url(url)
    if kind == "s3":
        from services.storage.s3 import S3Bucket

        return S3Bucket(place, s3 or S3Options())
    from services.storage.local import LocalFolder

    return LocalFolder(Path(place), secret)


def parse_storage_url(url: str) -> tuple[str, str]:
    """Return `file` and the folder, or `s3` and the bucket. Raises ValueError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(STORAGE_URLS) from None
    plain = not (parts.query or parts.fragment)
    if plain and parts.scheme == "file" and parts.path and not parts.netloc:
        return "file", parts.path
    if plain and parts.scheme == "s3" and parts.path in ("", "/") and is_bucket(parts.netloc):
        return "s3", parts.netloc
    raise ValueError(STORAGE_URLS)


def is_bucket(name: str) -> bool:
    """Return whether a bucket can have this name."""
    return BUCKET.fullmatch(name) is not None
