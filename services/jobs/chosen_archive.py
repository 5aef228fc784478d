"""Archives of chosen items, of any jobs: what goes into one is stored, and read again when it is downloaded."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from services.archives.errors import ArchiveTooLarge
from services.archives.filenames import DistinctNames, harmless_path, without_ending
from services.archives.zip_writer import zip_stream
from services.errors import ServiceError
from services.imaging.formats import Format
from services.jobs.archive import METADATA, Latest, read_result
from services.jobs.errors import ItemNotFinished, ItemNotFound
from services.jobs.queries import is_expired
from services.jobs.tables import DELETED, FINISHED, Job, JobItem, new_job_id
from services.storage.base import Storage, read_whole
from services.storage.errors import ResultExpired

MAX_FILES: Final = 2000
MAX_BYTES: Final = 4 << 30
# Retention deletes files without a job at this age.
KEPT_SECONDS: Final = 3600
Records = Mapping[str, tuple[Job, JobItem]]
"""Items by their ids, each with its job."""


class ChosenItem(BaseModel):
    """An item and the path that its result gets, without ending; "" is the path that its image was sent with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    item_id: str
    name: str = ""


class Manifest(BaseModel):
    """The content of an archive: items in their order, and whether `metadata.json` describes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: tuple[ChosenItem, ...]
    metadata: bool = True


@dataclass(frozen=True)
class Made:
    """An archive that can be downloaded: the key of its manifest, and what it has by now."""

    key: str
    expires_at: float
    files: int
    bytes: int


@dataclass(frozen=True)
class Entry:
    """One item in `metadata.json`: `name` as it was sent, `path` in the archive, sizes in px and bytes."""

    name: str
    path: str | None
    status: str
    width: int | None
    height: int | None
    bytes: int | None
    format: str | None
    model: str | None
    confidence: float | None
    seconds: float | None
    edited: bool
    error: dict[str, str] | None


@dataclass(frozen=True)
class ChosenArchives:
    """Makes and streams archives. `find` returns those of the items (item ids) that a caller may see."""

    storage: Storage
    find: Callable[[Sequence[str]], Records]
    latest: Latest

    def make(self, manifest: Manifest) -> Made:
        """Store a manifest.

        Raises `ItemNotFound` for an item that the caller may not see, `ItemNotFinished` or `ResultExpired` where no
        item has a result, `ArchiveTooLarge`, `StorageUnavailable`.
        """
        records = self.find([chosen.item_id for chosen in manifest.items])
        for chosen in manifest.items:
            if chosen.item_id not in records or records[chosen.item_id][0].id != chosen.job_id:
                raise ItemNotFound(f"{chosen.item_id[:50]!r} of the job {chosen.job_id[:50]!r}")
        sizes = [_bytes_of(*records[chosen.item_id]) for chosen in manifest.items]
        found = [size for size in sizes if size is not None]
        if not found:
            raise _nothing(records)
        if sum(found) > MAX_BYTES:
            raise ArchiveTooLarge(f"the results have {sum(found)} bytes; allowed: {MAX_BYTES}")
        key = f"archives/{new_job_id()}/manifest.json"
        self.storage.put(key, manifest.model_dump_json().encode(), "application/json")
        return Made(key, time.time() + KEPT_SECONDS, len(found), sum(found))

    def stream(self, key: str) -> Iterator[bytes]:
        """Yield the archive of a manifest in pieces; one result at a time is in memory.

        A result that can't be read is left out, and `metadata.json` says why. Raises `ObjectNotFound` before the first
        piece.
        """
        try:
            manifest = Manifest.model_validate_json(read_whole(self.storage, key))
        except ValidationError as exc:
            raise ResultExpired("the archive was made by another version", "Ask for it again") from exc
        records = self.find([chosen.item_id for chosen in manifest.items])
        return zip_stream(self._files(manifest, records))

    def _files(self, manifest: Manifest, records: Records) -> Iterator[tuple[str, bytes]]:
        names, entries = DistinctNames(METADATA), []
        for chosen in manifest.items:
            if chosen.item_id not in records:
                # Its job was deleted since.
                continue
            job, item = records[chosen.item_id]
            if _bytes_of(job, item) is None:
                entries.append(_entry(item, None, _reason(job, item)))
                continue
            try:
                now, data = read_result(item, self.storage, self.latest)
            except ServiceError as exc:
                entries.append(_entry(item, None, {"code": exc.code, "details": exc.details}))
                continue
            assert now.result
            stem = without_ending(harmless_path(chosen.name or item.name))
            path = names.of_stem(stem, Format(now.result.format).extension)
            yield path, data
            entries.append(_entry(now, path, None))
        if manifest.metadata:
            yield METADATA, orjson.dumps(entries, option=orjson.OPT_INDENT_2)


def _bytes_of(job: Job, item: JobItem) -> int | None:
    """Return the size of an item's result; None without one."""
    if item.state != FINISHED or item.result is None or is_expired(job):
        return None
    return item.result.bytes


def _nothing(records: Records) -> ServiceError:
    if any(is_expired(job) or item.state == DELETED for job, item in records.values()):
        return ResultExpired("the results of these images are no longer kept")
    return ItemNotFinished("none of these images is finished")


def _reason(job: Job, item: JobItem) -> dict[str, str] | None:
    if item.error_code:
        return {"code": item.error_code, "details": item.error_details or ""}
    if item.state == DELETED:
        return {"code": ResultExpired.code, "details": "it was deleted"}
    return {"code": ResultExpired.code, "details": ""} if is_expired(job) else None


def _entry(item: JobItem, path: str | None, error: dict[str, str] | None) -> Entry:
    facts = item.result
    spent = item.finished_at - item.started_at if item.finished_at and item.started_at else None
    return Entry(
        name=item.name,
        path=path,
        status=item.state,
        width=facts.width if facts else None,
        height=facts.height if facts else None,
        bytes=facts.bytes if facts else None,
        format=facts.format if facts else None,
        model=facts.model if facts else None,
        confidence=facts.confidence if facts else None,
        seconds=round(spent.total_seconds(), 3) if spent else None,
        edited=item.revision > 0,
        error=error,
    )
