"""Our PNG writer: every decoder reads back exactly what went in."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.imaging.png import SIGNATURE, alpha_of, write_png

SHAPES = st.tuples(st.integers(1, 90), st.integers(1, 90))


def picture(shape: tuple[int, ...], seed: int, blank: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Noise, or noise with blank rows, as cut-outs have them."""
    found = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    if blank:
        found[: shape[0] // 2] = 0
    return found


def seen(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], alpha: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """RGBA as it must be written: nothing under alpha 0."""
    return np.dstack([np.where(alpha[:, :, None] == 0, 0, pixels), alpha]).astype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(shape=SHAPES, mode=st.sampled_from(["L", "RGB", "RGBA"]), seed=st.integers(0, 9), blank=st.booleans())
def test_pillow_and_opencv_read_the_written_pixels(shape: tuple[int, int], mode: str, seed: int, blank: bool) -> None:
    pixels = picture(shape if mode == "L" else (*shape, 3), seed, blank)
    alpha = picture(shape, seed + 1, blank) if mode == "RGBA" else None
    data = write_png(pixels, alpha)
    expected = pixels if alpha is None else seen(pixels, alpha)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == mode
        image.verify()  # checksums of all chunks
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), expected)
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)  # libpng
    assert theirs is not None
    order = {"RGB": cv2.COLOR_BGR2RGB, "RGBA": cv2.COLOR_BGRA2RGBA}.get(mode)
    assert np.array_equal(theirs if order is None else cv2.cvtColor(theirs, order), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 70000), (70000, 1), (3000, 2000)])
def test_sizes_that_need_many_strips_or_odd_ones_are_right(size: tuple[int, int]) -> None:
    pixels = picture((*size, 3), 1, True)
    with Image.open(io.BytesIO(write_png(pixels, pixels[:, :, 0]))) as image:
        assert np.array_equal(np.asarray(image), seen(pixels, pixels[:, :, 0]))


def chunks(data: bytes) -> tuple[list[bytes], bytes]:
    """The names of a PNG's chunks, and its compressed stream."""
    position, stream, names = len(SIGNATURE), b"", []
    while position < len(data):
        length, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        names.append(name)
        stream += data[position + 8 : position + 8 + length] if name == b"IDAT" else b""
        position += length + 12
    return names, stream


def test_the_stream_is_one_zlib_stream_of_the_right_length() -> None:
    names, stream = chunks(write_png(picture((700, 900, 3), 0, False)))
    assert names[0] == b"IHDR"
    assert names[-1] == b"IEND"
    assert set(names[1:-1]) == {b"IDAT"}
    assert len(zlib.decompress(stream)) == 700 * (1 + 900 * 3)


@pytest.mark.parametrize("size", [(64, 96), (9, 1), (3000, 20)])
def test_first_deflate_block_holds_4_to_16_bytes(
    size: tuple[int, int],
) -> None:
    """Decision 020: without it, a few addresses in ten thousand give other bytes, too few for a test to wait for."""
    stream = chunks(write_png(picture(size, 3, True)))[1]
    # Of a sync flush: an empty stored block (RFC 1951, 3.2.4).
    end = stream.index(b"\0\0\xff\xff") + 4
    first = stream[:end]
    assert 4 <= len(zlib.decompressobj().decompress(first)) <= 16


def test_blank_rows_cost_next_to_nothing() -> None:
    assert len(write_png(np.zeros((2000, 2000, 3), np.uint8), np.zeros((2000, 2000), np.uint8))) < 2000 * 2000 * 4 / 100


def test_alpha_channel_of_a_png_is_a_grey_png() -> None:
    alpha = picture((7, 9), 1, blank=False)
    with Image.open(io.BytesIO(alpha_of(write_png(picture((7, 9, 3), 2, blank=False), alpha)))) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        assert np.array_equal(np.asarray(image), alpha)


def test_density_stands_before_the_pixels_in_px_a_metre() -> None:
    data = write_png(picture((5, 7), 1, blank=False), dpi=300)
    assert data.index(b"IHDR") < data.index(b"pHYs") < data.index(b"IDAT")
    at = data.index(b"pHYs") + 4
    assert struct.unpack(">IIB", data[at : at + 9]) == (11811, 11811, 1)
    assert b"pHYs" not in write_png(picture((5, 7), 1, blank=False))
