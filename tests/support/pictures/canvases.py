"""Make canvases of a moving disc, as composing gives them."""

import numpy as np

from services.imaging.compose import Canvas
from services.imaging.geometry import Box
from tests.support.pictures.animations import disc_frames, truth

NOWHERE = Box(0, 0, 0, 0)


def disc_canvases(count: int) -> list[Canvas]:
    """The disc alone, with a hard edge."""
    frames = disc_frames(count)
    return [Canvas(np.asarray(frame), truth(number), NOWHERE) for number, frame in enumerate(frames)]


def opaque_canvases(count: int) -> list[Canvas]:
    """The disc on a rough grey ground that does not move."""
    ground = np.random.default_rng(3).integers(0, 40, (64, 96, 1)).astype(np.uint8).repeat(3, axis=2)
    return [
        Canvas(np.where(truth(number)[..., None] > 0, np.asarray(frame), ground), None, NOWHERE)
        for number, frame in enumerate(disc_frames(count))
    ]
