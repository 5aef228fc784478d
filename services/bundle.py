"""A batch's results as one ZIP, written while it is sent: what is in memory is one piece of one image."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from services.errors import ServiceError
from services.formats import Format
from services.jobs import FAILED, FINISHED, JobItem
from services.reports import Report
from services.storage import Storage

TIME = (1980, 1, 1, 0, 0, 0)  # the same batch gives the same bytes


class _Pieces(io.RawIOBase):
    """Where the ZIP is written to; what has come is taken piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def bundle(report: Report, storage: Storage) -> Iterator[bytes]:
    """The ZIP in pieces: each finished item under its name, `metadata.json` on all of them, `errors.json` on those that
    failed. A result that can't be read is told there too: the answer has begun."""
    pieces, names = _Pieces(), result_names(report.items)
    errors = [
        _failure(item, item.error_code or "", item.error_details or "") for item in report.items if item.state == FAILED
    ]
    told: list[dict[str, Any]] = []
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as archive:  # images do not get smaller
        for item in report.items:
            if item.state != FINISHED or not item.result_key:
                continue
            try:
                opened = storage.open(item.result_key)
            except ServiceError as exc:
                errors.append(_failure(item, exc.code, exc.details))
                continue
            with opened, archive.open(zipfile.ZipInfo(names[item.id], TIME), "w", force_zip64=True) as entry:
                for chunk in opened:
                    entry.write(chunk)
                    yield pieces.take()
            told.append(_metadata(item, names[item.id]))
        archive.writestr(zipfile.ZipInfo("metadata.json", TIME), orjson.dumps(told, option=orjson.OPT_INDENT_2))
        archive.writestr(zipfile.ZipInfo("errors.json", TIME), orjson.dumps(errors, option=orjson.OPT_INDENT_2))
    yield pieces.take()


def result_names(items: Sequence[JobItem]) -> dict[str, str]:
    """A file name for each item's result, by item id: its own, and where two are alike the position with it."""
    names: dict[str, str] = {}
    taken: set[str] = {"metadata.json", "errors.json"}
    for item in items:
        ending = Format((item.result or {}).get("format", "png")).extension
        name = f"{item.name}-no-bg.{ending}"
        if name.casefold() in taken:
            name = f"{item.name}-{item.position}-no-bg.{ending}"
        while name.casefold() in taken:
            name = f"_{name}"
        taken.add(name.casefold())
        names[item.id] = name
    return names


def _metadata(item: JobItem, name: str) -> dict[str, Any]:
    result = item.result or {}
    kept = ("width", "height", "bytes", "format", "model", "confidence", "original_width", "original_height")
    seconds = (item.finished_at - item.started_at).total_seconds() if item.started_at and item.finished_at else None
    return {"file": name, "position": item.position, "seconds": seconds, **{key: result.get(key) for key in kept}}


def _failure(item: JobItem, code: str, details: str) -> dict[str, Any]:
    return {"name": item.name, "position": item.position, "code": code, "details": details, "attempts": item.attempts}
