"""Generate bad and unusual image files in memory.

`FILES` lists all of them: a name, a function that makes the bytes, and the allowed answers of the service. Comments
name the bug that a file would trigger.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from PIL import Image, ImageCms

Answer = tuple[int, str]
OK: Answer = (200, "")
EMPTY: Answer = (400, "empty_image")
OPTION: Answer = (400, "bad_option")
LARGE: Answer = (413, "upload_too_large")
TYPE: Answer = (415, "unsupported_format")
CORRUPT: Answer = (422, "corrupt_image")
BOMB: Answer = (422, "too_many_pixels")
SMALL: Answer = (422, "image_too_small")

MIB = 1024 * 1024
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
MARKER = b"MARKER-4f1c-secret"


@dataclass(frozen=True)
class File:
    """A file to send, with all allowed answers and, where it is fixed, the result's size."""

    name: str
    make: Callable[[], bytes] = field(repr=False)
    answers: frozenset[Answer]
    size: tuple[int, int] | None = None


def photo(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """Draw a bright disc on a dark gradient: a small image in which a model finds a subject."""
    y, x = np.mgrid[0:height, 0:width]
    ground = np.stack([x * 90 // width, y * 90 // height, (x + y) % 60], axis=2)
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2
    ground[inside] = (230, 200, 40)
    return Image.fromarray(ground.astype(np.uint8)).convert(mode)


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    """Encode the image in that format."""
    if form == "HEIF":
        import pillow_heif

        out = io.BytesIO()
        pillow_heif.from_pillow(image).save(out, quality=70)
        return out.getvalue()
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@cache
def good(form: str) -> bytes:
    """Return a valid file of that format."""
    return encode(photo(), form)


# PNG


def chunk(kind: bytes, data: bytes) -> bytes:
    """Encode a PNG chunk (PNG specification, 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")


def ihdr(width: int, height: int, depth: int = 8, colour: int = 0, compression: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, 0, 0))


def png(*between: bytes, width: int = 32, height: int = 32, depth: int = 8, colour: int = 0, **more: Any) -> bytes:
    """Encode a PNG of one colour with more chunks before its pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = more.pop("row", b"\0" + b"\x55" * (width * depth * channels // 8))
    pixels = chunk(b"IDAT", zlib.compress(row * height, 9))
    return PNG_START + ihdr(width, height, depth, colour, **more) + b"".join(between) + pixels + PNG_END


def png_chunks(data: bytes) -> list[bytes]:
    found, at = [], len(PNG_START)
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big") + 12
        found.append(data[at : at + size])
        at += size
    return found


def with_chunk(data: bytes, extra: bytes, before: bytes = b"IDAT") -> bytes:
    """Insert a chunk into the PNG before its first chunk of a kind."""
    parts = png_chunks(data)
    at = next(i for i, part in enumerate(parts) if part[4:8] == before)
    return PNG_START + b"".join([*parts[:at], extra, *parts[at:]])


def wrong_crc(data: bytes, kind: bytes) -> bytes:
    """Corrupt the checksum of the PNG's first chunk of a kind."""
    parts = png_chunks(data)
    at = next(i for i, part in enumerate(parts) if part[4:8] == kind)
    parts[at] = parts[at][:-1] + bytes([parts[at][-1] ^ 1])
    return PNG_START + b"".join(parts)


@cache
def inflating(megabytes: int) -> bytes:
    """Return zlib data that inflates a thousandfold, to this number of MiB of zeros."""
    return zlib.compress(bytes(megabytes * MIB), 9)


def apng(frames: int = 3) -> bytes:
    images = [photo().rotate(10 * i) for i in range(frames)]
    return encode(images[0], "PNG", save_all=True, append_images=images[1:], duration=50)


def apng_with(actl: bytes) -> bytes:
    """Replace the `acTL` chunk (numbers of frames and plays) of an animated PNG."""
    parts = [chunk(b"acTL", actl) if part[4:8] == b"acTL" else part for part in png_chunks(apng())]
    return PNG_START + b"".join(parts)


def apng_with_repeated_fctl() -> bytes:
    parts = png_chunks(apng())
    control = next(part for part in parts if part[4:8] == b"fcTL")
    return with_chunk(apng(), control)


def wide_rgba() -> bytes:
    """Encode an RGBA PNG with 16 bits per channel."""
    row = b"\0" + struct.pack(">4H", 60000, 20000, 5000, 40000) * 32
    return png(depth=16, colour=6, row=row)


# JPEG


def jpeg_segments(data: bytes) -> list[bytes]:
    """Split the JPEG into its segments after SOI, each scan with its data (ITU-T T.81, B.1)."""
    found, at = [], 2
    while at < len(data) and data[at + 1] != 0xD9:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDA:
            while not (data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))):
                end += 1
        found.append(data[at:end])
        at = end
    return [*found, b"\xff\xd9"]


def jpeg_of(parts: list[bytes]) -> bytes:
    return b"\xff\xd8" + b"".join(parts)


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """Insert a segment into the JPEG right after SOI."""
    return data[:2] + segment(marker, content) + data[2:]


def without_segment(data: bytes, marker: int) -> bytes:
    return jpeg_of([part for part in jpeg_segments(data) if part[1] != marker])


def with_frame(data: bytes, marker: int | None = None, bits: int = 8, size: tuple[int, int] | None = None) -> bytes:
    """Change the SOF marker, precision or (width, height) in the JPEG's frame header."""
    parts = jpeg_segments(data)
    at = next(i for i, part in enumerate(parts) if part[1] in (0xC0, 0xC2))
    old = parts[at]
    height, width = (size[1], size[0]) if size else struct.unpack(">HH", old[5:9])
    frame = struct.pack(">BHH", bits, height, width)
    parts[at] = bytes([0xFF, marker or old[1]]) + old[2:4] + frame + old[9:]
    return jpeg_of(parts)


def many_scans(side: int, scans: int) -> bytes:
    """Repeat the last scan of a progressive JPEG: each scan has little data, but the decoder visits all blocks.

    libjpeg-turbo describes it as LJT-01-004 ("Two issues with the JPEG standard", 2015).
    """
    parts = jpeg_segments(encode(Image.new("L", (side, side), 128), "JPEG", progressive=True, quality=30))
    last = max(i for i, part in enumerate(parts) if part[1] == 0xDA)
    return jpeg_of([*parts[:last], *[parts[last]] * scans, parts[-1]])


def cmyk() -> Image.Image:
    """Fill a CMYK image with orange: no cyan, half magenta, full yellow, no black."""
    return Image.merge("CMYK", [Image.new("L", (64, 48), ink) for ink in (0, 128, 255, 0)])


def exif(**tags: Any) -> bytes:
    """Encode an EXIF block with an orientation, a maker and a GPS position."""
    block = Image.Exif()
    block[0x0112] = tags.get("orientation", 1)
    block[0x010F] = MARKER.decode()
    block.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0), 29: MARKER.decode()})
    return block.tobytes()


