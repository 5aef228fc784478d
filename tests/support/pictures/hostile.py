"""Make files that are small to send and large, or long, to decode."""

import io
import struct
import zipfile
import zlib

from PIL import Image

from tests.support.images import encoded

SHORT, LONG, LONG8 = 3, 4, 16


def tiff(tags: dict[int, tuple[int, list[int]]], pixels: bytes, order: str = "<", big: bool = False) -> bytes:
    """Return a TIFF or BigTIFF of one directory; offsets (273, 324) count from the start of `pixels`."""
    word, row, room = ("Q", "HHQ", 8) if big else ("I", "HHI", 4)
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else mark + struct.pack(order + "HI", 42, 8)
    start = len(head)
    after = (
        start
        + struct.calcsize(order + ("Q" if big else "H"))
        + len(tags) * (struct.calcsize(order + row) + room)
        + struct.calcsize(order + word)
    )
    rows, values = [], b""
    sizes = {
        tag: struct.calcsize(order + {SHORT: "H", LONG: "I", LONG8: "Q"}[kind]) * len(numbers)
        for tag, (kind, numbers) in tags.items()
    }
    base = after + sum(size for size in sizes.values() if size > room)
    for tag, (kind, numbers) in sorted(tags.items()):
        code = {SHORT: "H", LONG: "I", LONG8: "Q"}[kind]
        given = [number + base for number in numbers] if tag in (273, 324) else numbers
        packed = struct.pack(f"{order}{len(given)}{code}", *given)
        if len(packed) > room:
            inline = struct.pack(order + word, after + len(values))
            values += packed
        else:
            inline = packed.ljust(room, b"\0")
        rows.append(struct.pack(order + row, tag, kind, len(numbers)) + inline)
    directory = struct.pack(order + ("Q" if big else "H"), len(rows)) + b"".join(rows) + struct.pack(order + word, 0)
    return head + directory + values + pixels


def _grey(width: int, length: int) -> dict[int, tuple[int, list[int]]]:
    return {
        256: (LONG, [width]), 257: (LONG, [length]), 258: (SHORT, [8]), 259: (SHORT, [8]), 262: (SHORT, [1]),
        277: (SHORT, [1]),
    }  # fmt: skip


def tiff_tile(side: int, picture: int = 64, order: str = "<", big: bool = False) -> bytes:
    """Return a TIFF of `picture`² px in one deflated tile of `side`²."""
    pack, data = zlib.compressobj(9), []
    for _ in range(side):
        data.append(pack.compress(bytes(side)))
    pixels = b"".join([*data, pack.flush()])
    tags = _grey(picture, picture) | {
        322: (LONG, [side]), 323: (LONG, [side]), 324: (LONG, [0]), 325: (LONG, [len(pixels)]),
    }  # fmt: skip
    return tiff(tags, pixels, order, big)


def tiff_strips(count: int, order: str = "<", big: bool = False) -> bytes:
    """Return a TIFF of 64×64 px that lists `count` strips."""
    # Not compressed: then Pillow makes an object of each strip.
    pixels = bytes(64)
    tags = _grey(64, 64) | {
        259: (SHORT, [1]),
        273: (LONG, [0] * count),
        278: (LONG, [1]),
        279: (LONG, [len(pixels)] * 64),
    }
    return tiff(tags, pixels, order, big)


def tiff_numbers(count: int) -> bytes:
    """Return a TIFF of 64×64 px whose bits per sample are `count` numbers."""
    pixels = zlib.compress(bytes(64 * 64))
    tags = _grey(64, 64) | {258: (SHORT, [8] * count), 273: (LONG, [0]), 278: (LONG, [64]), 279: (LONG, [len(pixels)])}
    return tiff(tags, pixels)


def lying(width: int, height: int, form: str = "AVIF") -> bytes:
    """Return an AVIF of `width` × `height` px whose container states 64×64."""
    data = encoded(Image.new("RGB", (width, height)), form, quality=10)
    return data.replace(struct.pack(">II", width, height), struct.pack(">II", 64, 64))


def png_chunks(count: int) -> bytes:
    """Return a PNG with `count` empty chunks before its end."""
    data = encoded(Image.new("RGB", (64, 64)), "PNG")
    empty = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
    return data[:-12] + empty * count + data[-12:]


def one_bit_png(width: int = 7000, height: int = 7000) -> bytes:
    """Return a PNG of one bit a pixel."""
    return encoded(Image.new("1", (width, height)), "PNG")


def run_length_bmp(width: int = 7000, height: int = 7000) -> bytes:
    """Return a run-length coded BMP that jumps over all of its pixels."""
    jumps = b"\0\2\0\xff" * (height // 255) + b"\0\2\0" + bytes([height % 255]) + b"\0\1"
    palette = bytes(1024)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(jumps), 0, 0, 256, 0)
    offset = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(jumps), 0, 0, offset) + head + palette + jumps


def folders(count: int) -> bytes:
    """Return a ZIP archive of `count` empty folders."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}/", b"")
    return out.getvalue()
