"""JPEGs that would keep a decoder busy."""

import pytest
from PIL import Image

from services.containers.errors import CorruptImage
from services.containers.jpeg_guard import JPEG_LIMITS, MAX_SEGMENTS, refuse_time_bombs
from tests.support.images import encoded

START, END = b"\xff\xd8", b"\xff\xd9"
SCAN, EXIF = 0xDA, 0xE1


def segment(code: int, content: bytes = b"") -> bytes:
    return bytes([0xFF, code]) + (len(content) + 2).to_bytes(2, "big") + content


def test_ordinary_jpegs_pass() -> None:
    image = Image.linear_gradient("L").convert("RGB")
    refuse_time_bombs(encoded(image, progressive=True))
    refuse_time_bombs(encoded(image, quality=95, restart_marker_rows=1))


@pytest.mark.parametrize(("code", "name"), [(SCAN, "scans"), (EXIF, "EXIF blocks")])
def test_segments_beyond_the_limit_are_refused(code: int, name: str) -> None:
    most = JPEG_LIMITS[code][0]
    refuse_time_bombs(START + segment(code) * most + END)
    with pytest.raises(CorruptImage, match=f"more than {most} {name}"):
        refuse_time_bombs(START + segment(code) * (most + 1) + END)


def test_too_many_segments_of_any_kind_are_refused() -> None:
    with pytest.raises(CorruptImage, match=f"more than {MAX_SEGMENTS} segments"):
        refuse_time_bombs(START + segment(0xFE) * (MAX_SEGMENTS + 2) + END)


def test_markers_inside_a_segment_are_not_counted() -> None:
    thumbnail = segment(SCAN) * 200
    refuse_time_bombs(START + segment(EXIF, thumbnail) + END)


def test_bytes_after_the_end_are_not_counted() -> None:
    refuse_time_bombs(START + END + b"\0\0" + segment(SCAN) * 200)