def with_metadata(form: str) -> bytes:
    """Encode a photo with all metadata that the format supports: EXIF, GPS, XMP, IPTC, comment, text."""
    if form == "JPEG":
        data = encode(photo(), "JPEG", exif=exif(), xmp=b"<x:xmpmeta>" + MARKER + b"</x:xmpmeta>", comment=MARKER)
        return with_segment(
            data, 0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x17\x1c\x02\x78\0\x12" + MARKER + b"\0"
        )
    if form == "PNG":
        data = encode(photo(), "PNG", exif=exif())
        texts = [chunk(b"tEXt", b"Comment\0" + MARKER), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + MARKER)]
        return with_chunk(data, b"".join(texts))
    return encode(photo(), form, exif=exif(), xmp=b"<x:xmpmeta>" + MARKER + b"</x:xmpmeta>")


def two_pictures() -> bytes:
    """Encode a multi-picture JPEG, as phones and stereo cameras write it."""
    return encode(photo(), "MPO", save_all=True, append_images=[photo().rotate(20)])


def profile(size: int) -> bytes:
    """Return an sRGB profile, padded to `size` bytes."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data + random.Random(7).randbytes(max(0, size - len(data)))


# GIF, BMP, WebP, TIFF, AVIF


def gif(width: int, height: int, frames: int = 1, frame_size: tuple[int, int] = (16, 16)) -> bytes:
    """Encode a GIF whose frames all hold the same 16×16 px of data but declare `frame_size`."""
    one = encode(Image.new("P", (16, 16), 0), "GIF")
    at = one.index(b"\x2c\0\0\0\0")
    descriptor = b"\x2c" + struct.pack("<HHHH", 0, 0, *frame_size) + one[at + 9 : -1]
    first = b"\x2c" + struct.pack("<HHHH", 0, 0, min(width, 65535), min(height, 65535)) + one[at + 9 : -1]
    return one[:6] + struct.pack("<HH", width, height) + one[10:at] + first + descriptor * (frames - 1) + b";"


def animated(form: str) -> bytes:
    images = [Image.new("RGB", (64, 48), colour) for colour in ((200, 30, 30), (30, 200, 30), (30, 30, 200))]
    return encode(images[0], form, save_all=True, append_images=images[1:], duration=40)


def bmp(width: int, height: int, bits: int = 24, compression: int = 0, pixels: bytes = b"", **more: int) -> bytes:
    """Encode a BMP with these fields in its BITMAPINFOHEADER, valid or not."""
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256)) if bits == 8 else b""
    head, colours = more.get("header_size", 40), more.get("colours", 256 if bits == 8 else 0)
    info = struct.pack("<IiiHHIIiiII", head, width, height, 1, bits, compression, len(pixels), 0, 0, colours, 0)
    start = 14 + 40 + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + palette + pixels


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def vp8x(width: int, height: int, flags: int = 2) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + canvas)


def webp_animation(frames: int, canvas: tuple[int, int] = (16, 16)) -> bytes:
    """Encode an animated WebP that repeats one frame of 16×16 px."""
    picture = encode(Image.new("RGB", (16, 16), (200, 30, 30)), "WEBP", quality=50)[12:]
    head = bytes(6) + (15).to_bytes(3, "little") * 2 + (40).to_bytes(3, "little") + b"\0"
    frame = webp_chunk(b"ANMF", head + picture)
    return riff(vp8x(*canvas), webp_chunk(b"ANIM", bytes(6)), *[frame] * frames)


def vp8l(width: int, height: int, rest: bytes) -> bytes:
    return riff(webp_chunk(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + rest))


def tiff(tags: dict[int, tuple[int, list[int]]], next_ifd: int = 0, pixels: bytes = b"") -> bytes:
    """Encode a little-endian TIFF: tags (type 3: 16 bits, 4: 32 bits; one value each), then pixels."""
    entries = [
        struct.pack("<HHI", tag, kind, len(v)) + struct.pack("<I" if kind == 4 else "<HH", *v, *[0][: kind == 3])
        for tag, (kind, v) in sorted(tags.items())
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", next_ifd)
    return b"II*\0" + struct.pack("<I", 8) + directory + pixels


def grey_tiff(width: int = 32, height: int = 32, next_ifd: int = 0, **changed: int) -> bytes:
    """Encode an uncompressed 8-bit grey TIFF with one strip."""
    count = 9
    values = {
        "width": (256, 4, width),
        "height": (257, 4, height),
        "bits": (258, 3, 8),
        "compression": (259, 3, 1),
        "photometric": (262, 3, 1),
        "offset": (273, 4, 8 + 2 + 12 * count + 4),
        "samples": (277, 3, 1),
        "rows": (278, 4, height),
        "bytes": (279, 4, min(width * height, 8192)),
    }
    tags = {tag: (kind, [changed.get(name, value)]) for name, (tag, kind, value) in values.items()}
    return tiff(tags, next_ifd, bytes(range(256)) * (min(width * height, 8192) // 256))


def claiming(data: bytes, width: int, height: int) -> bytes:
    """Change the size in the `ispe` boxes of an AVIF or HEIC."""
    at, out = 0, bytearray(data)
    while (at := data.find(b"ispe", at)) >= 0:
        out[at + 8 : at + 16] = struct.pack(">II", width, height)
        at += 4
    return bytes(out)


def noise(width: int = 256, height: int = 256) -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def grey_ramp(kind: type[np.generic], white: float) -> Image.Image:
    """Draw a horizontal ramp from 0 at the left to `white` at the right."""
    return Image.fromarray(np.tile(np.linspace(0, white, 96), (64, 1)).astype(kind))


def flipped(form: str, seed: int) -> tuple[bytes, str]:
    """Change 1 to 8 random bytes of a valid file; also return their description for a failure message."""
    dice, data = random.Random(f"{form}-{seed}"), bytearray(good(form))
    places = [dice.randrange(len(data)) for _ in range(dice.randint(1, 8))]
    for place in places:
        data[place] ^= dice.randint(1, 255)
    return bytes(data), f"{form} seed {seed}, bytes {sorted(places)}"


def cut(form: str, share: float) -> bytes:
    """Return the first part of a valid file."""
    return good(form)[: int(len(good(form)) * share)]


def strip(width: int, height: int) -> bytes:
    return encode(photo(width, height), "PNG")


def in_mode(mode: str, form: str) -> bytes:
    """Encode the photo in one of Pillow's modes; single-channel modes are converted from grey."""
    if mode == "F":
        return encode(grey_ramp(np.float32, 1.0), form)
    by_way_of = "L" if mode in ("1", "L", "LA", "I", "I;16") else "RGB"
    return encode(photo(mode=by_way_of).convert(mode), form)


