"""Draws the frames of an animation as whole upright pictures, one at a time, as a browser shows them."""

from collections.abc import Iterator

import numpy as np

from services.containers.animation import Animation
from services.containers.errors import CorruptImage
from services.containers.frames import Disposal, Frame
from services.imaging.blend import over
from services.imaging.decode import decode_frame
from services.imaging.geometry import Box
from services.imaging.rasters import Matte, Photo, Pixels, upright


class Screen:
    """The canvas that frames are drawn on; transparent at first."""

    def __init__(self, width: int, height: int) -> None:
        self.pixels: Pixels = np.zeros((height, width, 3), dtype=np.uint8)
        self.alpha: Matte = np.zeros((height, width), dtype=np.uint8)

    def draw(self, part: Photo, box: Box, *, blends: bool) -> None:
        """Draw a part: over what is there, or instead of it."""
        pixels, alpha = part.pixels, part.alpha
        if blends and alpha is not None:
            pixels, alpha = over(pixels, alpha, self.pixels[box.slices], self.alpha[box.slices])
        self.pixels[box.slices] = pixels
        self.alpha[box.slices] = 255 if alpha is None else alpha

    def clear(self, box: Box) -> None:
        """Make a part transparent."""
        self.pixels[box.slices] = 0
        self.alpha[box.slices] = 0

    def picture_of(self, box: Box) -> Photo:
        """Return a copy of this part."""
        alpha = self.alpha[box.slices]
        return Photo(self.pixels[box.slices].copy(), None if int(alpha.min()) == 255 else alpha.copy())


def draw_frames(animation: Animation, orientation: int) -> Iterator[Photo]:
    """Yield the frames as whole pictures, their EXIF orientation (1 to 8) undone; the caller owns each.

    Raises `CorruptImage` with the number of the frame that is damaged.
    """
    screen = Screen(animation.head.width, animation.head.height)
    whole = Box(0, 0, animation.head.width, animation.head.height)
    for number, frame in enumerate(animation.frames, 1):
        box = Box(frame.left, frame.top, frame.width, frame.height)
        part = _part(animation, frame, number)
        before = screen.picture_of(box) if frame.disposal is Disposal.RESTORE else None
        screen.draw(part, box, blends=frame.blends)
        del part
        yield upright(screen.picture_of(whole), orientation)
        if frame.disposal is Disposal.CLEAR:
            screen.clear(box)
        elif before is not None:
            screen.draw(before, box, blends=False)


def _part(animation: Animation, frame: Frame, number: int) -> Photo:
    try:
        return decode_frame(animation.frame_file(frame), animation.kind, (frame.width, frame.height))
    except CorruptImage as exc:
        raise CorruptImage(f"frame {number} of {len(animation.frames)}: {exc.details}") from exc
