"""Animated WebP: what its frames cover."""

from fractions import Fraction

import pytest

from services.containers.webp import webp_frames, webp_head
from services.errors import BadOption
from services.imaging.animation.webp import WebpWriter
from services.imaging.compose import Canvas
from services.imaging.formats import Format
from services.imaging.options import Options
from tests.support.pictures.canvases import NOWHERE, disc_canvases

OPTIONS = Options(format=Format.WEBP, animated=True)


def test_later_frames_cover_only_what_changes() -> None:
    writer = WebpWriter(OPTIONS, plays=2)
    for canvas in disc_canvases(3):
        writer.add(canvas, Fraction(1, 20))
    data = writer.finish()
    head, frames = webp_head(data), list(webp_frames(data))
    assert head
    assert (head.width, head.height, head.plays) == (96, 64, 2)
    assert (frames[0].left, frames[0].top, frames[0].width, frames[0].height) == (0, 0, 96, 64)
    # The disc has 33 px and moves by 5; places are even.
    assert (frames[1].left, frames[1].top, frames[1].width, frames[1].height) == (4, 16, 38, 33)
    assert not any(frame.blends for frame in frames)


def test_side_that_webp_cannot_hold_is_refused() -> None:
    canvas = disc_canvases(1)[0]
    wide = Canvas(canvas.pixels[:1].repeat(200, axis=1), None, NOWHERE)
    with pytest.raises(BadOption, match="a side of at most 16383 px; this one has 19200"):
        WebpWriter(OPTIONS, plays=0).add(wide, Fraction(1))
