"""Walks the blocks of a GIF (GIF89a specification, sections 17 to 27) and makes files of its frames."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from services.containers.errors import CorruptImage
from services.containers.frames import Disposal, Frame, Head, cut_off

SIGNATURE: Final = b"GIF89a"
SCREEN: Final = struct.Struct("<HHBBB")
PLACE: Final = struct.Struct("<HHHHB")
EXTENSION, IMAGE, END = 0x21, 0x2C, 0x3B
CONTROL, APPLICATION = 0xF9, 0xFF
CONTROL_SIZE: Final = 4
LOOPS: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
HAS_TABLE, INTERLACED, TABLE_BITS = 0x80, 0x40, 0x07
# For a GIF without any colour table, which leaves the colours to the reader.
TWO_COLOURS: Final = b"\0\0\0\xff\xff\xff"
HUNDREDTHS: Final = 100
# By the three bits of the control extension; 0 and the reserved ones keep the frame, as browsers do.
DISPOSALS: Final = {2: Disposal.CLEAR, 3: Disposal.RESTORE}
# A data block holds up to 255 bytes, and encoders fill it. Tiny ones would only keep a reader busy.
LEAST_MEAN, MORE_BLOCKS = 16, 10_000
NOTHING: Final = slice(0, 0)


class _Reader:
    """Reads a GIF from its first block to its last. Raises `CorruptImage` where the file ends before."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.frames = data, len(SIGNATURE), 0
        self._blocks_left = len(data) // LEAST_MEAN + MORE_BLOCKS

    def byte(self) -> int:
        return self.data[self.skip(1)][0]

    def skip(self, size: int) -> slice:
        self.at += size
        if self.at > len(self.data):
            raise cut_off(self.frames + 1)
        return slice(self.at - size, self.at)

    def table(self, flags: int) -> slice:
        return self.skip(6 << (flags & TABLE_BITS)) if flags & HAS_TABLE else NOTHING

    def blocks(self) -> list[slice]:
        """Return the places of a run of data blocks, without the empty one at its end."""
        found = []
        while size := self.byte():
            self._blocks_left -= 1
            if self._blocks_left < 0:
                raise CorruptImage("its data are split into blocks of a few bytes")
            found.append(self.skip(size))
        return found


def gif_head(data: bytes) -> Head:
    """Return canvas and plays; the common bytes are the global colour table. Raises `CorruptImage`."""
    reader = _Reader(data)
    width, height, flags, _, _ = SCREEN.unpack(data[reader.skip(SCREEN.size)])
    table = data[reader.table(flags)]
    plays = 1
    while reader.byte() == EXTENSION:
        label, blocks = reader.byte(), reader.blocks()
        if label == APPLICATION and len(blocks) > 1 and data[blocks[0]] in LOOPS and data[blocks[1]][:1] == b"\1":
            repeats = int.from_bytes(data[blocks[1]][1:3], "little")
            plays = repeats + 1 if repeats else 0
    return Head(width, height, plays, table)


def gif_frames(data: bytes) -> Iterator[Frame]:
    """Yield the frames. Raises `CorruptImage`."""
    reader = _Reader(data)
    reader.table(SCREEN.unpack(data[reader.skip(SCREEN.size)])[2])
    control = NOTHING
    # Some files lack the end's mark.
    while reader.at < len(data) and (kind := reader.byte()) != END:
        if kind == EXTENSION:
            label, blocks = reader.byte(), reader.blocks()
            if label == CONTROL and blocks and blocks[0].stop - blocks[0].start == CONTROL_SIZE:
                control = blocks[0]
        elif kind == IMAGE:
            yield _image(reader, control)
            control = NOTHING
        elif kind:
            raise CorruptImage(f"after frame {reader.frames} there is an unknown block ({kind:#04x})")


def _image(reader: _Reader, control: slice) -> Frame:
    place = reader.skip(PLACE.size)
    left, top, width, height, flags = PLACE.unpack(reader.data[place])
    table = reader.table(flags)
    start = reader.skip(1).start  # the size of its codes
    reader.blocks()
    reader.frames += 1
    bits, delay = struct.unpack("<BH", reader.data[control][:3]) if control != NOTHING else (0, 0)
    return Frame(
        left,
        top,
        width,
        height,
        duration=Fraction(delay, HUNDREDTHS),
        disposal=DISPOSALS.get(bits >> 2 & 7, Disposal.KEEP),
        blends=True,
        parts=(control, place, table, slice(start, reader.at)),
    )


def gif_file(data: bytes, head: Head, frame: Frame) -> bytes:
    """Return the frame alone as a GIF of its own size."""
    control, place, table, pixels = (data[part] for part in frame.parts)
    colours = table or head.common or TWO_COLOURS
    bits = (len(colours) // 3).bit_length() - 2
    screen = SCREEN.pack(frame.width, frame.height, HAS_TABLE | bits, 0, 0)
    shown = bytes([EXTENSION, CONTROL, CONTROL_SIZE]) + control + b"\0" if control else b""
    image = PLACE.pack(0, 0, frame.width, frame.height, place[-1] & INTERLACED)
    return b"".join([SIGNATURE, screen, colours, shown, bytes([IMAGE]), image, pixels, bytes([END])])
