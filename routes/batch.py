"""Many images in one request: a form of images and ZIP archives in, one ZIP archive out, sent while it is made."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from flask import Response, request, stream_with_context

from bootstrap.web import WebServices
from routes.http.bodies import hold_body, keep_body
from routes.http.context import caller_gone, extend_connection_deadline, request_deadline, service
from routes.http.image_forms import FormFile, form_files, need_form, no_image
from routes.http.limits import Charge, charge, is_free
from routes.http.observe import count_failure, count_image
from routes.http.usage import keep_reserved, reserve_images
from routes.rembg import read_options
from services.archives.batch import Batch, Item
from services.archives.errors import TooManyFiles
from services.archives.zip_reader import Archive
from services.archives.zip_writer import zip_stream
from services.capacity.deadline import Deadline
from services.errors import DeadlineExceeded, ShuttingDown

# A whole batch may take this multiple of REQUEST_TIMEOUT_SECONDS.
TOTAL: Final = 10
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
    reserve_images(count - 1)
    charged = charge(count)
    batch = Batch(
        _items(sources),
        lambda data, deadline: parts.remover.remove(data, options, deadline=deadline),
        _clock(parts),
        on_result=count_image,
        on_error=count_failure,
        at_a_time=_at_a_time(parts, count),
    )
    response = Response(stream_with_context(_stream(parts, batch, charged)), mimetype="application/zip")
    response.call_on_close(keep_body())
    response.call_on_close(keep_reserved())
    response.headers.set("Content-Disposition", "attachment", filename="no-bg.zip")
    return response


def _sources(max_files: int, max_bytes: int) -> tuple[list[FormFile], int]:
    """Return the form's files, archives opened, and the number of images in them.

    Raises `MissingImage` and `TooManyFiles`. A bad archive fails like a bad image: the others are processed.
    """
    found = list(form_files(max_files, max_bytes))
    count = sum(len(source) if isinstance(source, Archive) else 1 for _, source in found)
    if not count:
        raise no_image()
    if count > max_files:
        raise TooManyFiles(f"{count} were sent; allowed: {max_files}")
    return found, count


def _items(sources: list[FormFile]) -> Iterator[Item]:
    """Yield names and bytes of all images, one at a time; an archive's entry is named `<archive>/<path in it>`."""
    for name, source in sources:
        if isinstance(source, Archive):
            for entry, data in source:
                yield f"{name}/{entry}", data
        else:
            yield name, source


def _at_a_time(parts: WebServices, count: int) -> int:
    """Return how many images of a batch are processed at a time: `BATCH_CONCURRENCY`, but no more than may run.

    More would only take places in the queue from other callers.
    """
    settings = parts.settings
    return min(count, settings.batch_concurrency, settings.running_per_worker)


def _clock(parts: WebServices) -> Callable[[], Deadline]:
    """Return each image's deadline: as long as a request, but none once the batch is too old or the server stops."""
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
        charged.give_back(sum(map(is_free, batch.failed)))
        elapsed = round((time.monotonic() - start) * 1000, 1)
        log.info("batch", done=batch.done, failed=len(batch.failed), gone=batch.gone, duration_ms=elapsed)
