"""Estimates how clear the subject is: one figure from 0 to 1, from the mask alone."""

from typing import Final

import cv2
import numpy as np

from services.imaging.errors import NoSubject
from services.imaging.rasters import Mask, Matte, Pixels

# px; larger masks are reduced to this size, so that the figure means the same for all models.
LOOK_SIDE: Final = 320
# A pixel at or above is subject, at or below background, between them undecided.
SURE, UNSURE = 230, 25
# Undecided px across an edge that even a perfect mask of this size has.
SOFT_EDGE: Final = 2.0
# Shares of the picture between which a subject's size says nothing against it.
SMALLEST, LARGEST = 0.01, 0.95
# Share of the frame that a subject may touch: a portrait does, a wall does more.
FREE_BORDER: Final = 0.5
VISIBLE: Final = 10  # an alpha above this can be seen
# The smallest share of the picture that counts as a subject, and the largest alpha that it has at least.
LEAST_SHARE: Final = 0.001
LEAST_ALPHA: Final = 128
# The levels of each channel differ by no more than the spread in a picture of one colour, reduced to this side in px.
BLANK_SIDE: Final = 64
BLANK_SPREAD: Final = 3
# Blank pictures give a see-through matte, and a confidence of at most 0.05.
SMEAR: Final = 0.1


def confidence(mask: Mask) -> float:
    """Return a figure from 0 (no subject, or anything might be it) to 1 (one clear subject, decided everywhere).

    The product of four factors, each from 0 to 1:

    - decided: sure subject pixels, as a share of these and the undecided ones that no soft edge explains (`SOFT_EDGE`
      px along the subject's outline). This separates a subject from noise, a texture or a plain wall, for which
      a model's values stay in between or fall into specks;
    - size: rises to 1 at `SMALLEST` of the picture, falls from `LARGEST` to 0 where all of the picture is subject;
    - whole: from a half for many equal fragments to 1 for one (the sum of squared shares of the area: Simpson's index);
    - border: falls from 1 to 0 as the subject takes all of the frame instead of half of it.

    A figure to sort by, not a probability: about 0.75 and more is a clear subject; below 0.3 somebody should look. It
    does not know whether the subject is the intended one. Takes less than a millisecond.
    """
    side = max(mask.shape)
    if side > LOOK_SIDE:
        size = (max(1, mask.shape[1] * LOOK_SIDE // side), max(1, mask.shape[0] * LOOK_SIDE // side))
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    subject = np.asarray(cv2.threshold(mask, 127, 1, cv2.THRESH_BINARY)[1], dtype=np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(subject, connectivity=8)
    if count < 2:
        return 0.0
    areas = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
    share = float(areas.sum()) / mask.size
    size_factor = min(1.0, share / SMALLEST, (1.0 - share) / (1.0 - LARGEST))
    whole = float(np.square(areas / areas.sum()).sum())
    frame = np.concatenate([subject[0], subject[-1], subject[:, 0], subject[:, -1]])
    border = min(1.0, (1.0 - float(frame.mean())) / (1.0 - FREE_BORDER))
    return round(_decided(mask, subject) * size_factor * (0.5 + 0.5 * whole) * border, 3)


def _decided(mask: Mask, subject: Mask) -> float:
    values = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()
    sure, undecided = float(values[SURE:].sum()), float(values[UNSURE + 1 : SURE].sum())
    outline = cv2.countNonZero(cv2.morphologyEx(subject, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)))
    unexplained = max(0.0, undecided - SOFT_EDGE * outline)
    return sure / (sure + unexplained) if sure else 0.0


def is_blank(pixels: Pixels) -> bool:
    """Return whether a picture (HxWx3, uint8) has one colour only, apart from noise: no mask of it means anything."""
    small = cv2.resize(pixels, (BLANK_SIDE, BLANK_SIDE), interpolation=cv2.INTER_AREA)
    return int(np.ptp(small, axis=(0, 1)).max()) <= BLANK_SPREAD


def without_subject(matte: Matte, certainty: float) -> NoSubject | None:
    """Return why a picture has no subject, None where it has one.

    Too little of the matte is visible, or none of it is more than half opaque. The second says nothing where the mask's
    `confidence` is more than `SMEAR`: then the photo's own transparency, or a feathered edge, makes a subject faint.
    """
    seen = cv2.countNonZero(cv2.threshold(matte, VISIBLE, 1, cv2.THRESH_BINARY)[1])
    if seen < LEAST_SHARE * matte.size:
        return NoSubject(f"{seen} of {matte.size} pixels would be visible; {LEAST_SHARE:.1%} of them are the least")
    largest = int(matte.max())
    if largest < LEAST_ALPHA and certainty < SMEAR:
        return NoSubject(f"the largest alpha is {largest} of 255; a subject has at least {LEAST_ALPHA}")
    return None
