"""Reads a TIFF's first directory: the pixels that a decoder really makes, and lists that would keep it busy.

Classic TIFF and BigTIFF, in both byte orders (TIFF 6.0, section 2). A decoder reserves whole tiles, however small the
picture is, and Pillow makes an object of each strip and tile. Cameras' raw files are TIFFs too, whose first directory
holds a small preview.
"""

import struct
from dataclasses import dataclass
from typing import Final, Literal

from services.containers.errors import CorruptImage

PART_OF_ANOTHER, SUB_DIRECTORIES, DNG_VERSION = 254, 330, 50706
WIDTH, LENGTH = 256, 257
STRIP_OFFSETS, STRIP_COUNTS = 273, 279
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
PIECES: Final = frozenset({STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS})
# BYTE, ASCII, SBYTE, UNDEFINED: Pillow keeps these as bytes.
BYTES: Final = frozenset({1, 2, 6, 7})
# Integer types and their struct codes; signed values count as unsigned, so that negative ones are huge.
INTEGERS: Final = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I", 13: "I", 16: "Q", 17: "Q"}
# A strip for each row of the highest JPEG. Each costs about 230 bytes, also while the image waits for its turn.
MAX_PIECES: Final = 65_536
# The largest palette has 196,608.
MAX_NUMBERS: Final = 250_000
MAX_TAGS: Final = 4096


@dataclass(frozen=True)
class Entry:
    """A tag of a directory: its type, the number of its values, and the first one (0 where it is no integer)."""

    tag: int
    kind: int
    count: int
    first: int


def is_raw_photo(data: bytes) -> bool:
    """Return whether a TIFF is a camera's raw file: CR2, DNG, or a preview with the photo beside it (NEF, ARW)."""
    if data[8:10] == b"CR":
        return True
    found = first_values(data)
    is_preview = bool(found.get(PART_OF_ANOTHER, 0) & 1)
    return DNG_VERSION in found or (is_preview and SUB_DIRECTORIES in found)


def first_values(data: bytes) -> dict[int, int]:
    """Return the first value of each tag that holds integers; nothing for a directory of too many tags."""
    try:
        return {entry.tag: entry.first for entry in _entries(data)}
    except CorruptImage:
        return {}


def tiff_pixels(data: bytes) -> int:
    """Return the pixels of all tiles that cover the picture; 0 for a picture in strips, or a directory that can't be
    read.

    Raises `CorruptImage` for more strips, tiles or numbers than any picture needs.
    """
    found: dict[int, int] = {}
    numbers = 0
    for entry in _entries(data):
        if entry.tag in PIECES:
            if entry.count > MAX_PIECES:
                raise CorruptImage(f"it has {entry.count} strips or tiles; allowed: {MAX_PIECES}")
        elif entry.kind not in BYTES:
            numbers += entry.count
        # Of a repeated tag Pillow takes the last and libtiff the first: the largest is safe.
        found[entry.tag] = max(found.get(entry.tag, 0), entry.first)
    if numbers > MAX_NUMBERS:
        raise CorruptImage(f"its tags list {numbers} numbers; allowed: {MAX_NUMBERS}")
    across = _tiled(found.get(WIDTH, 0), found.get(TILE_WIDTH, 0))
    return across * _tiled(found.get(LENGTH, 0), found.get(TILE_LENGTH, 0))


def directory_end(data: bytes) -> int:
    """Return the place behind the first directory, which may be outside the file."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    width, count, row = (8, 8, 20) if data[2:4] in (b"+\0", b"\0+") else (4, 2, 12)
    at = int.from_bytes(data[width : 2 * width], order)
    return at + count + int.from_bytes(data[at : at + count], order) * row + width


def _tiled(length: int, tile: int) -> int:
    return -(-length // tile) * tile if tile else 0


def _entries(data: bytes) -> list[Entry]:
    """Return the entries of the first directory, as many as the file holds. Raises `CorruptImage` for too many."""
    if data[:4] == b"MM\0+":
        # libtiff reads a BigTIFF, and Pillow a classic TIFF.
        return [*_directory(data, ">", big=False), *_directory(data, ">", big=True)]
    return _directory(data, "<" if data[:2] == b"II" else ">", big=data[2:3] == b"+")


def _directory(data: bytes, order: str, *, big: bool) -> list[Entry]:
    head, row, room = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    try:
        at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
        tags = struct.unpack_from(order + head, data, at)[0]
    except (struct.error, OverflowError):
        return []
    at += struct.calcsize(order + head)
    size = struct.calcsize(order + row) + room
    tags = min(tags, max(0, len(data) - at) // size)
    if tags > MAX_TAGS:
        raise CorruptImage(f"it has {tags} tags; allowed: {MAX_TAGS}")
    found = []
    for start in range(at, at + tags * size, size):
        tag, kind, count = struct.unpack_from(order + row, data, start)
        found.append(Entry(tag, kind, count, _first(data, start + size - room, (order, kind, count, room))))
    return found


def _first(data: bytes, at: int, shape: tuple[str, int, int, int]) -> int:
    """Return the first value of an entry whose value, or the value's offset, is at `at`."""
    order, kind, count, room = shape
    code = INTEGERS.get(kind)
    if code is None or not count:
        return 0
    try:
        if struct.calcsize(order + code) * count > room:
            at = struct.unpack_from(order + ("Q" if room == 8 else "I"), data, at)[0]
        return int(struct.unpack_from(order + code, data, at)[0])
    except (struct.error, OverflowError):
        return 0