def commented_gif(comments: int) -> bytes:
    data = gif(16, 16)
    at = data.index(b"\x2c\0\0\0\0")
    return data[:at] + b"!\xfe\1a\0" * comments + data[at:]


def repeated(part: bytes, times: int) -> bytes:
    """Insert `part` into a valid JPEG `times` times, before its own segments."""
    return jpeg_of([part * times, *jpeg_segments(good("JPEG"))])


def resized(data: bytes, header: bytes) -> bytes:
    """Replace the PNG's IHDR chunk."""
    return data[:8] + header + data[33:]


def of_pixels(pixels: bytes) -> bytes:
    """Encode a grey PNG of 32×32 px with that IDAT."""
    return PNG_START + ihdr(32, 32) + chunk(b"IDAT", pixels) + PNG_END


def group(
    answers: tuple[Answer, ...], makes: Mapping[str, Callable[[], bytes]], size: tuple[int, int] | None = None
) -> Iterator[File]:
    for name, make in makes.items():
        yield File(name, make, frozenset(answers), size)


def not_images() -> Iterator[File]:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="9"><script>alert(1)</script></svg>'
    found = {
        "one byte": b"\xff",
        "text": b"hello, this is a text\n" * 9,
        "HTML": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "JSON": b'{"image": "no"}',
        "XML with an entity": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "SVG with a script": svg % 9,
        "a giant SVG": svg % 10**9,
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(99),
        "a Windows program": b"MZ\x90\0" + bytes(99),
        "ZIP": b"PK\x03\x04" + bytes(99),
        "gzip": b"\x1f\x8b\x08\0" + bytes(99),
        "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n/a {a} def a\n",
        "MP4": b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(99),
        "PSD": b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3) + bytes(99),
        "ICNS": b"icns\0\0\0\x10ic10\xff\xff\xff\xff",
        "an icon that claims 65535 pictures": b"\0\0\x01\0\xff\xff" + bytes(16) * 9,
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99),
        "a JPEG 2000 code stream": b"\xff\x4f\xff\x51\0\x2f" + bytes(99),
        "JPEG XL": b"\xff\x0a\xfa\x7f\x01" + bytes(99),
        "FLI": b"\0\0\0\0\x11\xaf" + bytes(122),
        "SGI": b"\x01\xda\x01\x01\0\x03\xff\xff\xff\xff\0\x03" + bytes(500),
        "a PPM": b"P6 99999 99999 255\n",
        "an XBM": b"#define x_width 99999\n#define x_height 99999\n",
        "CR2": b"II*\0\x10\0\0\0CR\x02\0" + bytes(200),
        "CR3": b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(99),
        "FITS": b"SIMPLE  =                    T".ljust(2880),
    }
    yield from group((TYPE,), {name: partial(bytes, data) for name, data in found.items()})
    yield from group((EMPTY,), {"no bytes": bytes})
    too_long = {
        "zeros, a byte more than allowed": lambda: bytes(16 * MIB + 1),
        "a PNG a byte longer than allowed": lambda: good("PNG").ljust(16 * MIB + 1, b"\0"),
    }
    yield from group((LARGE,), too_long)


