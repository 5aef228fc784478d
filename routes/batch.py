"""Many images in one request: a form of images and ZIP archives in, one ZIP archive out, sent while it is made."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from flask import Response, request, stream_with_context

from bootstrap import WebServices
from routes.http.bodies import hold_body, keep_body
from routes.http.context import caller_gone, extend_connection_deadline, request_deadline, service
from routes.http.limits import Charge, charge
from routes.http.observe import count_failure, count_image
from routes.rembg import need_form, read_options
from services.archives.batch import Batch, Item
from services.archives.errors import BadArchive, TooManyFiles
from services.archives.zip_reader import Archive, is_archive
from services.archives.zip_writer import zip_stream
from services.capacity.deadline import Deadline
from services.errors import DeadlineExceeded, EmptyImage, MissingImage, ServiceError, ShuttingDown
from services.imaging.options import Options
from services.imaging.pipeline import Result

FILES: Final = "files"
# A whole batch may take this multiple of REQUEST_TIMEOUT_SECONDS.
TOTAL: Final = 10
Source = tuple[str, bytes | Archive | ServiceError]
log = structlog.get_logger("batch")


def remove_batch() -> Response:
    """Return a ZIP archive with every image of the form's `files` without its background."""
    parts = service()
    parts.admission.refuse_when_full()
    need_form()
    largest = parts.settings.max_batch_bytes
    request.max_content_length = largest
    hold_body(largest)
    options = read_options()
    sources, count = _sources(parts.settings.max_batch_files, parts.settings.max_content_length)
    # A model that is not here fails the request, not each image.
    parts.models.get(options.model, request_deadline())
    charged = charge(count)
    batch = Batch(_items(sources), _worker(parts, options), _clock(parts), on_error=count_failure)
    response = Response(stream_with_context(_stream(parts, batch, charged)), mimetype="application/zip")
    response.call_on_close(keep_body())
    response.headers.set("Content-Disposition", "attachment", filename="no-bg.zip")
    return response


def _sources(max_files: int, max_bytes: int) -> tuple[list[Source], int]:
    """The form's files, archives opened, and how many images they hold together.

    Raises `MissingImage` and `TooManyFiles`. A bad archive is as a bad image: the others are none the worse for it.
    """
    found: list[Source] = []
    count = 0
    for part in request.files.getlist(FILES):
        if not part.filename:
            continue  # a browser's empty field
        source: bytes | Archive | ServiceError = part.stream.read() or EmptyImage("the file has 0 bytes")
        if isinstance(source, bytes) and is_archive(source):
            source = _opened(source, max_files, max_bytes)
        found.append((part.filename, source))
        count += len(source) if isinstance(source, Archive) else 1
    if not count:
        raise MissingImage(f"the form has no image in the field {FILES!r}", "Send -F files=@a.jpg -F files=@b.zip")
    if count > max_files:
        raise TooManyFiles(f"{count} were sent; allowed: {max_files}")
    return found, count


def _opened(data: bytes, max_files: int, max_bytes: int) -> Archive | ServiceError:
    try:
        return Archive(io.BytesIO(data), max_files=max_files, max_bytes=max_bytes)
    except BadArchive as exc:
        return exc


def _items(sources: list[Source]) -> Iterator[Item]:
    """Yield names and bytes of all images, one at a time; an archive's entry is named `<archive>/<path in it>`."""
    for name, source in sources:
        if isinstance(source, Archive):
            for entry, data in source:
                yield f"{name}/{entry}", data
        else:
            yield name, source


def _worker(parts: WebServices, options: Options) -> Callable[[bytes, Deadline], Result]:
    def remove(data: bytes, deadline: Deadline) -> Result:
        result = parts.remover.remove(data, options, deadline=deadline)
        count_image(result)
        return result

    return remove


def _clock(parts: WebServices) -> Callable[[], Deadline]:
    """Return the deadline of each image: as long as a request, but none once the batch is too old or the server stops."""
    seconds, gone = parts.settings.request_timeout_seconds, caller_gone()
    end = time.monotonic() + TOTAL * seconds

    def deadline() -> Deadline:
        if parts.draining.is_set():
            raise ShuttingDown("the batch was ended before this image", retry_after=1)
        if time.monotonic() > end:
            raise DeadlineExceeded(f"the batch was not done after {TOTAL * seconds:g} s")
        return Deadline(seconds, gone)

    return deadline


def _stream(parts: WebServices, batch: Batch, charged: Charge) -> Iterator[bytes]:
    """Yield the archive. It is cut off where the caller has gone, so that it can't be taken for complete."""
    start = time.monotonic()
    seconds = parts.settings.request_timeout_seconds
    try:
        with extend_connection_deadline(start + (TOTAL + 1) * seconds):
            for piece in zip_stream(batch.files()):
                if batch.gone:
                    return
                yield piece
    finally:
        ours = sum(error.status >= 500 for error in batch.failed)
        charged.give_back(ours)
        elapsed = round((time.monotonic() - start) * 1000, 1)
        log.info("batch", done=batch.done, failed=len(batch.failed), gone=batch.gone, duration_ms=elapsed)
