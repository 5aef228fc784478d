"""Reads the sizes of the pictures in an AVIF or HEIC file, without decoding (ISO/IEC 23008-12, 14496-12).

The container states a size (`ispe`), and the coded picture has one of its own. A decoder makes the coded picture.
"""

import struct
from collections.abc import Iterator
from typing import Final

from services.containers.av1 import av1_pixels
from services.containers.errors import CorruptImage

Box = tuple[bytes, bytes]
"""A box's type and content."""

# A photograph of a phone has about 100.
MAX_BOXES: Final = 20_000
GRID_HEAD: Final = 4


def heif_pixels(data: bytes) -> int:
    """Return the pixels of the largest picture: stated, coded in AV1, or put together from a grid of tiles.

    0 where nothing can be read: then the decoder refuses the file. Raises `CorruptImage` for lists without an end.
    """
    largest = 0
    try:
        for kind, content in _boxes(data):
            if kind == b"meta":
                largest = max(largest, _meta(content[4:], data))
            elif kind == b"moov":
                largest = max(largest, _movie(content, data))
    except (struct.error, IndexError, OverflowError):
        return largest
    return largest


def _boxes(data: bytes, at: int = 0) -> Iterator[Box]:
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + size if size else len(data)
        if end < at + head:
            return
        yield data[at + 4 : at + 8], data[at + head : end]
        at = end
    raise CorruptImage(f"it has more than {MAX_BOXES} boxes")


def _meta(meta: bytes, data: bytes) -> int:
    """Return the pixels of the largest item."""
    parts = dict(_boxes(meta))
    properties = [
        found for kind, content in _boxes(parts.get(b"iprp", b"")) if kind == b"ipco" for found in _boxes(content)
    ]
    stated = [_product(content[4:12]) for kind, content in properties if kind == b"ispe"]
    coded = [av1_pixels(content[4:]) for kind, content in properties if kind == b"av1C"]
    largest = max([0, *stated, *coded])
    kinds = dict(_items(parts.get(b"iinf", b"")))
    grids = [0]
    for item, content in _contents(parts.get(b"iloc", b""), parts.get(b"idat", b""), data):
        if kinds.get(item) == b"av01":
            largest = max(largest, av1_pixels(content))
        elif kinds.get(item) == b"grid":
            grids.append(_grid(content))
    return max(largest, *grids)


def _product(size: bytes) -> int:
    width, height = struct.unpack(">II", size)
    return int(width * height)


def _grid(content: bytes) -> int:
    """Return the pixels of a grid's output (23008-12, 6.6.2.3)."""
    wide = content[1] & 1
    width, height = struct.unpack_from(">II" if wide else ">HH", content, GRID_HEAD)
    return int(width * height)


def _items(iinf: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and type of each item (14496-12, 8.11.6)."""
    for kind, content in _boxes(iinf, 8 if iinf[:1] > b"\0" else 6):
        version = content[0]
        if kind == b"infe" and version >= 2:
            width = 2 if version == 2 else 4
            yield int.from_bytes(content[4 : 4 + width], "big"), content[6 + width : 10 + width]


def _contents(iloc: bytes, idat: bytes, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each item (14496-12, 8.11.3). Raises `CorruptImage` for parts that overlap."""
    if not iloc:
        return
    version, sizes, base_sizes = iloc[0], iloc[4], iloc[5]
    reader = _Reader(iloc, 6)
    wide = 4 if version == 2 else 2
    used = extents = 0
    for _ in range(reader.read(wide)):
        item = reader.read(wide)
        source = idat if version and reader.read(2) & 15 == 1 else data
        reader.read(2)
        base = reader.read(base_sizes >> 4)
        pieces = []
        for _ in range(reader.read(2)):
            if version:
                reader.read(base_sizes & 15)
            offset, length = base + reader.read(sizes >> 4), reader.read(sizes & 15)
            pieces.append(source[offset : offset + length] if length else source[offset:])
            used += len(pieces[-1])
            extents += 1
            # Items may share bytes, but no honest file states them all twice.
            if used > 2 * len(data) or extents > MAX_BOXES:
                raise CorruptImage("its parts overlap")
        yield item, b"".join(pieces)


def _movie(moov: bytes, data: bytes) -> int:
    """Return the pixels of the largest track: stated, and coded in its first sample (14496-12, 8.7)."""
    largest = 0
    for _, track in (box for box in _boxes(moov) if box[0] == b"trak"):
        found = dict(_boxes(track))
        table = dict(_boxes(dict(_boxes(dict(_boxes(found.get(b"mdia", b""))).get(b"minf", b""))).get(b"stbl", b"")))
        if b"tkhd" in found:
            width, height = struct.unpack(">II", found[b"tkhd"][-8:])
            largest = max(largest, (width >> 16) * (height >> 16))
        for kind, content in _boxes(table.get(b"stsd", b"")[8:]):
            if kind == b"av01":
                configuration = dict(_boxes(content, 78)).get(b"av1C", b"")
                largest = max(largest, int.from_bytes(content[24:26], "big") * int.from_bytes(content[26:28], "big"))
                largest = max(largest, av1_pixels(configuration[4:]))
        for name, width in ((b"stco", 4), (b"co64", 8)):
            if name in table:
                offset = int.from_bytes(table[name][8 : 8 + width], "big")
                largest = max(largest, av1_pixels(data[offset : offset + _first_size(table.get(b"stsz", b""))]))
    return largest


def _first_size(stsz: bytes) -> int:
    return int.from_bytes(stsz[4:8], "big") or int.from_bytes(stsz[12:16], "big")


class _Reader:
    """Reads big-endian numbers of given widths. Raises `IndexError` at the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def read(self, width: int) -> int:
        if self._at + width > len(self._data):
            raise IndexError
        value = int.from_bytes(self._data[self._at : self._at + width], "big")
        self._at += width
        return value
