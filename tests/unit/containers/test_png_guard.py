"""PNGs that would keep a decoder busy."""

import pytest

from services.containers.errors import CorruptImage
from services.containers.png_guard import MAX_CHUNKS, refuse_many_chunks
from services.imaging.decode import ImageLimits, inspect
from tests.support.pictures.hostile import one_bit_png, png_chunks


def test_ordinary_pngs_pass() -> None:
    refuse_many_chunks(one_bit_png())
    assert inspect(png_chunks(MAX_CHUNKS - 3), ImageLimits()).width == 64


def test_too_many_chunks_are_refused() -> None:
    with pytest.raises(CorruptImage, match=f"more than {MAX_CHUNKS} chunks"):
        inspect(png_chunks(MAX_CHUNKS), ImageLimits())


def test_chunks_after_the_end_are_not_counted() -> None:
    refuse_many_chunks(one_bit_png() + bytes(12) * 2 * MAX_CHUNKS)
