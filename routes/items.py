"""Views of one image of a job: its result, preview, original and mask; retry, cancel and delete."""

from dataclasses import replace
from itertools import chain
from typing import Final

from flask import Response, request

from routes.http.bodies import hold_more
from routes.http.context import request_deadline, service
from routes.http.fields import MASK, MODEL_OPTIONS, boolean
from routes.http.jobs.item_views import ItemView
from routes.http.jobs.job_answers import answer
from routes.http.observe import note_result
from routes.http.requests import read_upload
from routes.jobs import jobs, known, owner, reserve_for_job
from routes.removal import file_name
from services.archives.filenames import harmless_stem
from services.containers.sniff import sniff
from services.imaging.errors import UnsupportedFormat
from services.imaging.formats import Format
from services.jobs.archive import result_name
from services.jobs.edit import Edit, MaskEditor
from services.jobs.errors import ItemNotCancellable, ItemNotFinished, ItemNotRetryable
from services.jobs.queries import check_kept, check_not_deleted
from services.jobs.tables import FINISHED, Job, JobItem, mask_key, preview_key
from services.storage.errors import ResultExpired

PREVIEW: Final = "preview"
MASK_TYPE: Final = "image/png"
FORM_TYPE: Final = "multipart/form-data"
MASK_SOLUTION: Final = (
    f"Send the mask as the body, with Content-Type: {MASK_TYPE}, and the options in the query; or a {FORM_TYPE} with "
    f"the mask as file {MASK!r}, the options, and optionally a file 'background_image'"
)


def item_download(job_id: str, item_id: str) -> Response:
    """Return an image's result, or with `preview=1` a small picture of it."""
    _, item = kept(job_id, item_id)
    key = result_key_of(item)
    if boolean(PREVIEW, request.args.get(PREVIEW)):
        return _stored(item, preview_key(key), f"{harmless_stem(item.name)}-preview.webp", "image/webp")
    assert item.result
    response = _stored(item, key, result_name(item), item.result.mimetype)
    response.headers["X-Confidence"] = f"{item.result.confidence:.3f}"
    return response


def item_mask(job_id: str, item_id: str) -> Response:
    """Return the mask that made an image's result."""
    _, item = kept(job_id, item_id)
    return _stored(item, mask_key(result_key_of(item)), f"{harmless_stem(item.name)}-matte.png", "image/png")


def item_original(job_id: str, item_id: str) -> Response:
    """Return an image as it was sent."""
    _, item = kept(job_id, item_id)
    if not item.original_bytes:
        raise ResultExpired("the image was refused, and is not kept")
    return _stored(item, item.original_key, item.name.rpartition("/")[2], "")


def replace_mask(job_id: str, item_id: str) -> Response:
    """Make an image's result again with the caller's mask instead of the model's."""
    job, item = kept(job_id, item_id)
    result_key_of(item)
    assert item.result
    if request.mimetype not in (MASK_TYPE, FORM_TYPE):
        raise UnsupportedFormat(f"the body is declared as {request.mimetype[:80] or 'nothing'}", MASK_SOLUTION)
    upload = read_upload(refused=MODEL_OPTIONS, fields=(MASK,))
    hold_more(item.original_bytes)
    options = upload.options(default_format=Format(item.result.format))
    editor = MaskEditor(jobs().store, service().storage, replace(service().remover, cache=None))
    note_result(editor.replace(job, item, Edit(upload.data, options, upload.background), request_deadline()))
    return _shown(job_id, item_id)


def retry_item(job_id: str, item_id: str) -> Response:
    """Restart one failed or cancelled image."""
    parts = jobs()
    _, item = kept(job_id, item_id)
    parts.queue.check()
    reserve_for_job(1, item.caller)
    if not parts.store.retry_item(item):
        raise ItemNotRetryable(f"it is {item.state}" + (f" for good ({item.error_code})" if item.error_code else ""))
    parts.dispatcher.try_next(item.caller)
    return _shown(job_id, item_id, 202)


def cancel_item(job_id: str, item_id: str) -> Response:
    """End one image that has not ended."""
    parts = jobs()
    _, item = parts.queries.item(known(job_id), item_id, owner())
    if not parts.store.cancel_item(item_id):
        raise ItemNotCancellable(f"it is {parts.queries.item(job_id, item_id, owner())[1].state}")
    parts.store.close(job_id)
    parts.dispatcher.try_next(item.caller)
    return _shown(job_id, item_id, 202)


def delete_item(job_id: str, item_id: str) -> Response:
    """Delete the files of one image now; it is cancelled where it has not ended. The job goes on with the others."""
    parts = jobs()
    _, item = parts.queries.item(known(job_id), item_id, owner())
    parts.retention.erase_item(item)
    parts.dispatcher.try_next(item.caller)
    return Response(status=204)


def kept(job_id: str, item_id: str) -> tuple[Job, JobItem]:
    """Return an item whose files are kept, and its job. Raises `JobNotFound`, `ItemNotFound`, `ResultExpired`."""
    job, item = jobs().queries.item(known(job_id), item_id, owner())
    check_kept(job)
    check_not_deleted(item)
    return job, item


def result_key_of(item: JobItem) -> str:
    """Return the storage key of an item's result. Raises `ItemNotFinished`."""
    if item.state != FINISHED or not item.result_key:
        raise ItemNotFinished(f"it is {item.state}")
    return item.result_key


def _shown(job_id: str, item_id: str, status: int = 200) -> Response:
    """Answer with an item as it is now."""
    return answer(ItemView.of_item(jobs().queries.item(job_id, item_id, owner())[1]), status)


def _stored(item: JobItem, key: str, name: str, mimetype: str) -> Response:
    """Stream a file from storage, or answer 304 to a caller that has it. Its bytes say the type if `mimetype` is ""."""
    tag = f"{item.id}-{item.revision}-{key.partition('/')[0]}"
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        response = _streamed(key, mimetype)
        disposition = "inline" if key.startswith("previews/") else "attachment"
        response.headers.set("Content-Disposition", disposition, **file_name(name))
    response.set_etag(tag)
    # The browser asks each time: the file may have been edited or deleted.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _streamed(key: str, mimetype: str) -> Response:
    opened = service().storage.open(key)
    pieces = iter(opened)
    first = next(pieces, b"")
    kind = sniff(first).name
    response = Response(
        chain([first], pieces), mimetype=mimetype or (f"image/{kind}" if kind else "application/octet-stream")
    )
    response.content_length = opened.size
    response.call_on_close(opened.close)
    return response
