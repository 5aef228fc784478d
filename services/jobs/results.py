"""Stores the files of an item's result: the picture, the mask that made it, and a preview."""

from services.imaging.extras import Extras
from services.imaging.pipeline import Result
from services.jobs.facts import ResultFacts
from services.jobs.tables import mask_key, preview_key
from services.storage.base import Storage


def put_result(storage: Storage, key: str, result: Result, extras: Extras) -> None:
    """Store a result under its key, and its mask and preview under theirs. Raises `StorageUnavailable`."""
    storage.put(mask_key(key), extras.mask, "image/png")
    storage.put(preview_key(key), extras.preview, "image/webp")
    storage.put(key, result.data, result.format.mimetype)


def files_of(key: str) -> list[str]:
    """Return the keys of all files of the result with this key."""
    return [key, mask_key(key), preview_key(key)]


def result_facts(result: Result) -> ResultFacts:
    """Extract the facts that an item's record keeps of its result."""
    return ResultFacts(
        format=result.format.value,
        mimetype=result.format.mimetype,
        width=result.width,
        height=result.height,
        bytes=len(result.data),
        original_format=result.original_format,
        original_width=result.original_width,
        original_height=result.original_height,
        original_bytes=result.original_bytes,
        model=result.model,
        confidence=round(result.confidence, 3),
        frames=result.frames,
        duration_ms=result.duration_ms,
        timings_ms={name: round(ms, 1) for name, ms in result.timings.items()},
    )