def pixel_bombs() -> Iterator[File]:
    claims = {
        "PNG of 268 Mpx, complete": lambda: png(width=16384, height=16384, depth=1),
        "PNG that claims 2³¹−1 px a side": lambda: resized(png(), ihdr(2**31 - 1, 2**31 - 1)),
        "PNG just over the limit": lambda: resized(png(), ihdr(3_125_001, 16)),
        "JPEG of 99.6 Mpx": lambda: with_frame(good("JPEG"), size=(9643, 10328)),
        "JPEG of 65535×65535": lambda: with_frame(good("JPEG"), size=(65535, 65535)),
        "GIF of 4.3 Gpx": lambda: gif(65535, 65535),
        "BMP of 10 Gpx": lambda: bmp(100_000, 100_000),
        "TIFF of 10 Gpx": lambda: grey_tiff(100_000, 100_000),
    }
    yield from group((BOMB,), claims)
    broken_claims = {
        "BMP of 2³¹−1 px a side": lambda: bmp(2**31 - 1, 2**31 - 1),
        "BMP of a negative width": lambda: bmp(-32, 32),
        "WebP canvas of 268 Mpx": lambda: webp_animation(1, (16384, 16384)),
        "WebP canvas of 16 Mpx a side": lambda: webp_animation(1, (1 << 24, 1 << 24)),
        "lossless WebP of 268 Mpx": lambda: vp8l(16383, 16383, bytes(64)),
        "TIFF of 2³²−1 px a side": lambda: grey_tiff(2**32 - 1, 2**32 - 1),
        "AVIF of 400 Mpx": lambda: claiming(good("AVIF"), 20000, 20000),
        "HEIC of 400 Mpx": lambda: claiming(good("HEIF"), 20000, 20000),
        "PNG whose second IHDR is a bomb": lambda: with_chunk(good("PNG"), ihdr(60000, 60000)),
    }
    yield from group((BOMB, CORRUPT), broken_claims)


