"""The mattes of an animation's frames, found with a segmenter that finds what is bright."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from services.capacity.deadline import Deadline, Stopwatch
from services.containers.animation import find_animation
from services.errors import DeadlineExceeded
from services.imaging.animation.mattes import FrameMattes, PackedMask, joined
from services.imaging.decode import ImageLimits, inspect
from services.imaging.geometry import Box
from services.imaging.options import Options
from tests.support.pictures.animations import animation, disc, disc_frames, truth
from tests.support.pictures.brightness import Bright

EMPTY = Box(0, 0, 0, 0)


def mattes(
    data: bytes, watch: Stopwatch | None = None, on_frame: Callable[[], None] = lambda: None, **raw: object
) -> FrameMattes:
    source = inspect(data, ImageLimits())
    found = find_animation(data, source.format, 300)
    assert found
    return FrameMattes(source, found, Options.parse(raw), watch or Stopwatch(Deadline()), on_frame)


def test_mattes_follow_the_disc_in_every_iteration() -> None:
    frames = mattes(disc(5))
    frames.find(Bright())
    for _ in range(2):
        found = list(frames)
        assert len(found) == 5
        for number, (photo, matte) in enumerate(found):
            assert matte.shape == photo.pixels.shape[:2]
            assert np.mean((matte > 127) == (truth(number) > 0)) > 0.98
    assert frames.certainty > 0.5
    assert frames.absent() is None


def test_union_is_around_the_disc_of_all_frames() -> None:
    frames = mattes(disc(5), edges="soft")
    frames.find(Bright())
    union = frames.union()
    # Its left side in the first frame, its right side in the last.
    assert abs(union.left - 4) <= 3
    assert abs(union.right - (20 + 20 + 17)) <= 3


def test_each_frame_of_each_pass_is_counted() -> None:
    done: list[int] = []
    frames = mattes(disc(4), on_frame=lambda: done.append(1))
    frames.find(Bright())
    frames.union()
    assert len(done) == 8


def test_frame_without_a_subject_is_empty_and_others_are_not() -> None:
    pictures = disc_frames(5, step=0)
    pictures[2] = Image.new("RGB", pictures[0].size, (40, 60, 50))
    frames = mattes(animation(pictures, "PNG"))
    frames.find(Bright())
    assert [bool(matte.any()) for _, matte in frames] == [True, True, False, True, True]
    assert frames.absent() is None


def test_animation_without_any_subject_says_so() -> None:
    blank = [Image.new("RGB", (96, 64), (40, 60, number)) for number in range(3)]
    frames = mattes(animation(blank, "PNG"))
    frames.find(Bright())
    assert frames.absent()
    assert frames.union().empty


def test_deadline_is_checked_between_frames() -> None:
    gone: list[bool] = []
    watch = Stopwatch(Deadline(gone=lambda: len(gone) > 2))
    frames = mattes(disc(30), watch, on_frame=lambda: gone.append(True))
    with pytest.raises(Exception, match="closed"):
        frames.find(Bright())
    assert len(gone) == 3
    with pytest.raises(DeadlineExceeded):
        mattes(disc(3), Stopwatch(Deadline(0.0))).find(Bright())


@pytest.mark.parametrize(("detail", "looks"), [("auto", 3), ("off", 3), ("always", 6)])
def test_second_look_is_one_for_all_frames_or_none(detail: str, looks: int) -> None:
    segmenter, small = Bright(), [Image.new("RGB", (480, 320), (40, 60, 50)) for _ in range(3)]
    for number, picture in enumerate(small):
        picture.paste(disc_frames(1)[0], (40 + number, 60))
    frames = mattes(animation(small, "PNG"), detail=detail)
    frames.find(segmenter)
    assert len(segmenter.seen) == looks


def test_packed_mask_is_small_and_comes_back() -> None:
    mask = np.kron(truth(3), np.ones((8, 8), np.uint8))
    packed = PackedMask.of(mask)
    assert len(packed.data) < mask.size / 50
    assert np.array_equal(packed.mask(), mask)


def test_empty_box_counts_for_nothing_in_a_union() -> None:
    box = Box(3, 4, 5, 6)
    assert joined(EMPTY, box) == joined(box, EMPTY) == box
    assert joined(box, Box(0, 0, 4, 5)) == Box(0, 0, 8, 10)
    assert joined(EMPTY, EMPTY).empty
