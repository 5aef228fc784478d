"""Finds the frames of an animation in its file: their places, times and bytes. Nothing is decoded.

GIF, APNG and animated WebP have one form here: a frame is drawn over the canvas, is shown for its duration, and is
disposed of. `Animation.frame_file` makes a picture's file of one frame, for a decoder of still pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Final, NamedTuple

from services.containers.apng import apng_file, apng_frames, apng_head
from services.containers.frames import Frame, Head, check_place
from services.containers.gif import gif_file, gif_frames, gif_head
from services.containers.webp import webp_file, webp_frames, webp_head


class Container(NamedTuple):
    """The functions that read one format."""

    head: Callable[[bytes], Head | None]
    frames: Callable[[bytes], Iterator[Frame]]
    frame_file: Callable[[bytes, Head, Frame], bytes]


CONTAINERS: Final = {
    "gif": Container(gif_head, gif_frames, gif_file),
    "png": Container(apng_head, apng_frames, apng_file),
    "webp": Container(webp_head, webp_frames, webp_file),
}


@dataclass(frozen=True)
class Animation:
    """The frames of a file. Their places are inside the canvas; their data may still be damaged."""

    kind: str
    data: bytes = field(repr=False)
    head: Head
    frames: tuple[Frame, ...] = field(repr=False)

    @property
    def duration(self) -> Fraction:
        """The seconds of one run."""
        return sum((frame.duration for frame in self.frames), Fraction())

    def frame_file(self, frame: Frame) -> bytes:
        """Return a frame alone as a file of the same format, of the frame's own size. Raises `CorruptImage`."""
        return CONTAINERS[self.kind].frame_file(self.data, self.head, frame)


def find_animation(data: bytes, kind: str, most: int) -> Animation | None:
    """Return the animation of a file of this format, None for a still picture.

    No more than `most` + 1 frames are looked for. Raises `CorruptImage` for a file that is cut off or contradicts
    itself, and for frames that exceed the canvas.
    """
    container = CONTAINERS.get(kind)
    head = container.head(data) if container else None
    if container is None or head is None:
        return None
    frames = tuple(islice(container.frames(data), most + 1))
    for number, frame in enumerate(frames, 1):
        check_place(frame, head, number)
    return Animation(kind, data, head, frames) if len(frames) > 1 else None
