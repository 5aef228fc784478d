"""Reads images from forms: one, or many with ZIP archives of images."""

import io
from collections.abc import Iterator
from typing import Final

from flask import request

from routes.http.bodies import hold_body, read_part
from routes.http.requests import Upload
from services.archives.errors import BadArchive
from services.archives.zip_reader import MAX_ENTRIES, Archive, is_archive
from services.errors import EmptyImage, MissingImage, MultipleImages, ServiceError
from services.imaging.errors import UnsupportedFormat

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


def form_image(field: str) -> Upload:
    """Return the one file in the form's `field`.

    Raises `MissingImage`, `UnsupportedFormat` (no form), `MultipleImages`, `EmptyImage`, `Busy`.
    """
    need_form(field)
    hold_body()
    parts = [part for part in request.files.getlist(field) if part.filename]
    if len(parts) > 1:
        raise MultipleImages(f"{len(parts)} files were received")
    if not parts:
        solution = f"Send it as curl -F {field}=@photo.jpg does"
        others = "".join(f"; it has one in {name!r:.80}" for name in list(request.files)[:1])
        raise MissingImage(f"the form has no file in the field {field!r}{others}", solution)
    return Upload(read_part(parts[0]), parts[0].filename or "", {})


def body_image(field: str) -> Upload:
    """Return the one file in the form's `field`, or the whole body, whatever its type: curl calls any body a form.

    Raises the errors of `form_image`.
    """
    if request.mimetype == "multipart/form-data":
        return form_image(field)
    hold_body()
    data = request.get_data(cache=False)
    if not data:
        raise MissingImage("the body is empty", f"Send the image as the body, or as the field {field!r} of a form")
    return Upload(data, "image", {})


def need_form(field: str = FILE_FIELD) -> None:
    """Raise `MissingImage` or `UnsupportedFormat` for a body that is not a multipart form."""
    if request.mimetype == "multipart/form-data":
        return
    solution = f"Send multipart/form-data, as curl -F {field}=@photo.jpg does"
    if request.mimetype in ("", "application/x-www-form-urlencoded"):
        raise MissingImage("the body is not a form with a file", solution)
    raise UnsupportedFormat(f"the body is declared as {request.mimetype[:80]}", solution)


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
