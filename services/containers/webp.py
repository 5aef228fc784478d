"""Walks the chunks of an animated WebP (WebP Container Specification) and makes files of its frames."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from services.containers.errors import CorruptImage
from services.containers.frames import Disposal, Frame, Head, cut_off

START, CONTENT = 12, 8  # where the first chunk begins, and a chunk's content
ANIMATED, WITH_ALPHA, WITH_PROFILE = 0x02, 0x10, 0x20
CONTROLS: Final = 16  # bytes of a frame in front of its chunks
CLEARS, REPLACES = 0x01, 0x02
PICTURE: Final = (b"ALPH", b"VP8 ", b"VP8L")
THOUSANDTHS: Final = 1000


def riff_chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, slice]]:
    """Yield each chunk's name and the place of its content. The last one may be cut off."""
    at = start
    while at + CONTENT <= end:
        size = int.from_bytes(data[at + 4 : at + CONTENT], "little")
        yield data[at : at + 4], slice(at + CONTENT, at + CONTENT + size)
        at += CONTENT + size + (size & 1)


def _numbers(data: bytes) -> list[int]:
    """Return the numbers of three bytes each."""
    return [int.from_bytes(data[at : at + 3], "little") for at in range(0, len(data) - 2, 3)]


def webp_head(data: bytes) -> Head | None:
    """Return canvas and plays; the common bytes are the colour profile's chunk. None for a still picture."""
    size, plays, profile = (0, 0), 0, b""
    for name, place in riff_chunks(data, START, len(data)):
        content = data[place]
        if name == b"VP8X" and len(content) >= 10 and content[0] & ANIMATED:
            width, height = _numbers(content[4:10])
            size = width + 1, height + 1
        elif name == b"ICCP":
            profile = riff_chunk(name, content)
        elif name == b"ANIM":
            plays = int.from_bytes(content[4:6], "little")
        elif name == b"ANMF":
            break
    return Head(*size, plays, profile) if size[0] else None


def webp_frames(data: bytes) -> Iterator[Frame]:
    """Yield the frames. Raises `CorruptImage`."""
    number = 0
    for name, place in riff_chunks(data, START, len(data)):
        if name == b"ANMF":
            number += 1
        if place.stop > len(data):
            raise cut_off(max(1, number))
        if name == b"ANMF":
            yield _frame(data, place, number)
    announced = int.from_bytes(data[4:8], "little") + 8
    if announced > len(data) + 1:
        raise cut_off(number + 1)


def _frame(data: bytes, place: slice, number: int) -> Frame:
    content = data[place.start : place.start + CONTROLS]
    chunks = riff_chunks(data, place.start + CONTROLS, place.stop)
    parts = tuple(slice(part.start - CONTENT, part.stop) for name, part in chunks if name in PICTURE)
    if not parts or parts[-1].stop > place.stop:
        raise CorruptImage(f"frame {number} has no data")
    left, top, width, height, duration = _numbers(content[:15])
    return Frame(
        2 * left,
        2 * top,
        width + 1,
        height + 1,
        duration=Fraction(duration, THOUSANDTHS),
        disposal=Disposal.CLEAR if content[15] & CLEARS else Disposal.KEEP,
        blends=not content[15] & REPLACES,
        parts=parts,
    )


def webp_file(data: bytes, head: Head, frame: Frame) -> bytes:
    """Return the frame alone as a WebP of its own size."""
    pieces = [data[part] for part in frame.parts]
    flags = WITH_PROFILE if head.common else 0
    # A lossless picture says itself whether it has alpha.
    if any(piece[:4] in (b"ALPH", b"VP8L") for piece in pieces):
        flags |= WITH_ALPHA
    extended = struct.pack("<I", flags) + three_bytes(frame.width - 1, frame.height - 1)
    padded = [piece + b"\0" * (len(piece) & 1) for piece in pieces]
    return riff_file([riff_chunk(b"VP8X", extended), head.common, *padded])


def three_bytes(*numbers: int) -> bytes:
    """Return the numbers as WebP has them: three bytes each."""
    return b"".join(number.to_bytes(3, "little") for number in numbers)


def riff_chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk with its length, padded to an even one."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1)


def riff_file(chunks: list[bytes]) -> bytes:
    """Return a WebP file of these chunks."""
    return b"".join([b"RIFF", struct.pack("<I", 4 + sum(map(len, chunks))), b"WEBP", *chunks])