def memory_bombs() -> Iterator[File]:
    refused = {
        "zTXt of 64 MiB": lambda: png(chunk(b"zTXt", b"a\0\0" + inflating(64))),
        "iTXt of 64 MiB": lambda: png(chunk(b"iTXt", b"a\0\1\0\0\0" + inflating(64))),
        "iCCP of 64 MiB": lambda: png(chunk(b"iCCP", b"a\0\0" + inflating(64))),
        "80 zTXt of 1 MiB": lambda: png(chunk(b"zTXt", b"a\0\0" + inflating(1)) * 80),
    }
    yield from group((CORRUPT,), refused)
    bounded = {
        "zTXt of 64 MiB after the pixels": lambda: with_chunk(png(), chunk(b"zTXt", b"a\0\0" + inflating(64)), b"IEND"),
        "IDAT of 64 MiB for 32×32 px": lambda: of_pixels(inflating(64)),
    }
    yield from group((OK, CORRUPT), bounded)


def time_bombs() -> Iterator[File]:
    harmless = {
        "GIF of 20 000 frames": lambda: gif(16, 16, 20_000),
        "GIF whose second frame is 65535×65535": lambda: gif(16, 16, 2, (65535, 65535)),
        "WebP of 5000 frames": lambda: webp_animation(5000),
    }
    yield from group((OK,), harmless, size=(16, 16))
    # Each scan has few bytes, but the decoder visits all blocks: 16 MiB of scans take an hour in one call.
    yield from group((CORRUPT,), {"JPEG of 5000 scans over 9 Mpx": lambda: many_scans(3000, 5000)})
    long_lists = {
        "JPEG of 3000 scans": lambda: many_scans(64, 3000),
        # Pillow appends EXIF blocks one by one and copies all earlier blocks each time.
        "JPEG of 700 000 EXIF blocks": lambda: repeated(segment(0xE1, b"Exif\0\0ab"), 700_000),
        "JPEG of 500 000 comments": lambda: repeated(segment(0xFE, b""), 500_000),
        "GIF of 500 000 comments": lambda: commented_gif(500_000),
        "PNG of 100 000 texts": lambda: png(chunk(b"tEXt", b"k\0v") * 100_000),
        "PNG of 500 000 empty chunks": lambda: png(chunk(b"abCd", b"") * 500_000),
    }
    yield from group((OK, CORRUPT), long_lists)


