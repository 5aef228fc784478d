"""A batch's results as one ZIP, sent while it is made: one image at a time is in memory."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from services.archives.filenames import DistinctNames
from services.archives.zip_writer import zip_stream
from services.errors import ServiceError
from services.imaging.formats import Format
from services.jobs.queries import Report
from services.jobs.tables import FAILED, FINISHED, JobItem
from services.storage.base import Storage


def bundle(report: Report, storage: Storage) -> Iterator[bytes]:
    """The ZIP in pieces: each finished item under its name, `metadata.json` on all of them, `errors.json` on those that
    failed. A result that can't be read is told there too: the answer has begun."""
    return zip_stream(_files(report, storage))


def _files(report: Report, storage: Storage) -> Iterator[tuple[str, bytes]]:
    names = result_names(report.items)
    told = []
    errors = [_failure(i, i.error_code or "", i.error_details or "") for i in report.items if i.state == FAILED]
    for item in report.items:
        if item.state != FINISHED or not item.result_key:
            continue
        try:
            with storage.open(item.result_key) as opened:
                data = b"".join(opened)
        except ServiceError as exc:
            errors.append(_failure(item, exc.code, exc.details))
            continue
        yield names[item.id], data
        told.append(_metadata(item, names[item.id]))
    yield "metadata.json", orjson.dumps(told, option=orjson.OPT_INDENT_2)
    yield "errors.json", orjson.dumps(errors, option=orjson.OPT_INDENT_2)


def result_names(items: Sequence[JobItem]) -> dict[str, str]:
    """A file name for each finished item's result, by item id; no two are alike."""
    names = DistinctNames()
    done = [item for item in items if item.result]
    return {item.id: names.of(f"{item.name}-no-bg.x", Format((item.result or {})["format"]).extension) for item in done}


def _metadata(item: JobItem, name: str) -> dict[str, Any]:
    result = item.result or {}
    kept = ("width", "height", "bytes", "format", "model", "confidence", "original_width", "original_height")
    seconds = (item.finished_at - item.started_at).total_seconds() if item.started_at and item.finished_at else None
    return {"file": name, "position": item.position, "seconds": seconds, **{key: result.get(key) for key in kept}}


def _failure(item: JobItem, code: str, details: str) -> dict[str, Any]:
    return {"name": item.name, "position": item.position, "code": code, "details": details, "attempts": item.attempts}
