"""Says whether a file ends before its own end: a download or a copy that was broken off.

Asked only where a decoder has refused the file: many complete files state a wrong length.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from services.containers.jpeg_guard import END_OF_IMAGE, jpeg_markers
from services.containers.tiff import directory_end

# In front of a chunk's or a box's content: its length and its name, four bytes each.
HEAD: Final = 8
PNG_SIGNATURE, CHECKSUM = 8, 4
GIF_END: Final = b";"
MAX_STEPS: Final = 20_000


def ends_early(data: bytes, kind: str) -> bool:
    """Return whether a file of this format ends before its own end."""
    match kind:
        case "jpeg":
            return END_OF_IMAGE not in (marker for marker, _ in jpeg_markers(data))
        case "png":
            return _is_outside(data, _png_chunks(data))
        case "webp":
            return HEAD + int.from_bytes(data[4:8], "little") > len(data)
        case "avif" | "heic":
            return _is_outside(data, _boxes(data))
        case "gif":
            return not data.endswith(GIF_END)
        case "bmp":
            return int.from_bytes(data[2:6], "little") > len(data)
        case "tiff":
            return directory_end(data) > len(data)
    return False


def _is_outside(data: bytes, ends: Iterator[int]) -> bool:
    """Return whether a part of the file ends outside it. So many parts that it takes long are all taken for whole."""
    return any(end > len(data) for end in islice(ends, MAX_STEPS))


def _png_chunks(data: bytes) -> Iterator[int]:
    """Yield the end of each chunk up to IEND."""
    at, name = PNG_SIGNATURE, b""
    while name != b"IEND":
        name = data[at + 4 : at + HEAD]
        at += HEAD + int.from_bytes(data[at : at + 4], "big") + CHECKSUM
        yield at


def _boxes(data: bytes) -> Iterator[int]:
    """Yield the end of each outermost box (ISO/IEC 14496-12, 4.2); one of length 0 takes the rest."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + HEAD : at + 2 * HEAD], "big")
        if size < HEAD:
            # A length in the last bytes may be cut itself.
            yield at + HEAD
            return
        at += size
        yield at