def damaged() -> Iterator[File]:
    for form in FORMATS:
        for name, share in (("half", 0.5), ("nine tenths", 0.9)):
            yield from group((CORRUPT,), {f"{name} of a {form}": partial(cut, form, share)})
        yield from group((CORRUPT,), {f"24 bytes of a {form}": partial(cut, form, 24 / len(good(form)))})
    unreadable = {
        "PNG with a wrong checksum in IHDR": lambda: wrong_crc(good("PNG"), b"IHDR"),
        "PNG without pixels": lambda: PNG_START + ihdr(32, 32) + PNG_END,
        "PNG of a bad depth": lambda: resized(png(), ihdr(32, 32, 3, 2)),
        "PNG of random pixels": lambda: of_pixels(random.Random(1).randbytes(999)),
        "PNG of no width": lambda: resized(png(), ihdr(0, 32)),
        "JPEG without quantization": lambda: without_segment(good("JPEG"), 0xDB),
        "JPEG without a frame": lambda: without_segment(good("JPEG"), 0xC0),
        "JPEG of no height": lambda: with_frame(good("JPEG"), size=(96, 0)),
        "GIF of no width": lambda: gif(0, 16),
        "GIF without a picture": lambda: gif(16, 16)[:13] + b";",
        "BMP of no width": lambda: bmp(0, 32),
        "BMP of 17 bits": lambda: bmp(32, 32, 17, 0, bytes(4096)),
        "BMP of an unknown compression": lambda: bmp(32, 32, 24, 77, bytes(4096)),
        "BMP with a huge header": lambda: bmp(32, 32, header_size=2**32 - 1),
        "WebP with a cut chunk": lambda: riff(b"VP8 \xff\xff\xff\x7f"),
        "TIFF whose directory is outside the file": lambda: b"II*\0\xff\xff\xff\xff" + bytes(99),
        "TIFF whose directory has 65535 entries": lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(99),
        "TIFF whose pixels are outside the file": lambda: grey_tiff(offset=2**32 - 9),
        "TIFF of 65535 samples": lambda: grey_tiff(samples=65535),
        "TIFF of an unknown compression": lambda: grey_tiff(compression=60000),
        "BigTIFF of nothing": lambda: b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63) + bytes(99),
        "AVIF without an index": lambda: good("AVIF").replace(b"iloc", b"iloC"),
        "HEIC without an index": lambda: good("HEIF").replace(b"iloc", b"iloC"),
        "HEIC of nothing": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
    }
    yield from group((CORRUPT,), unreadable)
    unusual = {
        "JPEG of 12 bits": lambda: with_frame(good("JPEG"), 0xC1, 12),
        "JPEG-LS": lambda: b"\xff\xd8" + segment(0xF7, b"\x08\0\x40\0\x60\x01\x01\x11\0") + bytes(99),
        "TIFF compressed as WebP": lambda: grey_tiff(compression=50001),
        "TIFF of 64 bits": lambda: grey_tiff(bits=64),
    }
    yield from group((TYPE,), unusual)
    yield from group((OK, CORRUPT), half_broken())


