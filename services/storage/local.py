"""Stores objects as files in a local folder.

Each object is written to a partial file and then renamed, so that a reader, a crash or a full disk leaves the old
object or the new one, whole. A link is a path on this service, signed with its secret.
"""

import contextlib
import errno
import os
import stat
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import structlog

from services.errors import BadOption
from services.storage.base import CHUNK_BYTES, Opened, Readable, Stored, check_key, check_prefix
from services.storage.errors import ObjectNotFound, StorageUnavailable
from services.storage.links import DownloadLinks
from services.storage.safe_path import open_file, open_folder

# The path under which routes/files.py serves signed links.
FILES_PATH: Final = "/files"
# The folder of partial files; no key starts with a dot.
PARTIAL: Final = ".partial"
# The writer of a partial file of this age was killed.
ABANDONED_SECONDS: Final = 24 * 3600.0
# Attempts to rename into a folder that `delete` removes at the same time because it is empty.
RENAME_ATTEMPTS: Final = 10
MISSING: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR)
log = structlog.get_logger("storage")


class LocalFolder:
    """A `Storage` in a folder, which is created with the first object."""

    def __init__(self, folder: Path, secret: str) -> None:
        self._folder = folder
        self._links = DownloadLinks(secret)
        self._cleaned = False

    def put(self, key: str, data: bytes | Readable, content_type: str) -> None:  # noqa: ARG002 - the key's extension says it
        """See `Storage.put`. The object is on disk before it returns."""
        parts = check_key(key)
        try:
            partial = open_folder(self._folder, [PARTIAL], make=True)
        except OSError as exc:
            _unavailable(exc)
        name = uuid.uuid4().hex
        try:
            self._remove_abandoned(partial)
            _write(partial, name, data)
            self._rename(partial, name, parts)
        except BaseException as exc:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=partial)
            if isinstance(exc, OSError):
                if exc.errno in (errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
                    raise BadOption("key", key, "a key of which no part is taken by another key") from exc
                _unavailable(exc)
            raise
        finally:
            os.close(partial)

    def open(self, key: str) -> Opened:
        """See `Storage.open`."""
        parts = check_key(key)
        try:
            descriptor = open_file(self._folder, parts)
        except OSError as exc:
            if exc.errno in MISSING:
                raise ObjectNotFound from exc
            _unavailable(exc)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise ObjectNotFound
        file = os.fdopen(descriptor, "rb", buffering=0)
        return Opened(found.st_size, _chunks(file, found.st_size), file.close)

    def delete(self, keys: Iterable[str]) -> None:
        """See `Storage.delete`. Folders that become empty are removed too."""
        for key in keys:
            parts = check_key(key)
            for depth in range(len(parts), 0, -1):
                try:
                    self._remove(parts[:depth], folder=depth < len(parts))
                except OSError as exc:
                    if exc.errno in (*MISSING, errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                        break
                    _unavailable(exc)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `Storage.list`."""
        check_prefix(prefix)
        above = prefix.split("/")[:-1]
        return self._walk(above, prefix)

    def url(self, key: str, seconds: int, filename: str) -> str:
        """See `Storage.url`: a path, which `open_signed` serves."""
        check_key(key)
        return f"{FILES_PATH}/{self._links.token(key, seconds, filename)}"

    def open_signed(self, token: str) -> tuple[Opened, str]:
        """Open the object of a link's last part; return it and its file name. Raises `Forbidden`, `ResultExpired`."""
        key, filename = self._links.read(token)
        return self.open(key), filename

    def check(self) -> None:
        """See `Storage.check`: the folder, or the nearest parent that exists, must be writable."""
        place = next(path for path in (self._folder, *self._folder.absolute().parents) if path.exists())
        try:
            found = os.statvfs(place)
        except OSError as exc:
            _unavailable(exc)
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise StorageUnavailable("the folder can't be written to")
        if found.f_bavail == 0:
            raise StorageUnavailable("the disk is full")

    def _rename(self, partial: int, name: str, parts: Sequence[str]) -> None:
        for left in reversed(range(RENAME_ATTEMPTS)):
            try:
                folder = open_folder(self._folder, parts[:-1], make=True)
                try:
                    os.rename(name, parts[-1], src_dir_fd=partial, dst_dir_fd=folder)
                    os.fsync(folder)
                finally:
                    os.close(folder)
            except FileNotFoundError:
                # The folder was empty, and `delete` has just removed it.
                if not left:
                    raise
            else:
                return

    def _remove(self, parts: Sequence[str], *, folder: bool) -> None:
        above = open_folder(self._folder, parts[:-1])
        try:
            if folder:
                os.rmdir(parts[-1], dir_fd=above)
            else:
                os.unlink(parts[-1], dir_fd=above)
        finally:
            os.close(above)

    def _walk(self, parts: Sequence[str], prefix: str) -> Iterator[Stored]:
        """Yield the objects below a folder whose keys start with the prefix."""
        try:
            descriptor = open_folder(self._folder, parts)
        except OSError as exc:
            if exc.errno in MISSING:
                return
            _unavailable(exc)
        try:
            with os.scandir(descriptor) as entries:
                names = sorted(e.name + "/" * e.is_dir(follow_symlinks=False) for e in entries if e.name[0] != ".")
            for name in names:
                key = "/".join([*parts, name])
                if not (key.startswith(prefix) or (name[-1] == "/" and prefix.startswith(key))):
                    continue
                if name[-1] == "/":
                    yield from self._walk([*parts, name[:-1]], prefix)
                    continue
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        yield Stored(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
        finally:
            os.close(descriptor)

    def _remove_abandoned(self, partial: int) -> None:
        """Remove the partial files of killed writers, once per process."""
        if self._cleaned:
            return
        self._cleaned = True
        for name in os.listdir(partial):
            with contextlib.suppress(FileNotFoundError):
                if os.stat(name, dir_fd=partial).st_mtime < time.time() - ABANDONED_SECONDS:
                    os.unlink(name, dir_fd=partial)


def _write(folder: int, name: str, data: bytes | Readable) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb", buffering=0) as file:
        pieces = [data] if isinstance(data, bytes) else iter(lambda: data.read(CHUNK_BYTES), b"")
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]
        os.fsync(file.fileno())


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        try:
            chunk = file.read(min(CHUNK_BYTES, left))
        except OSError as exc:
            _unavailable(exc)
        if not chunk:
            raise StorageUnavailable("the object ended early")
        left -= len(chunk)
        yield chunk


def _unavailable(exc: OSError) -> NoReturn:
    log.warning("local storage not usable", reason=os.strerror(exc.errno or 0))
    raise StorageUnavailable(os.strerror(exc.errno or 0)) from exc
