"""Reads a request into a job's submission."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from flask import request

from routes.http.auth import current_caller
from routes.http.bodies import hold, read_part, refuse_encoded_body
from routes.http.context import request_deadline, service
from routes.http.fields import CALLBACK_URL, read_options, unknown_field
from routes.http.image_forms import FILE_FIELD, form_files, no_image
from routes.http.limits import client_key
from routes.http.requests import read_upload
from routes.http.visitors import visitor
from services.archives.errors import TooManyFiles
from services.archives.filenames import relative_path
from services.archives.zip_reader import Archive
from services.errors import (
    BadOption,
    BadRequest,
    Busy,
    ClientGone,
    DeadlineExceeded,
    ServiceError,
    UploadTooLarge,
)
from services.imaging.choices.checks import check_canvas
from services.imaging.errors import UnsupportedFormat
from services.imaging.formats import Format
from services.imaging.options import BACKGROUND_IMAGE, Options
from services.jobs.submit import File, Submission
from services.jobs.tables import BATCH, SINGLE
from services.net.errors import BadURL, ForbiddenSource
from services.net.urls import parse_url

IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
CALLBACK_SOLUTION: Final = "Give a public URL, or ask the operator to open its host (FETCH_ALLOWED_HOSTS)"
# For a batch's form fields and boundaries, besides its files.
ROOM_FOR_FIELDS: Final = 64 * 1024


def read_single(*own: str) -> Submission:
    """Read one image with its options, and check both as far as the image's header allows.

    `own` names fields of this endpoint alone. Raises the errors of `/remove-background` and of `read_incoming`.
    """
    upload = read_upload(CALLBACK_URL, *own, waits=True)
    options = upload.options(default_format=Format.PNG)
    _check_options(options)
    service().remover.inspect(upload.data, request_deadline())
    file = _counted(File(relative_path(upload.name), upload.data), options)
    if file.error:
        raise file.error
    if upload.background is not None:
        service().remover.inspect(upload.background, request_deadline())
    return _submission(SINGLE, [file], upload.given, upload.background, upload.callback_url)


def read_batch() -> Submission:
    """Read the images of a form's `files`, each accepted or refused separately, and the options for all of them."""
    settings = service().settings
    if request.mimetype != "multipart/form-data":
        raise UnsupportedFormat(
            f"the body is declared as {request.mimetype[:80] or 'nothing'}",
            "Send multipart/form-data with fields 'files'",
        )
    _hold_batch(settings.max_batch_bytes + ROOM_FOR_FIELDS)
    request.max_form_parts = settings.max_batch_files + 100
    for name in request.files:
        if name not in (FILE_FIELD, BACKGROUND_IMAGE):
            raise unknown_field(name, FILE_FIELD, file_field=FILE_FIELD)
    files = _files(settings.max_batch_files, settings.max_batch_bytes)
    given = read_options(CALLBACK_URL, file_field=FILE_FIELD)
    callback = given.pop(CALLBACK_URL, None)
    options = Options.parse(given)
    _check_options(options)
    files = [_counted(file, options) for file in files]
    backgrounds = request.files.getlist(BACKGROUND_IMAGE)
    if len(backgrounds) > 1:
        raise BadOption(BACKGROUND_IMAGE, f"{len(backgrounds)} files", "one file")
    background = read_part(backgrounds[0]) if backgrounds else None
    if background is not None:
        service().remover.inspect(background, request_deadline())
    return _submission(BATCH, files, given, background, callback)


def _submission(
    kind: str, files: list[File], given: Mapping[str, object], background: bytes | None, callback: object
) -> Submission:
    caller = current_caller()
    return Submission(
        kind=kind,
        files=files,
        options=given,
        caller=client_key(),
        owner=caller.id if caller else None,
        visitor=None if caller else visitor(),
        background=background,
        idempotency_key=_idempotency_key(),
        callback_url=_callback_url(callback),
    )


def _files(most: int, most_bytes: int) -> list[File]:
    """Read the form's images, archives unpacked, each with its bytes or the error that refuses it.

    Raises `MissingImage`, `TooManyFiles`, `UploadTooLarge` if the unpacked files exceed the limit together, and `Busy`
    if there is no memory to unpack them.
    """
    found: list[File] = []
    size = 0
    for name, data, unpacked in _images(most):
        size += len(data) if isinstance(data, bytes) else 0
        if len(found) >= most:
            raise TooManyFiles(f"more than {most} were sent; allowed: {most}")
        if size > most_bytes:
            raise UploadTooLarge(f"the files have, unpacked, more than the {most_bytes} bytes allowed")
        if unpacked and isinstance(data, bytes):
            # It is in memory in addition to its archive.
            hold(len(data))
        found.append(_file(name, data))
    if not found:
        raise no_image()
    return found


def _images(most: int) -> Iterator[tuple[str, bytes | ServiceError, bool]]:
    """Yield name, bytes (or error) and whether they come from an archive, of every image of the form.

    An archive's entry is named `<archive>/<path in it>`.
    """
    for name, source in form_files(most, service().limits.max_bytes):
        if isinstance(source, Archive):
            yield from ((f"{name}/{entry}", data, True) for entry, data in source)
        else:
            yield name, source, False


def _file(name: str, data: bytes | ServiceError) -> File:
    limit = service().limits.max_bytes
    if isinstance(data, bytes) and len(data) > limit:
        data = UploadTooLarge(f"the file has {len(data)} bytes; allowed: {limit}")
    path = relative_path(name)
    return File(path, data) if isinstance(data, bytes) else File(path, b"", data)


def _counted(file: File, options: Options) -> File:
    """Return the file with the number of its frames, or with the error that refuses its animation."""
    if file.error or not options.animated:
        return file
    try:
        frames = service().remover.for_jobs().count_frames(file.data, options, request_deadline())
    except (Busy, ClientGone, DeadlineExceeded):
        raise
    except ServiceError as exc:
        return replace(file, error=exc)
    return replace(file, frames=frames)


def _check_options(options: Options) -> None:
    """Check the model and the canvas now: the worker could only refuse them later.

    Raises `ModelNotFound` and `BadOption`.
    """
    check_canvas(options, service().limits.max_pixels)
    service().models.check(options.model)


def _callback_url(url: object) -> str | None:
    """Return the checked URL of the webhook. Raises `BadOption`, `BadURL`, `ForbiddenSource`."""
    if url is None:
        return None
    if not service().settings.webhook_secret:
        raise BadOption("callback_url", None, "nothing: this server has no WEBHOOK_SECRET")
    if not isinstance(url, str):
        raise BadURL("callback_url is not a string")
    target = parse_url(url)
    try:
        service().fetcher.refuse_closed(target)
    except ForbiddenSource as exc:
        raise ForbiddenSource(f"callback_url: {exc.details}", CALLBACK_SOLUTION) from exc
    return target.url


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if len(request.headers.getlist("Idempotency-Key")) > 1:
        raise BadRequest("more than one Idempotency-Key was sent")
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key must be 1 to 200 visible ASCII characters")
    return key


def _hold_batch(most: int) -> None:
    """Reserve memory for the body; an unknown length counts as the maximum. Raises `Busy`, `UploadTooLarge`."""
    refuse_encoded_body()
    announced = request.content_length
    if announced is not None and announced > most:
        raise UploadTooLarge(f"{announced} bytes were announced; allowed for a batch: {most}")
    # The body as received, and each file as read from it.
    hold(2 * (most if announced is None else announced))
    request.max_content_length = most
