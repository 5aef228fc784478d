"""Make clips of a moving disc whose truth is known, and read animations back as browsers show them."""

import io
import struct
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.containers.apng import png_chunk

WIDTH, HEIGHT = 96, 64
RADIUS: Final = 16
GROUND, SUBJECT = (40, 60, 50), (240, 220, 60)
Frames = Sequence[Image.Image]


def truth(number: int, step: int = 5) -> NDArray[np.uint8]:
    """The disc of frame `number`, 0 or 255."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (RADIUS + 4 + number * step, HEIGHT // 2), RADIUS, 255, -1)
    return mask


def disc_frames(count: int = 5, step: int = 5, noise: float = 0.0) -> list[Image.Image]:
    """A bright disc that moves to the right by `step` px a frame."""
    generator = np.random.default_rng(7)
    frames = []
    for number in range(count):
        pixels = np.where(truth(number, step)[..., None] > 0, SUBJECT, GROUND).astype(np.float64)
        pixels += generator.normal(0, noise, pixels.shape) if noise else 0
        frames.append(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    return frames


def animation(frames: Frames, form: str = "GIF", durations: int | list[int] = 80, **options: Any) -> bytes:
    """Encode an animation; durations are in ms, `loop` is absent unless given."""
    out = io.BytesIO()
    more: dict[str, dict[str, object]] = {"WEBP": {"lossless": True}, "GIF": {"disposal": 2}, "PNG": {"disposal": 1}}
    frames[0].save(out, form, save_all=True, append_images=list(frames[1:]), duration=durations, **more[form] | options)
    return out.getvalue()


def disc(count: int = 5, form: str = "GIF", step: int = 5, **options: Any) -> bytes:
    """Encode the moving disc."""
    if form == "WEBP":
        options.setdefault("loop", 0)
    return animation(disc_frames(count, step), form, **options)


def shown(data: bytes) -> list[tuple[NDArray[np.uint8], float]]:
    """The frames as whole RGBA pictures, and their durations in ms."""
    found = []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            pixels = np.asarray(image.convert("RGBA"), dtype=np.uint8)
            found.append((pixels, image.info.get("duration", 0)))
    return found


def tiny_gif(frames: int, side: int = 16, place: tuple[int, int, int, int] = (0, 0, 1, 1)) -> bytes:
    """A GIF of `side` px with many frames of one pixel, or of any `place` (left, top, width, height)."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    picture = b"," + struct.pack("<HHHHB", *place, 0) + b"\x02\x02\x44\x01\x00"
    return head + picture * frames + b";"


def gif(frames: Sequence[tuple[Image.Image, tuple[int, int], int]], size: tuple[int, int]) -> bytes:
    """A GIF of palette pictures: each with its place (left, top) and its disposal; index 0 is transparent."""
    parts = [b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0)]
    for image, (left, top), disposal in frames:
        out = io.BytesIO()
        image.save(out, "GIF", optimize=False, interlace=True)
        data = out.getvalue()
        table = data[13 : 13 + (6 << (data[10] & 7))]
        at = data.index(b",", 13 + len(table))
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHB", disposal << 2 | 1, 10, 0) + b"\0")
        parts.append(b"," + struct.pack("<HHHHB", left, top, *image.size, 0x80 | data[at + 9] | data[10] & 7))
        parts.append(table + data[at + 10 : -1])
    return b"".join([*parts, b";"])


def apng_of_parts(
    frames: Sequence[tuple[Image.Image, tuple[int, int], int, int]], size: tuple[int, int], announced: int | None = None
) -> bytes:
    """An APNG of RGBA pictures, each with its place, disposal and blending; the first one fills the canvas."""
    count = len(frames) if announced is None else announced
    parts = [
        b"\x89PNG\r\n\x1a\n",
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0)),
        png_chunk(b"acTL", struct.pack(">II", count, 0)),
    ]
    sequence = 0
    for number, (image, (left, top), disposal, blending) in enumerate(frames):
        control = struct.pack(">IIIIIHHBB", sequence, *image.size, left, top, 1, 10, disposal, blending)
        parts.append(png_chunk(b"fcTL", control))
        sequence += 1
        out = io.BytesIO()
        image.convert("RGBA").save(out, "PNG")
        data = out.getvalue()
        at = data.index(b"IDAT")
        content = data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")]
        if number:
            parts.append(png_chunk(b"fdAT", struct.pack(">I", sequence) + content))
            sequence += 1
        else:
            parts.append(png_chunk(b"IDAT", content))
    return b"".join([*parts, png_chunk(b"IEND", b"")])
