"""Finds the mattes of an animation's frames: all masks in one pass, a matte at a time in the next ones."""

import zlib
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Final, NamedTuple

import numpy as np

from services.capacity.deadline import Stopwatch
from services.containers.animation import Animation
from services.imaging.animation.frames import draw_frames
from services.imaging.animation.steady import Look, look_of, steadied
from services.imaging.confidence import without_subject
from services.imaging.decode import Source, orientation_of
from services.imaging.edges.matte import find_mask, refined_matte
from services.imaging.errors import NoSubject
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.rasters import Mask, Matte, Photo
from services.imaging.region import part_of, region, visible_box
from services.imaging.segment import Segmenter
from services.imaging.values import Detail

# Of zlib's 1 to 9: masks are flat, more effort gains little.
LEVEL: Final = 1


class PackedMask(NamedTuple):
    """A mask, compressed: a model's may have a megabyte, and an animation hundreds of frames."""

    data: bytes
    shape: tuple[int, ...]

    @classmethod
    def of(cls, mask: Mask) -> "PackedMask":
        """Compress a mask."""
        return cls(zlib.compress(mask.tobytes(), LEVEL), mask.shape)

    def mask(self) -> Mask:
        """Return the mask again."""
        return np.frombuffer(zlib.decompress(self.data), dtype=np.uint8).reshape(self.shape)


class FrameMattes:
    """The frames with their mattes; each iteration decodes and refines them again.

    `on_frame` is called after each frame of each pass.
    """

    def __init__(
        self, source: Source, animation: Animation, options: Options, watch: Stopwatch, on_frame: Callable[[], None]
    ) -> None:
        # A second look at some frames and not at others would make their edges flicker.
        detail = Detail.OFF if options.detail is Detail.AUTO else options.detail
        self._options = options.model_copy(update={"detail": detail})
        self._animation, self._watch, self._on_frame = animation, watch, on_frame
        with source.image as image:
            self._orientation = orientation_of(image)
        self._masks: list[PackedMask] = []
        self._certainties: list[float] = []
        self._absent: list[NoSubject] = []

    @property
    def certainty(self) -> float:
        """The mean certainty of the frames' masks."""
        return round(fmean(self._certainties), 3)

    def find(self, segmenter: Segmenter) -> None:
        """Find the masks of all frames, and steady them. Raises `CorruptImage` and what `find_mask` does."""
        for mask, certainty in zip(steadied(self._looks(segmenter)), self._certainties, strict=False):
            absent = without_subject(mask, certainty)
            if absent:
                # The see-through smear of a picture without a subject is of no use.
                self._absent.append(absent)
                mask = np.zeros_like(mask)
            self._masks.append(PackedMask.of(mask))

    def absent(self) -> NoSubject | None:
        """Return why no frame has a subject, None where one has."""
        return self._absent[0] if len(self._absent) == len(self._masks) else None

    def __iter__(self) -> Iterator[tuple[Photo, Matte]]:
        for photo, packed in zip(self._photos(), self._masks, strict=True):
            roi = region(photo, self._options)
            yield photo, refined_matte(packed.mask(), roi, photo, self._options, self._watch)
            self._on_frame()

    def union(self) -> Box:
        """Return the box around the subjects of all frames; empty where there is none."""
        union = Box(0, 0, 0, 0)
        for _, matte in self:
            union = joined(union, visible_box(matte))
        return union

    def _looks(self, segmenter: Segmenter) -> Iterator[Look]:
        for photo in self._photos():
            found = find_mask(photo, self._options, segmenter, self._watch)
            self._certainties.append(found.certainty)
            yield look_of(found.mask, part_of(photo, found.roi))
            self._on_frame()

    def _photos(self) -> Iterator[Photo]:
        """Yield the frames as they are decoded; the deadline is checked before each."""
        frames = draw_frames(self._animation, self._orientation)
        for _ in self._animation.frames:
            with self._watch.step("decode"):
                photo = next(frames)
            yield photo
            del photo


def joined(one: Box, other: Box) -> Box:
    """Return the smallest box around both; an empty one counts for nothing."""
    if one.empty or other.empty:
        return other if one.empty else one
    return one.around(other)
