"""Object storage: originals and results under keys, in a local folder or in S3, behind one Protocol.

A key is a relative path of plain characters, as `results/3f2a/photo.png`; its ending says what the object is. No key
should be another one's folder (`a` and `a/b`): S3 takes that, a file system can't (`BadOption`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

from services.errors import BadOption
from services.observability.background_check import Probe
from services.storage.errors import StorageUnavailable

KEEP_SECONDS: Final = 2.0  # what was found of its health is told so long without asking again
STALE_SECONDS: Final = 60.0  # an older answer than this is none; S3 takes its time to give up
CHUNK_BYTES: Final = 256 * 1024
MAX_KEY_CHARS: Final = 512
MAX_PART_CHARS: Final = 128
KEYS: Final = (
    "letters, digits, '.', '_', '-', and '/' between parts that begin with none of '.' and '-', "
    f"at most {MAX_KEY_CHARS} characters, as photos/cat.png"
)
_PART: Final = rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{MAX_PART_CHARS - 1}}}"
_KEY: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
STORAGE_URLS: Final = "Input should be file:folder or s3://bucket"


@dataclass(frozen=True)
class Stored:
    """An object as a listing tells it: `size` in bytes, `modified` in UTC."""

    key: str
    size: int
    modified: datetime


class Opened:
    """An object's bytes: `size` in all, then chunk by chunk, once. To be closed, or read to its end, or used in `with`.
    Reading raises `StorageUnavailable` where it breaks off."""

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
    """A file, or anything else that gives its bytes piece by piece, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


class Storage(Protocol):
    """Where objects are. Safe to use from many threads; made without opening anything, so before a fork too.

    Every method raises `StorageUnavailable` where storage can't be reached or used, and `BadOption` for a key that is
    none (see `check_key`).
    """

    def put(self, key: str, data: bytes | Readable, content_type: str) -> None:
        """Store an object under its key. Readers see the one before or this one, whole; the last writer wins. A file
        is read from where it stands, and stays open."""

    def open(self, key: str) -> Opened:
        """An object to read. Raises `ObjectNotFound`."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects; those that are not there are none to remove."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """All objects whose keys begin with the prefix, a plain beginning (`results/3f`), in any order. Those that come
        or go meanwhile may or may not be among them."""

    def url(self, key: str, seconds: int, filename: str) -> str:
        """Where anybody can download the object for so many seconds, as an attachment of that name. A path on this
        service where the storage has no server of its own. Asks nobody whether there is such an object."""

    def check(self) -> None:
        """Raises `StorageUnavailable` when storage can't be used now."""


class StorageProbe:
    """Whether storage can be used, without waiting for it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._probe = Probe(self._ask, "no answer yet", KEEP_SECONDS)

    def problem(self) -> str:
        """What is wrong with it; empty when it can be used."""
        found, age = self._probe.look()
        return found if age < STALE_SECONDS else f"no answer for {age:.0f} s"

    def _ask(self) -> str:
        try:
            self._storage.check()
        except StorageUnavailable as exc:
            return exc.details or exc.message
        return ""


@dataclass(frozen=True)
class S3Options:
    """How S3 is reached. Empty: AWS itself, boto3's own region, or its own chain of credentials."""

    endpoint_url: str = ""
    public_endpoint_url: str = ""
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    encryption: str = "AES256"  # the ServerSideEncryption of every object; empty: none is asked for


def make_storage(url: str, *, secret: str, s3: S3Options | None = None) -> Storage:
    """The storage that a URL names, `file:folder` or `s3://bucket`; `secret` signs a local folder's URLs. Raises
    ValueError."""
    kind, place = parse_storage_url(url)
    if kind == "s3":
        from services.storage.s3 import S3Bucket

        return S3Bucket(place, s3 or S3Options())
    from services.storage.local import LocalFolder

    return LocalFolder(Path(place), secret)


def parse_storage_url(url: str) -> tuple[str, str]:
    """`file` and the folder, or `s3` and the bucket. Raises ValueError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(STORAGE_URLS) from None
    plain = not (parts.query or parts.fragment)
    if plain and parts.scheme == "file" and parts.path and not parts.netloc:
        return "file", parts.path
    if plain and parts.scheme == "s3" and parts.path in ("", "/") and _BUCKET.fullmatch(parts.netloc):
        return "s3", parts.netloc
    raise ValueError(STORAGE_URLS)


def is_key(text: str) -> bool:
    """Whether this can be a key."""
    return len(text) <= MAX_KEY_CHARS and _KEY.fullmatch(text) is not None


def check_key(key: str) -> list[str]:
    """The parts of a key. Raises `BadOption`."""
    if not is_key(key):
        raise BadOption("key", key[:100], KEYS)
    return key.split("/")


def check_prefix(prefix: str) -> None:
    """Raises `BadOption` for what no key begins with."""
    if prefix and not is_key(f"{prefix}x"):
        raise BadOption("prefix", prefix[:100], KEYS)
