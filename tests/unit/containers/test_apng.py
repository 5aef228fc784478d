"""The frames of an animated PNG, found without a decoder."""

import io

import pytest
from PIL import Image

from services.containers.apng import apng_file, apng_frames, apng_head, png_chunk
from services.containers.errors import CorruptImage
from services.containers.frames import Disposal
from tests.support.images import encoded
from tests.support.pictures.animations import animation, apng_of_parts, disc, disc_frames

BLANK = Image.new("RGBA", (8, 6), (255, 0, 0, 255))
DOT = Image.new("RGBA", (4, 4), (0, 0, 255, 128))


def test_places_times_disposals_and_blending_are_read() -> None:
    data = apng_of_parts([(BLANK, (0, 0), 0, 0), (DOT, (3, 2), 1, 1), (DOT, (0, 1), 2, 0)], (8, 6))
    frames = list(apng_frames(data))
    assert [(f.left, f.top, f.width, f.height) for f in frames] == [(0, 0, 8, 6), (3, 2, 4, 4), (0, 1, 4, 4)]
    assert [f.disposal for f in frames] == [Disposal.KEEP, Disposal.CLEAR, Disposal.RESTORE]
    assert [f.blends for f in frames] == [False, True, False]
    assert [float(f.duration) for f in frames] == [0.1] * 3


def test_still_png_has_no_head() -> None:
    assert apng_head(encoded(BLANK, "PNG")) is None


def test_plays_are_read() -> None:
    found = apng_head(disc(3, "PNG", loop=5))
    assert found
    assert (found.width, found.height, found.plays) == (96, 64, 5)


def test_picture_in_front_of_the_animation_is_not_a_frame() -> None:
    data = animation(disc_frames(3), "PNG", default_image=True)
    assert len(list(apng_frames(data))) == 2


def test_file_of_a_frame_is_a_png_of_its_size() -> None:
    data = apng_of_parts([(BLANK, (0, 0), 0, 0), (DOT, (3, 2), 0, 0)], (8, 6))
    head = apng_head(data)
    assert head
    second = list(apng_frames(data))[1]
    with Image.open(io.BytesIO(apng_file(data, head, second))) as image:
        assert image.size == (4, 4)
        assert image.getpixel((0, 0)) == (0, 0, 255, 128)


def test_palette_goes_into_the_file_of_each_frame() -> None:
    frames = [frame.quantize(4) for frame in disc_frames(3)]
    data = animation(frames, "PNG", disposal=0)
    head = apng_head(data)
    assert head
    for frame in apng_frames(data):
        with Image.open(io.BytesIO(apng_file(data, head, frame))) as image:
            image.load()
            assert image.mode == "P"


def test_damaged_frame_has_a_wrong_checksum() -> None:
    data = bytearray(disc(3, "PNG"))
    head, frames = apng_head(bytes(data)), list(apng_frames(bytes(data)))
    data[frames[2].parts[0].start + 20] ^= 0xFF
    assert head
    apng_file(bytes(data), head, frames[1])
    with pytest.raises(CorruptImage, match="checksum"):
        apng_file(bytes(data), head, frames[2])


def test_file_that_ends_early_is_cut_off() -> None:
    data = disc(3, "PNG")
    for size in (len(data) - 1, len(data) - 12, len(data) - 100):
        with pytest.raises(CorruptImage, match="cut off inside frame"):
            list(apng_frames(data[:size]))


@pytest.mark.parametrize("announced", [0, 1, 3, 65_535])
def test_wrong_number_of_frames_is_refused(announced: int) -> None:
    data = apng_of_parts([(BLANK, (0, 0), 0, 0), (DOT, (3, 2), 0, 0)], (8, 6), announced)
    with pytest.raises(CorruptImage, match=f"announces {announced} frames and has 2"):
        list(apng_frames(data))


def test_frame_without_data_is_refused() -> None:
    data = apng_of_parts([(BLANK, (0, 0), 0, 0), (DOT, (3, 2), 0, 0)], (8, 6))
    at = data.index(b"fdAT") - 4
    with pytest.raises(CorruptImage, match="frame 2 has no data"):
        list(apng_frames(data[:at] + png_chunk(b"IEND", b"")))
