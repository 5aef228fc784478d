"""Checks a JPEG's structure before a decoder works on it."""

import re
from collections.abc import Iterator
from typing import Final

from services.containers.errors import CorruptImage

NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
STANDALONE: Final = frozenset({0x01, 0xD8})
END_OF_IMAGE: Final = 0xD9
# Code, most, name. Encoders write about ten scans; 1000 EXIF blocks of 64 kB are more than any real upload holds.
JPEG_LIMITS: Final = {0xDA: (100, "scans"), 0xE1: (1000, "EXIF blocks")}
MAX_SEGMENTS: Final = 10_000


def refuse_time_bombs(data: bytes) -> None:
    """Raise `CorruptImage` for JPEGs that keep a decoder busy: nothing could end it once it runs.

    Each scan of a progressive JPEG is a pass over the whole picture (LJPGT-PT-23-01), and Pillow joins EXIF blocks in
    quadratic time.
    """
    counts = dict.fromkeys(JPEG_LIMITS, 0)
    for segments, (marker, _) in enumerate(jpeg_markers(data)):
        if segments > MAX_SEGMENTS:
            raise CorruptImage(f"it has more than {MAX_SEGMENTS} segments")
        if marker in counts:
            counts[marker] += 1
            most, name = JPEG_LIMITS[marker]
            if counts[marker] > most:
                raise CorruptImage(f"it has more than {most} {name}")


def jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the codes of a JPEG's markers up to its end, each with the place behind it (ITU-T T.81, B.1.1).

    Segments' contents are skipped.
    """
    at = 2
    while found := NEXT_MARKER.search(data, at):
        marker = data[found.start() + 1]
        at = found.end()
        yield marker, at
        if marker == END_OF_IMAGE:
            return
        if marker not in STANDALONE:
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