def half_broken() -> dict[str, Callable[[], bytes]]:
    """Files that a decoder may either repair or refuse."""
    frames = {0xC1: "extended", 0xC3: "lossless", 0xC9: "arithmetic", 0xCA: "progressive arithmetic"}
    calls_itself = {
        f"JPEG that calls itself {name}": partial(with_frame, good("JPEG"), marker) for marker, name in frames.items()
    }
    return calls_itself | {
        "PNG without its end": lambda: good("PNG")[:-6],
        "PNG with a wrong checksum in IDAT": lambda: wrong_crc(good("PNG"), b"IDAT"),
        "PNG with two IHDR": lambda: with_chunk(good("PNG"), ihdr(32, 32, 16, 6)),
        "PNG with IHDR after its pixels": lambda: with_chunk(png(), ihdr(60000, 60000), b"IEND"),
        "PNG of an unknown compression": lambda: png(compression=9),
        "PNG text of an unknown compression": lambda: png(chunk(b"zTXt", b"a\0\7junk")),
        "PNG profile of an unknown compression": lambda: png(chunk(b"iCCP", b"a\0\7junk")),
        "palette PNG without a palette": lambda: png(colour=3),
        "APNG that announces 2³¹ frames": lambda: apng_with(struct.pack(">II", 2**31, 0)),
        "APNG with a cut announcement": lambda: apng_with(b"\0\0"),
        "APNG with a frame control twice": apng_with_repeated_fctl,
        "JPEG with junk after SOI": lambda: b"\xff\xd8\xff\x00junk" + good("JPEG")[2:],
        "JPEG without Huffman tables": lambda: without_segment(good("JPEG"), 0xC4),
        "JPEG with a cut quantization table": lambda: repeated(segment(0xDB, bytes(21)), 1),
        "multi-picture JPEG with a broken index": lambda: two_pictures().replace(b"MPF\0", b"MPF\0\xff\xff\xff", 1),
        "BMP with 2³² colours": lambda: bmp(32, 32, 8, 0, bytes(1024), colours=2**32 - 1),
        "BMP whose run-length rows overflow": lambda: bmp(32, 32, 8, 1, b"\xff\x07" * 99),
        "BMP whose run-length data jumps out": lambda: bmp(32, 32, 8, 1, b"\0\2\xff\xff" * 99),
        "WebP with a wrong size": lambda: riff(good("WEBP")[12:], size=2**32 - 1),
        # Like CVE-2023-4863: Huffman tables larger than their buffer.
        "lossless WebP of random codes": lambda: vp8l(64, 64, random.Random(2).randbytes(999)),
        "TIFF that announces 4 GiB of pixels": lambda: grey_tiff(bytes=2**32 - 1),
        "TIFF of no rows a strip": lambda: grey_tiff(rows=0),
        "TIFF whose fax data is random": lambda: grey_tiff(compression=4, bits=1),
    }


