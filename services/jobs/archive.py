"""Streams a batch's results as one ZIP; one image at a time is in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from services.archives.filenames import DistinctNames, folder_of, harmless_path, harmless_stem
from services.archives.zip_writer import zip_stream
from services.errors import ServiceError
from services.imaging.formats import Format
from services.jobs.facts import ResultFacts
from services.jobs.queries import JobSnapshot
from services.jobs.tables import CANCELLED, DELETED, FINISHED, JobItem
from services.storage.base import Storage, read_whole
from services.storage.errors import ObjectNotFound

METADATA: Final = "metadata.json"
ERRORS: Final = "errors.json"
Latest = Callable[[str], JobItem | None]
"""Finds an item by its id, as it is now."""


@dataclass(frozen=True)
class ResultEntry:
    """One file in `metadata.json`: `name` as it was sent, sizes in px and bytes."""

    file: str
    name: str
    position: int
    seconds: float | None
    width: int
    height: int
    bytes: int
    format: str
    model: str
    confidence: float
    original_width: int
    original_height: int
    edited: bool


@dataclass(frozen=True)
class ErrorEntry:
    """One image in `errors.json`; `code` is `cancelled` where it was cancelled before it was done, or `deleted`."""

    name: str
    position: int
    code: str
    details: str
    attempts: int


def stream_archive(snapshot: JobSnapshot, storage: Storage, latest: Latest = lambda _id: None) -> Iterator[bytes]:
    """Yield the ZIP in pieces: each finished item's result, then `metadata.json` on them and `errors.json` on the rest.

    A result that can't be read becomes an entry of `errors.json` too: the answer has begun. `latest` finds an item as
    it is now, for one whose result is replaced meanwhile.
    """
    return zip_stream(_files(snapshot, storage, latest))


def read_result(item: JobItem, storage: Storage, latest: Latest) -> tuple[JobItem, bytes]:
    """Return a finished item and its result; where it was replaced, the item as it is now, and the new one.

    Raises `ObjectNotFound`, `StorageUnavailable`.
    """
    assert item.result_key
    try:
        return item, read_whole(storage, item.result_key)
    except ObjectNotFound:
        now = latest(item.id)
        if now is None or now.result_key in (None, item.result_key):
            raise
        assert now.result_key
        return now, read_whole(storage, now.result_key)


def _files(snapshot: JobSnapshot, storage: Storage, latest: Latest) -> Iterator[tuple[str, bytes]]:
    names = result_names(snapshot.items)
    results = []
    errors = [_error_entry(i, i.error_code or "", i.error_details or "") for i in snapshot.failed_items]
    errors += [_error_entry(i, CANCELLED, "it was cancelled") for i in snapshot.items if i.state == CANCELLED]
    errors += [_error_entry(i, DELETED, "it was deleted") for i in snapshot.deleted_items]
    for item in snapshot.items:
        if item.state != FINISHED or not item.result_key or not item.result:
            continue
        try:
            item, data = read_result(item, storage, latest)
        except ServiceError as exc:
            errors.append(_error_entry(item, exc.code, exc.details))
            continue
        yield names[item.id], data
        assert item.result
        results.append(_result_entry(item, item.result, names[item.id]))
    yield METADATA, orjson.dumps(results, option=orjson.OPT_INDENT_2)
    yield ERRORS, orjson.dumps(errors, option=orjson.OPT_INDENT_2)


def result_names(items: Sequence[JobItem]) -> dict[str, str]:
    """Choose a distinct path for each finished item's result, by item id: in the folders that its image was sent in."""
    names, chosen = DistinctNames(METADATA, ERRORS), {}
    for item in items:
        if item.result:
            extension = Format(item.result.format).extension
            stem = f"{folder_of(harmless_path(item.name))}{harmless_stem(item.name)}-no-bg"
            chosen[item.id] = names.of_stem(stem, extension)
    return chosen


def result_name(item: JobItem) -> str:
    """Return the file name of a finished item's result alone."""
    return result_names([item])[item.id].rpartition("/")[2]


def _result_entry(item: JobItem, facts: ResultFacts, name: str) -> ResultEntry:
    seconds = (item.finished_at - item.started_at).total_seconds() if item.started_at and item.finished_at else None
    return ResultEntry(
        file=name,
        name=item.name,
        position=item.position,
        seconds=seconds,
        width=facts.width,
        height=facts.height,
        bytes=facts.bytes,
        format=facts.format,
        model=facts.model,
        confidence=facts.confidence,
        original_width=facts.original_width,
        original_height=facts.original_height,
        edited=item.revision > 0,
    )


def _error_entry(item: JobItem, code: str, details: str) -> ErrorEntry:
    return ErrorEntry(item.name, item.position, code, details, item.attempts)
