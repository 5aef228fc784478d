"""Sizes in AV1 sequence headers."""

import pytest
from PIL import Image

from services.containers.av1 import MAX_OBUS, av1_pixels
from services.containers.errors import CorruptImage
from tests.support.images import encoded


@pytest.mark.parametrize("size", [(64, 64), (333, 17), (1, 1)])
def test_size_is_read_from_an_encoders_sequence_header(size: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", size), "AVIF")
    start = data.rindex(b"mdat") + 4
    assert av1_pixels(data[start:]) == size[0] * size[1]


def test_stream_without_a_sequence_header_has_no_pixels() -> None:
    assert av1_pixels(b"") == 0
    assert av1_pixels(b"\x12\0") == 0


def test_endless_units_are_refused() -> None:
    with pytest.raises(CorruptImage, match=str(MAX_OBUS)):
        av1_pixels(b"\x12\0" * (MAX_OBUS + 1))
