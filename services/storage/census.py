"""Counts the objects below prefixes of a storage, within bounds."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from services.storage.base import Storage

# Of each prefix: ten pages of S3, some 0.1 s in a local folder.
MAX_COUNTED: Final = 10_000
MAX_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Census:
    """How many files there are and their bytes; `at_least` when the count was cut."""

    files: int = 0
    bytes: int = 0
    at_least: bool = False


def count_objects(storage: Storage, prefix: str, clock: Callable[[], float] = time.monotonic) -> Census:
    """Count at most `MAX_COUNTED` objects whose keys start with the prefix, for `MAX_SECONDS` or a page longer.

    Raises `StorageUnavailable`.
    """
    end, files, size = clock() + MAX_SECONDS, 0, 0
    for stored in storage.list(prefix):
        if files == MAX_COUNTED or clock() > end:
            return Census(files, size, at_least=True)
        files, size = files + 1, size + stored.size
    return Census(files, size)


def count_all(storage: Storage, prefixes: Mapping[str, str]) -> dict[str, Census]:
    """Count the objects of several prefixes, by the names that they are given. Raises `StorageUnavailable`."""
    return {name: count_objects(storage, prefix) for name, prefix in prefixes.items()}
