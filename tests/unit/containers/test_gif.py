"""The frames of a GIF, found without a decoder."""

import io
import time
from typing import Any

import pytest
from PIL import Image

from services.containers.errors import CorruptImage
from services.containers.frames import Disposal
from services.containers.gif import gif_file, gif_frames, gif_head
from tests.support.pictures.animations import animation, disc, disc_frames, gif, shown, tiny_gif


def test_places_times_and_disposals_are_read() -> None:
    dots = [Image.new("P", (8, 6), 1), Image.new("P", (4, 4), 2)]
    data = gif([(dots[0], (0, 0), 1), (dots[1], (3, 2), 2), (dots[1], (2, 1), 3), (dots[1], (0, 0), 7)], (8, 6))
    frames = list(gif_frames(data))
    assert [(f.left, f.top, f.width, f.height) for f in frames] == [
        (0, 0, 8, 6),
        (3, 2, 4, 4),
        (2, 1, 4, 4),
        (0, 0, 4, 4),
    ]
    assert [f.disposal for f in frames] == [Disposal.KEEP, Disposal.CLEAR, Disposal.RESTORE, Disposal.KEEP]
    assert [float(f.duration) for f in frames] == [0.1] * 4


@pytest.mark.parametrize(("loop", "plays"), [(None, 1), (0, 0), (3, 4)])
def test_repeats_are_one_less_than_plays(loop: int | None, plays: int) -> None:
    options: dict[str, Any] = {} if loop is None else {"loop": loop}
    assert gif_head(disc(**options)).plays == plays


def test_zero_duration_stays_zero() -> None:
    data = animation(disc_frames(3), durations=[0, 50, 0])
    assert [float(frame.duration) for frame in gif_frames(data)] == [0, 0.05, 0]


def test_file_of_a_frame_has_its_own_size_and_colours() -> None:
    red, blue = Image.new("P", (8, 6), 1), Image.new("P", (4, 4), 1)
    red.putpalette([0, 0, 0, 255, 0, 0])
    blue.putpalette([0, 0, 0, 0, 0, 255])
    data = gif([(red, (0, 0), 1), (blue, (3, 2), 1)], (8, 6))
    head = gif_head(data)
    colours = []
    for frame in gif_frames(data):
        with Image.open(io.BytesIO(gif_file(data, head, frame))) as image:
            assert image.size == (frame.width, frame.height)
            colours.append(image.convert("RGB").getpixel((1, 1)))
    assert colours == [(255, 0, 0), (0, 0, 255)]


def test_global_colours_go_into_the_file_of_each_frame() -> None:
    data = disc(3)
    head = gif_head(data)
    for frame, (expected, _) in zip(gif_frames(data), shown(data), strict=True):
        with Image.open(io.BytesIO(gif_file(data, head, frame))) as image:
            middle = image.convert("RGB").getpixel((0, 0))
        assert middle == tuple(expected[frame.top, frame.left][:3])


def test_end_inside_any_frame_is_found_and_a_lacking_end_mark_is_not() -> None:
    data = disc(4)
    assert len(list(gif_frames(data[:-1]))) == 4
    for cut in range(20, len(data) - 2, 7):
        head = gif_head(data[:cut]) if cut > 1000 else None
        assert head is None or head.width == 96
        try:
            assert len(list(gif_frames(data[:cut]))) < 4
        except CorruptImage as exc:
            assert "cut off inside frame" in exc.details  # noqa: PT017 - a cut between two frames is no error


def test_unknown_block_is_refused() -> None:
    with pytest.raises(CorruptImage, match="after frame 2 there is an unknown block"):
        list(gif_frames(tiny_gif(2)[:-1] + b"\x77"))


def test_tiny_data_blocks_are_bounded() -> None:
    head = tiny_gif(0)[:-1]
    data = head + b",\0\0\0\0\1\0\1\0\0\2" + b"\1\0" * 400_000 + b"\0;"
    start = time.process_time()
    with pytest.raises(CorruptImage):
        list(gif_frames(data.replace(b"\1\0" * 400_000, b"\1\1" * 400_000)))
    assert time.process_time() - start < 3


def test_many_frames_are_walked_quickly() -> None:
    data = tiny_gif(65_535)
    start = time.process_time()
    assert sum(1 for _ in gif_frames(data)) == 65_535
    assert time.process_time() - start < 3
