"""Walks the chunks of an animated PNG (PNG specification, third edition, 11.3.2.10) and makes files of its frames."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Final
from zlib import crc32

from services.containers.errors import CorruptImage
from services.containers.frames import Disposal, Frame, Head, cut_off

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
NAME, CONTENT, CHECKSUM = 4, 8, 4  # where a chunk's name and content begin; the size of its checksum
# Sequence number; width, height, left, top; duration; disposal, blending.
CONTROL: Final = struct.Struct(">IIIIIHHBB")
SEQUENCE: Final = 4  # bytes in front of a later frame's data
DISPOSALS: Final = {0: Disposal.KEEP, 1: Disposal.CLEAR, 2: Disposal.RESTORE}
# What of the file's head changes a frame's pixels.
COMMON: Final = (b"PLTE", b"tRNS", b"iCCP")
HUNDREDTHS: Final = 100


def png_chunks(data: bytes) -> Iterator[tuple[bytes, slice]]:
    """Yield each whole chunk's name and place, up to IEND."""
    at = len(SIGNATURE)
    while at + CONTENT <= len(data):
        end = at + CONTENT + int.from_bytes(data[at : at + NAME], "big") + CHECKSUM
        name = data[at + NAME : at + CONTENT]
        if end > len(data):
            return
        yield name, slice(at, end)
        if name == b"IEND":
            return
        at = end


def _content(data: bytes, place: slice) -> bytes:
    return data[place.start + CONTENT : place.stop - CHECKSUM]


def apng_head(data: bytes) -> Head | None:
    """Return canvas and plays; the common bytes are the chunks that all frames need. None for a still picture."""
    common, controls, sizes = [], b"", b""
    for name, place in png_chunks(data):
        if name == b"IHDR":
            sizes = _content(data, place)
        elif name == b"acTL":
            controls = _content(data, place)
        elif name in COMMON:
            common.append(data[place])
        elif name == b"IDAT":
            break
    if len(controls) != 8 or len(sizes) != 13:
        return None
    width, height = struct.unpack(">II", sizes[:8])
    return Head(width, height, int.from_bytes(controls[4:], "big"), sizes[8:] + b"".join(common))


def apng_frames(data: bytes) -> Iterator[Frame]:
    """Yield the frames. Raises `CorruptImage`, also where their number is not the announced one."""
    announced, count, name = 0, 0, b""
    control: bytes = b""
    parts: list[slice] = []
    for name, place in png_chunks(data):
        if name == b"acTL":
            announced = int.from_bytes(_content(data, place)[:4], "big")
        elif name == b"fcTL":
            if control:
                yield _frame(control, parts, count)
            control, parts = _content(data, place), []
            count += 1
        # Before the first control chunk it is a picture for readers that know no animations.
        elif (name == b"IDAT" and count == 1) or name == b"fdAT":
            parts.append(place)
    if name != b"IEND":
        raise cut_off(max(1, count))
    if control:
        yield _frame(control, parts, count)
    if count != announced:
        raise CorruptImage(f"it announces {announced} frames and has {count}")


def _frame(control: bytes, parts: list[slice], number: int) -> Frame:
    if len(control) != CONTROL.size or not parts:
        raise CorruptImage(f"frame {number} has no data")
    _, width, height, left, top, delay, unit, disposal, blending = CONTROL.unpack(control)
    return Frame(
        left,
        top,
        width,
        height,
        duration=Fraction(delay, unit or HUNDREDTHS),
        disposal=DISPOSALS.get(disposal, Disposal.KEEP),
        blends=blending == 1,
        parts=tuple(parts),
    )


def apng_file(data: bytes, head: Head, frame: Frame) -> bytes:
    """Return the frame alone as a PNG of its own size. Raises `CorruptImage` for a wrong checksum."""
    kind, common = head.common[:5], head.common[5:]
    pieces = [SIGNATURE, png_chunk(b"IHDR", struct.pack(">II", frame.width, frame.height) + kind), common]
    for part in frame.parts:
        if data[part.start + NAME : part.start + CONTENT] == b"IDAT":
            pieces.append(data[part])
            continue
        if crc32(data[part.start + NAME : part.stop - CHECKSUM]) != int.from_bytes(data[part][-CHECKSUM:], "big"):
            raise CorruptImage("its checksum is wrong")
        pieces.append(png_chunk(b"IDAT", _content(data, part)[SEQUENCE:]))
    return b"".join([*pieces, png_chunk(b"IEND", b"")])


def png_chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc32(content, crc32(name)))
