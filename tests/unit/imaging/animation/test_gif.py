"""GIF: colours, transparency, and what is cleared."""

import io
from fractions import Fraction

import numpy as np
from PIL import Image

from services.containers.frames import Disposal
from services.containers.gif import gif_frames, gif_head
from services.imaging.animation.gif import GifWriter, write_gif
from services.imaging.compose import Canvas
from tests.support.pictures.animations import shown
from tests.support.pictures.canvases import NOWHERE, disc_canvases, opaque_canvases


def test_subjects_frames_are_drawn_whole_and_cleared() -> None:
    writer = GifWriter(plays=0)
    for canvas in disc_canvases(3):
        writer.add(canvas, Fraction(1))
    frames = list(gif_frames(writer.finish()))
    assert [frame.disposal for frame in frames] == [Disposal.CLEAR] * 3
    assert [(f.left, f.top, f.width, f.height) for f in frames] == [(n * 5 + 4, 16, 33, 33) for n in range(3)]


def test_opaque_frames_stay() -> None:
    writer = GifWriter(plays=0)
    for canvas in opaque_canvases(3):
        writer.add(canvas, Fraction(1))
    frames = list(gif_frames(writer.finish()))
    assert [frame.disposal for frame in frames] == [Disposal.KEEP] * 3
    assert frames[1].width < 40


def test_up_to_255_colours_are_exact_and_alpha_is_cut_at_one_half() -> None:
    colours = np.arange(250, dtype=np.uint8)
    pixels = np.stack([colours, 255 - colours, colours // 2], axis=-1).reshape(10, 25, 3)
    alpha = np.full((10, 25), 128, np.uint8)
    alpha[3, 4], alpha[5, 6] = 127, 0
    (found, _), *_ = shown(write_gif(Canvas(pixels, alpha, NOWHERE)))
    seen = alpha >= 128
    assert np.array_equal(found[..., 3] == 255, seen)
    assert np.array_equal(found[seen][:, :3], pixels[seen])


def test_picture_without_anything_is_transparent() -> None:
    empty = Canvas(np.zeros((12, 20, 3), np.uint8), np.zeros((12, 20), np.uint8), NOWHERE)
    data = write_gif(empty)
    (found, _), *_ = shown(data)
    assert found.shape == (12, 20, 4)
    assert not found[..., 3].any()


def test_still_picture_plays_once_and_is_small() -> None:
    data = write_gif(disc_canvases(1)[0])
    assert gif_head(data).plays == 1
    assert len(data) < 2000
    with Image.open(io.BytesIO(data)) as image:
        assert not getattr(image, "is_animated", False)
