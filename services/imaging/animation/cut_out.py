"""The steps from an animation to its cut-out: the masks of all frames first, then each frame's picture.

One frame is in memory at a time, as decoded and as composed; each pass decodes the frames again. What stays of all of
them is small: their masks, compressed, and what has been encoded.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import count
from typing import Final

import numpy as np

from services.capacity.deadline import Stopwatch
from services.imaging.animation.mattes import FrameMattes, joined
from services.imaging.animation.writer import make_writer
from services.imaging.compose import Canvas
from services.imaging.decode import decode
from services.imaging.extras import Extras
from services.imaging.geometry import Box
from services.imaging.options import Options, Output
from services.imaging.pipeline import Result, Rules, Sources, Subject, composed, result_of
from services.imaging.rasters import Photo
from services.imaging.segment import Segmenter

THOUSANDTHS: Final = 1000
HALF: Final = Fraction(1, 2)


def cut_out_frames(
    sources: Sources,
    options: Options,
    segmenter: Segmenter,
    watch: Stopwatch,
    rules: Rules,
    extras: Extras | None = None,
) -> Result:
    """Remove the background of every frame of `sources.animation`; the result plays as the original does.

    The layout is that of the box around the subjects of all frames, so that nothing jumps. `extras` are filled from
    the first frame. Raises what `cut_out` does; `CorruptImage` names the damaged frame.
    """
    animation = sources.animation
    assert animation is not None
    writer = make_writer(options, len(animation.frames), animation.head.plays)
    passes = 3 if _moves(options) else 2
    mattes = FrameMattes(sources.photo, animation, options, watch, _counter(extras, passes * len(animation.frames)))
    mattes.find(segmenter)
    if rules.require_subject and (absent := mattes.absent()):
        raise absent
    union = mattes.union() if _moves(options) else None
    with watch.step("decode"):
        ground = decode(sources.background) if sources.background is not None else None
    foreground = Box(0, 0, 0, 0)
    for frame, (photo, matte) in zip(animation.frames, mattes, strict=True):
        subject = Subject(photo, matte, ground, segmenter.name, mattes.certainty)
        canvas = composed(subject, options, watch, union)
        if not _is_opaque(options, ground):
            canvas = _with_alpha(canvas)
        with watch.step("encode"):
            writer.add(canvas, frame.duration)
            if extras is not None and not extras.mask:
                extras.fill(matte, canvas)
        foreground = joined(foreground, canvas.foreground)
    with watch.step("encode"):
        made = result_of(writer.finish(), canvas, subject, sources, options, watch)
    duration = int(animation.duration * THOUSANDTHS + HALF)
    return replace(made, foreground=foreground, frames=len(animation.frames), duration_ms=duration)


def _counter(extras: Extras | None, total: int) -> Callable[[], None]:
    numbers, on_frame = count(1), (extras or Extras()).on_frame
    return lambda: on_frame(next(numbers), total)


def _moves(options: Options) -> bool:
    """Return whether the place of a subject on its canvas follows from its box."""
    return options.crop or options.scale is not None or options.position not in (None, "original")


def _is_opaque(options: Options, ground: Photo | None) -> bool:
    """Return whether no frame has a transparent pixel, whatever its subject is."""
    if options.output is Output.MASK:
        return True
    if options.keep_alpha:
        return False
    solid = options.background is not None and options.background[3] == 255
    return solid or options.background_gradient is not None or (ground is not None and ground.alpha is None)


def _with_alpha(canvas: Canvas) -> Canvas:
    """Return the canvas with an alpha channel: a file has it in all frames or in none."""
    if canvas.alpha is not None:
        return canvas
    return replace(canvas, alpha=np.full((canvas.height, canvas.width), 255, dtype=np.uint8))