def odd() -> Iterator[File]:
    for form in ("PNG", "GIF", "BMP"):
        yield from group((SMALL,), {f"{form} of one pixel": partial(encode, photo(1, 1), form)})
    for width, height in ((1, 20000), (20000, 1), (20000, 15)):
        yield from group((SMALL,), {f"a strip of {width}×{height}": partial(strip, width, height)})
    for width, height in ((16, 20000), (65500, 16), (16, 16)):
        yield from group((OK,), {f"a strip of {width}×{height}": partial(strip, width, height)}, (width, height))
    for form in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        yield from group((OK,), {f"animated {form}": partial(animated, form)}, (64, 48))
    whole = {
        "multi-picture JPEG": two_pictures,
        "progressive JPEG": lambda: encode(photo(), "JPEG", progressive=True),
        "JPEG with fill bytes after SOI": lambda: b"\xff\xd8" + b"\xff" * 500 + good("JPEG")[2:],
        "PNG with IDAT after its end": lambda: good("PNG") + chunk(b"IDAT", b"x" * 99),
        "PNG with padding after its pixels": lambda: with_chunk(good("PNG"), chunk(b"IDAT", bytes(99)), b"IEND"),
        "APNG that announces no frames": lambda: apng_with(struct.pack(">II", 0, 0)),
        "TIFF that ends in its own first directory": lambda: grey_tiff(96, 64, next_ifd=8),
        "single colour": lambda: encode(Image.new("RGB", (96, 64), (9, 99, 199)), "PNG"),
        "all black": lambda: encode(Image.new("RGB", (96, 64)), "PNG"),
        "fully transparent": lambda: encode(Image.new("RGBA", (96, 64)), "PNG"),
        "noise": lambda: encode(noise(96, 64), "PNG"),
        "palette with transparent entries": lambda: encode(photo(mode="P"), "PNG", transparency=bytes(range(256))),
        **two_things(),
    }
    yield from group((OK,), whole, (96, 64))
    yield from group((OK,), {"RGBA of 16 bits": wide_rgba}, (32, 32))
    for mode in ("1", "L", "LA", "P", "I;16"):
        yield from group((OK,), {f"PNG of mode {mode}": partial(in_mode, mode, "PNG")}, (96, 64))
    for mode in ("F", "LAB", "CMYK", "YCbCr", "RGBX", "I", "I;16"):
        yield from group((OK,), {f"TIFF of mode {mode}": partial(in_mode, mode, "TIFF")}, (96, 64))


def two_things() -> dict[str, Callable[[], bytes]]:
    """Polyglot files: images that are also valid in another format, whose part contains the marker."""
    return {
        "JPEG and PHP": lambda: repeated(segment(0xFE, b"<?php echo '" + MARKER + b"'; ?>"), 1),
        "PNG and ZIP": lambda: good("PNG") + b"PK\x03\x04" + MARKER + b"PK\x05\x06" + bytes(18),
        "GIF and JavaScript": lambda: good("GIF")[:-1] + b";/*" + MARKER + b"*/=1;alert(1)",
        "JPEG and HTML": lambda: good("JPEG") + b"<script>" + MARKER + b"</script>",
    }


def metadata() -> Iterator[File]:
    one_tag = b"Exif\0\0II*\0\x08\0\0\0\x01\0"
    broken = {
        "random": b"Exif\0\0" + random.Random(3).randbytes(400),
        "cut": exif()[:20],
        "empty": b"Exif\0\0",
        "looping": one_tag + b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
        "of orientation 99": exif(orientation=99),
        "with a text as orientation": one_tag + b"\x12\x01\x02\0\x04\0\0\0six\0\0\0\0\0",
        "with a resolution of 1/0": one_tag + b"\x1a\x01\x05\0\x01\0\0\0\x1a" + bytes(7) + b"\x01" + bytes(7),
        "with a huge count": one_tag + b"\x12\x01\x03\0\xff\xff\xff\xff\x08\0\0\0\0\0\0\0",
    }
    blocks = {f"EXIF {name}": partial(repeated, segment(0xE1, block), 1) for name, block in broken.items()}
    profiles = {
        "junk": MARKER * 50,
        "512 KiB": profile(512 * 1024),
        "10 MiB": profile(10 * MIB),
        "inks in an RGB file": profile(0)[:16] + b"CMYK" + profile(0)[20:],
    }
    for name, data in profiles.items():
        blocks[f"profile of {name}"] = partial(encode, photo(), "JPEG", icc_profile=data)
    yield from group((OK,), blocks, (96, 64))


FILES = (
    *not_images(),
    *pixel_bombs(),
    *memory_bombs(),
    *time_bombs(),
    *damaged(),
    *odd(),
    *metadata(),
)
