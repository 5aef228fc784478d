"""A request becomes a job's submission, once, here."""

import re
from collections.abc import Mapping
from typing import Final

from flask import g, request
from werkzeug.datastructures import FileStorage

from routes.auth import caller_key
from routes.bodies import harmless_stem, read_part, refuse_encoded_body
from routes.context import service
from routes.limits import client_key
from routes.requests import ALSO, read_options, read_upload
from services.decode import inspect
from services.errors import BadRequest, MissingImage, ModelNotFound, MultipleImages, UnsupportedFormat, UploadTooLarge
from services.formats import Format
from services.jobs import BATCH, SINGLE
from services.options import BACKGROUND_IMAGE, Options, bad_option, unknown_option
from services.submission import File, Submission

FILES: Final = "files"
IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
ROOM_FOR_FIELDS: Final = 64 * 1024


def read_single() -> Submission:
    """One image with its options, found good as far as its header tells. Raises what `/remove-background` would."""
    upload = read_upload(waits=True)
    _check_options(upload.options(default_format=Format.PNG))
    inspect(upload.data, service().limits)
    if upload.background is not None:
        inspect(upload.background, service().limits)
    return _submission(SINGLE, [File(upload.stem, upload.data)], upload.given, upload.background)


def read_batch() -> Submission:
    """The images of a form's `files`, each to be found good or bad by itself, and the options for all of them."""
    settings = service().settings
    if request.mimetype != "multipart/form-data":
        raise UnsupportedFormat(
            f"the body is declared as {request.mimetype[:80] or 'nothing'}",
            "Send multipart/form-data with fields 'files'",
        )
    _hold_batch(settings.max_batch_bytes + ROOM_FOR_FIELDS)
    request.max_form_parts = settings.max_batch_files + 100
    parts = [part for part in request.files.getlist(FILES) if part.filename]
    for name in request.files:
        if name not in (FILES, BACKGROUND_IMAGE):
            raise unknown_option(name, also=(*ALSO, FILES))
    if not parts:
        raise MissingImage("the form has no file in the field 'files'", "Send the images as fields named 'files'")
    if len(parts) > settings.max_batch_files:
        raise bad_option(FILES, f"{len(parts)} files", f"at most {settings.max_batch_files}")
    given = read_options()
    _check_options(Options.parse(given))
    backgrounds = request.files.getlist(BACKGROUND_IMAGE)
    if len(backgrounds) > 1:
        raise bad_option(BACKGROUND_IMAGE, f"{len(backgrounds)} files", "one file")
    background = read_part(backgrounds[0]) if backgrounds else None
    if background is not None:
        inspect(background, service().limits)
    return _submission(BATCH, [_file(part) for part in parts], given, background)


def _submission(kind: str, files: list[File], given: Mapping[str, object], background: bytes | None) -> Submission:
    key = caller_key()
    return Submission(
        kind=kind,
        files=files,
        options=given,
        caller=client_key(),
        owner=key.id if key else None,
        background=background,
        idempotency_key=_idempotency_key(),
    )


def _file(part: FileStorage) -> File:
    name, limit = part.filename or "", service().limits.max_bytes
    data = read_part(part)
    if len(data) > limit:
        raise UploadTooLarge(f"{harmless_stem(name)!r} has {len(data)} bytes; allowed: {limit}")
    return File(harmless_stem(name), data)


def _check_options(options: Options) -> None:
    """What the worker could only refuse later."""
    models = service().models
    if options.model is not None and options.model not in models.usable():
        raise ModelNotFound(f"{options.model!r:.80} is not one of: {', '.join(models.usable())}")


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if len(request.headers.getlist("Idempotency-Key")) > 1:
        raise MultipleImages("more than one Idempotency-Key was sent")
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key must be 1 to 200 visible ASCII characters")
    return key


def _hold_batch(most: int) -> None:
    """Count the body that is about to be read; an unknown length as the largest. Raises `Busy`, `UploadTooLarge`."""
    refuse_encoded_body()
    announced = request.content_length
    if announced is not None and announced > most:
        raise UploadTooLarge(f"{announced} bytes were announced; allowed for a batch: {most}")
    size = 2 * (most if announced is None else announced)  # as received, and each file as read from it
    service().bodies.take(size)
    g.held_bytes = size
    request.max_content_length = most
