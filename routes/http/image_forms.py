"""Reads a form of images and ZIP archives of images."""

import io
from collections.abc import Iterator
from typing import Final

from flask import request

from services.archives.errors import BadArchive
from services.archives.zip_reader import MAX_ENTRIES, Archive, is_archive
from services.errors import EmptyImage, MissingImage, ServiceError

FILE_FIELD: Final = "files"
FormFile = tuple[str, bytes | Archive | ServiceError]
"""A file's name, and its bytes, the opened archive, or the error that refuses it."""


def form_files(max_files: int, max_bytes: int) -> Iterator[FormFile]:
    """Yield the form's files. An archive may hold at most `max_files` images of at most `max_bytes` each.

    Raises `BadArchive` when the archives have more than `MAX_ENTRIES` entries together: each entry costs memory.
    """
    entries = 0
    for part in request.files.getlist(FILE_FIELD):
        # A browser sends an empty field without a name.
        if part.filename:
            data = part.stream.read()
            part.close()
            found = _opened(data, max_files, max_bytes)
            if isinstance(found, Archive):
                entries += found.entries
            if entries > MAX_ENTRIES:
                raise BadArchive(f"the archives have more than {MAX_ENTRIES} entries together, folders included")
            yield part.filename, found


def no_image() -> MissingImage:
    """Return the error for a form without an image."""
    return MissingImage(f"the form has no image in the field {FILE_FIELD!r}", "Send -F files=@a.jpg -F files=@b.zip")


def _opened(data: bytes, max_files: int, max_bytes: int) -> bytes | Archive | ServiceError:
    if not data:
        return EmptyImage("the file has 0 bytes")
    if not is_archive(data):
        return data
    try:
        return Archive(io.BytesIO(data), max_files=max_files, max_bytes=max_bytes)
    except BadArchive as exc:
        return exc
