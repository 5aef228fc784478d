"""Defines what a storage is: the Protocol `Storage`, its objects, its keys, and the probe of its health.

A key is a relative path of plain characters, such as `results/3f2a/photo.png`; its extension names the type. No key may
be the folder of another one (`a` and `a/b`): S3 accepts that, a file system can't (`BadOption`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Protocol, Self

from services.errors import BadOption
from services.observability.background_check import BackgroundCheck
from services.storage.errors import StorageUnavailable

# How long the probe's last answer is reused, and from what age on it no longer counts: S3 is slow to give up.
PROBE_KEEP_SECONDS: Final = 2.0
PROBE_STALE_SECONDS: Final = 60.0
CHUNK_BYTES: Final = 256 * 1024
MAX_KEY_CHARS: Final = 512
MAX_PART_CHARS: Final = 128
KEYS: Final = (
    "letters, digits, '.', '_', '-', and '/' between parts that begin with none of '.' and '-', "
    f"at most {MAX_KEY_CHARS} characters, as photos/cat.png"
)
_PART: Final = rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{MAX_PART_CHARS - 1}}}"
_KEY: Final = re.compile(rf"{_PART}(?:/{_PART})*")


@dataclass(frozen=True)
class Stored:
    """An object in a listing: `size` in bytes, `modified` in UTC."""

    key: str
    size: int
    modified: datetime


class Opened:
    """An open object: its `size` in bytes, and its bytes chunk by chunk, once.

    Read it to its end, close it, or use it in `with`. Reading raises `StorageUnavailable` where it breaks off.
    """

    def __init__(self, size: int, chunks: Iterator[bytes], close: Callable[[], None]) -> None:
        self.size, self._chunks, self.close = size, chunks, close

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Readable(Protocol):
    """A file, or anything else that is read piece by piece; an empty piece is its end."""

    def read(self, size: int, /) -> bytes: ...


class Storage(Protocol):
    """A store of objects. Thread-safe; making one opens nothing, so it may be made before a fork.

    Every method raises `StorageUnavailable` if the storage can't be reached or used, and `BadOption` for an invalid key
    (see `check_key`).
    """

    def put(self, key: str, data: bytes | Readable, content_type: str) -> None:
        """Store an object under its key. Readers see the old object or the new one, whole; the last writer wins.

        A file is read from its current position and stays open.
        """

    def open(self, key: str) -> Opened:
        """Open an object for reading. Raises `ObjectNotFound`."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete the objects; keys without an object are ignored."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield all objects whose keys start with the prefix (`results/3f`), in any order. Objects stored or deleted
        during the listing may or may not be included."""

    def url(self, key: str, seconds: int, filename: str) -> str:
        """Return a link that downloads the object for `seconds`, as an attachment of that name.

        It is a path on this service if the storage has no server of its own. Does not check that the object exists.
        """

    def check(self) -> None:
        """Check that the storage can be used now. Raises `StorageUnavailable`."""


def read_whole(storage: Storage, key: str) -> bytes:
    """Return an object's bytes. Raises `ObjectNotFound`, `StorageUnavailable`."""
    with storage.open(key) as opened:
        return b"".join(opened)


class StorageProbe:
    """Checks in the background whether the storage can be used."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._probe = BackgroundCheck(self._ask, "no answer yet", PROBE_KEEP_SECONDS)

    def problem(self) -> str:
        """Return the storage's problem; empty when it can be used."""
        found, age = self._probe.latest()
        return found if age < PROBE_STALE_SECONDS else f"no answer for {age:.0f} s"

    def _ask(self) -> str:
        try:
            self._storage.check()
        except StorageUnavailable as exc:
            return exc.details or exc.message
        return ""


@dataclass(frozen=True)
class S3Options:
    """Connection options of S3. Empty: AWS itself, boto3's own region, or its own chain of credentials."""

    endpoint_url: str = ""
    public_endpoint_url: str = ""
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    # The ServerSideEncryption of every object; empty: none is requested.
    encryption: str = "AES256"


def is_key(text: str) -> bool:
    """Return whether this is a valid key."""
    return len(text) <= MAX_KEY_CHARS and _KEY.fullmatch(text) is not None


def check_key(key: str) -> list[str]:
    """Return the parts of a key. Raises `BadOption`."""
    if not is_key(key):
        raise BadOption("key", key[:100], KEYS)
    return key.split("/")


def check_prefix(prefix: str) -> None:
    """Check that a key can start with the prefix. Raises `BadOption`."""
    if prefix and not is_key(f"{prefix}x"):
        raise BadOption("prefix", prefix[:100], KEYS)
