"""A ZIP archive that somebody sent, read without harm: nothing is written anywhere, and one file at a time is unpacked.

Names are never used as paths. What could make reading dear is bounded before it is done: entries of the directory
before `zipfile` makes objects of them, bytes of a file while it is unpacked.
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
MAX_ENTRIES: Final = 2000  # folders and a system's own files among them; each costs about a kilobyte to read
MAX_RATIO: Final = 200  # a flat drawing as BMP reaches about 100; DEFLATE itself ends at 1032
RATIO_FREE_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 1024 * 1024
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack without a bound on memory
ENCRYPTED: Final = 0x1
JUNK_FOLDER: Final = "__MACOSX"
JUNK: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError,
)  # fmt: skip


def is_archive(head: bytes) -> bool:
    """Whether a file that starts so is a ZIP archive."""
    return head.startswith(MAGIC)


class Archive:
    """The files of an archive, in its order; folders and what systems add by themselves (`__MACOSX`) are left out.

    Iterating gives each file's name and its bytes, or the error that says why it is refused: `BadEntry` (encrypted, a
    link, a path that leads out, a compression that is not read, packed too densely, damaged) or `UploadTooLarge`. At
    most one file is in memory. Archives within archives are not unpacked: they are files like others.
    """

    def __init__(self, file: IO[bytes], *, max_files: int, max_bytes: int) -> None:
        """`file` can seek; `max_bytes` bounds each of its files. Raises `BadArchive` and `TooManyFiles`."""
        self._max_bytes = max_bytes
        size = _refuse_crowds(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except DAMAGE as exc:
            raise BadArchive(f"its directory can't be read ({type(exc).__name__})") from exc
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
        """Raises for what its entry in the directory already shows."""
        if problem := _path_problem(info.orig_filename):
            raise BadEntry(problem)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BadEntry("it is a link" if kind == stat.S_IFLNK else "it is no plain file")
        if info.flag_bits & ENCRYPTED:
            raise BadEntry("it is encrypted")
        if info.compress_type not in METHODS:
            raise BadEntry(f"it is packed with method {info.compress_type}; read are 0 (stored) and 8 (deflate)")
        if info.file_size > self._max_bytes:
            raise UploadTooLarge(f"the file has {info.file_size} bytes; allowed: {self._max_bytes}")
        if info.file_size > RATIO_FREE_BYTES and info.file_size > MAX_RATIO * info.compress_size:
            raise BadEntry(f"it is packed more than {MAX_RATIO} times")


def _refuse_crowds(file: IO[bytes]) -> int:
    """The archive's size in bytes. Raises `BadArchive` for more entries than anyone's photos need.

    `zipfile` makes an object of every entry before anything can be asked. Each begins with the same four bytes, so
    their count is never too low, whatever the archive says of itself.
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
    """Why a file of that name is not taken; empty when it is."""
    path = name.replace("\\", "/")
    if "\0" in path or not path:
        return "its name is not one"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "its path is absolute"
    return "its path leads out of the archive" if ".." in path.split("/") else ""
