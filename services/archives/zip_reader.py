"""Reads untrusted ZIP archives: writes nothing, and unpacks one file at a time.

Names are never used as paths. Costs are bounded before they arise: directory entries before `zipfile` makes objects of
them, a file's bytes while it is unpacked.
"""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Final

from services.archives.errors import BadArchive, BadEntry, TooManyFiles
from services.errors import ServiceError, UploadTooLarge

MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
DIRECTORY_ENTRY: Final = b"PK\x01\x02"
# Folders and a system's own files included; each costs about a kilobyte of memory.
MAX_ENTRIES: Final = 2000
# A flat drawing as BMP reaches a ratio of about 100; the limit of DEFLATE is 1032.
MAX_RATIO: Final = 200
RATIO_FREE_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 1024 * 1024
# The other methods unpack without a bound on memory.
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED: Final = 0x1
JUNK_FOLDER: Final = "__MACOSX"
JUNK: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError,
)  # fmt: skip


def is_archive(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is a ZIP archive."""
    return head.startswith(MAGIC)


class Archive:
    """The files of an archive, in its order, without folders and files that systems add (`__MACOSX`).

    Iterating yields each file's name and its bytes, or the error that refuses it: `BadEntry` (encrypted, a link, a path
    outside the archive, an unsupported or excessive compression, damaged) or `UploadTooLarge`. At most one file is in
    memory. Nested archives are not unpacked: they are files like others.
    """

    def __init__(self, file: IO[bytes], *, max_files: int, max_bytes: int) -> None:
        """`file` must be seekable; `max_bytes` bounds each unpacked file. Raises `BadArchive` and `TooManyFiles`.

        `entries` is the number of all entries of its directory, also of those that are left out.
        """
        self._max_bytes = max_bytes
        size = _check_entry_count(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except DAMAGE as exc:
            raise BadArchive(f"its directory can't be read ({type(exc).__name__})") from exc
        self.entries = len(self._zip.infolist())
        self._infos = [info for info in self._zip.infolist() if not _is_left_out(info.filename)]
        if len(self._infos) > max_files:
            raise TooManyFiles(f"the archive has {len(self._infos)}; allowed: {max_files}")
        if sum(info.compress_size for info in self._zip.infolist()) > size:
            raise BadArchive("its files overlap")

    def __len__(self) -> int:
        return len(self._infos)

    def __iter__(self) -> Iterator[tuple[str, bytes | ServiceError]]:
        for info in self._infos:
            try:
                yield info.filename, self._read(info)
            except ServiceError as exc:
                yield info.filename, exc

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        self._refuse(info)
        data = bytearray()
        try:
            with self._zip.open(info) as file:
                while piece := file.read(READ_BYTES):
                    data += piece
                    if len(data) > self._max_bytes:
                        raise UploadTooLarge(f"the file has more than the {self._max_bytes} bytes allowed")
        except DAMAGE as exc:
            raise BadEntry(f"it is damaged ({type(exc).__name__})") from exc
        return bytes(data)

    def _refuse(self, info: zipfile.ZipInfo) -> None:
        """Refuse a file by its directory entry. Raises `BadEntry`, `UploadTooLarge`."""
        if problem := _path_problem(info.orig_filename):
            raise BadEntry(problem)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BadEntry("it is a link" if kind == stat.S_IFLNK else "it is not a plain file")
        if info.flag_bits & ENCRYPTED:
            raise BadEntry("it is encrypted")
        if info.compress_type not in METHODS:
            raise BadEntry(
                f"its compression method {info.compress_type} is not supported; allowed are 0 (stored) and 8 (deflate)"
            )
        if info.file_size > self._max_bytes:
            raise UploadTooLarge(f"the file has {info.file_size} bytes; allowed: {self._max_bytes}")
        if info.file_size > RATIO_FREE_BYTES and info.file_size > MAX_RATIO * info.compress_size:
            raise BadEntry(f"its compression ratio exceeds {MAX_RATIO}")


def _check_entry_count(file: IO[bytes]) -> int:
    """Return the archive's size in bytes. Raises `BadArchive` for too many entries.

    `zipfile` makes an object of every entry before it can be asked for their number. Each entry starts with the same
    four bytes, so their count is never too low, whatever the archive claims.
    """
    file.seek(0)
    size, entries, rest = 0, 0, b""
    while piece := file.read(READ_BYTES):
        size += len(piece)
        joined = rest + piece
        entries += joined.count(DIRECTORY_ENTRY)
        rest = joined[-len(DIRECTORY_ENTRY) + 1 :]
        if entries > MAX_ENTRIES:
            raise BadArchive(f"it has more than {MAX_ENTRIES} entries")
    return size


def _is_left_out(name: str) -> bool:
    path = PurePosixPath(name)
    return name.endswith("/") or path.parts[:1] == (JUNK_FOLDER,) or path.name in JUNK


def _path_problem(name: str) -> str:
    """Return why a file of this name is refused; empty when it is not."""
    path = name.replace("\\", "/")
    if "\0" in path or not path:
        return "its name is not valid"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "its path is absolute"
    return "its path points outside the archive" if ".." in path.split("/") else ""
