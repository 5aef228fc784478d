"""Damage that knows the structure of image files, so that it gets past their first checks."""

import random
import struct
import zlib
from collections.abc import Iterator
from typing import Final

EXTREMES: Final = (0, 1, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1)
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
TYPES: Final = (
    b"IHDR",
    b"PLTE",
    b"tRNS",
    b"IDAT",
    b"IEND",
    b"iCCP",
    b"eXIf",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"gAMA",
    b"zTXt",
)


def extreme_numbers(data: bytes, seed: int) -> bytes:
    """Replace a few numbers of a file by extreme ones, mostly in its first kilobyte: IFD entries, sizes of boxes."""
    chance, found = random.Random(seed), bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(min(len(found) - 8, 1024))
        code = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
        value = chance.choice(EXTREMES) * (1 << 32 if code[1] == "Q" else 1)
        size = struct.calcsize(code)
        struct.pack_into(code, found, at, value & (1 << 8 * size) - 1)
    return bytes(found[: chance.choice((len(found), chance.randrange(1, len(found))))])


def damaged_chunks(data: bytes, seed: int) -> bytes:
    """Change, repeat, move, rename or remove chunks of a PNG file; their checksums are right again."""
    chance, chunks = random.Random(seed), list(png_chunks(data))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(chunks))
        kind, content = chunks[at]
        match chance.randrange(5):
            case 0 if len(content) > 8:
                chunks[at] = kind, extreme_numbers(content, chance.randrange(1 << 30))
            case 1:
                chunks[at:at] = [(kind, content)] * chance.choice((1, 2, 100))
            case 2:
                chunks.insert(chance.randrange(len(chunks)), chunks.pop(at))
            case 3:
                chunks[at] = chance.choice(TYPES), content
            case _ if len(chunks) > 1:
                del chunks[at]
    return SIGNATURE + b"".join(png_chunk(kind, content) for kind, content in chunks)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of each chunk of a PNG file."""
    at = len(SIGNATURE)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
