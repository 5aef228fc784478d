"""Estimates how clear the subject is: one figure from 0 to 1, from the mask and, if there was one, a second look."""

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
# A rim of the subject, in px, may be undecided. Within it this much alpha may be missing, and at `WEAK` the figure is
# lowest.
RIM: Final = 2
LEAST_LACK, WEAK = 0.01, 0.4
# Alpha a px across the outline (Sobel's measure, 4 at most) from which an outline is steep; its weakest fifth counts.
STEEP: Final = 0.8
WEAKEST: Final = 20  # %
# Shares of the frame's upper half that a subject touches. From the first on the factor is lowest: a part of the
# background that is taken for the subject often runs out of the picture. From the second on it rises again, to the
# third: a close-up fills the frame. Portraits touch the lower half.
UPPER_LEAK, FILLS, FILLS_FULLY = 0.1, 0.25, 0.4
# How much the share of decided pixels counts, where there is a subject.
DECIDED_POWER: Final = 0.7
# The lowest values of these three factors.
LEAST_SOLID, LEAST_STEEP, LEAST_UPPER = 0.55, 0.9, 0.7
# How much a second look's agreement counts.
AGREEMENT_POWER: Final = 0.5
VISIBLE: Final = 10  # an alpha above this can be seen
# The smallest share of the picture that counts as a subject, and the largest alpha that it has at least.
LEAST_SHARE: Final = 0.001
LEAST_ALPHA: Final = 128
# The levels of each channel differ by no more than the spread in a picture of one colour, reduced to this side in px.
BLANK_SIDE: Final = 64
BLANK_SPREAD: Final = 3
# Rows that are counted at a time: they stay in the processor's cache.
STRIP_ROWS: Final = 64
# Blank pictures give a see-through matte, and a confidence of at most 0.05.
SMEAR: Final = 0.1


def confidence(mask: Mask) -> float:
    """Return a figure from 0 (no subject, or anything might be it) to 1 (one clear subject, decided everywhere).

    The product of factors from 0 to 1:

    - decided: sure subject pixels, as a share of these and the undecided ones that no soft edge explains (`SOFT_EDGE`
      px along the subject's outline). This separates a subject from noise, a texture or a plain wall, for which
      a model's values stay in between or fall into specks. Its power `DECIDED_POWER` counts;
    - size: rises to 1 at `SMALLEST` of the picture, falls from `LARGEST` to 0 where all of the picture is subject;
    - whole: from a half for many equal fragments to 1 for one (the sum of squared shares of the area: Simpson's index);
    - border: falls from 1 to 0 as the subject takes all of the frame instead of half of it;
    - solid: falls as the inside of the subject lacks alpha;
    - steep: falls with the slope of the weakest fifth of the outline;
    - upper: falls as the subject touches a little of the upper half of the frame.

    Where the first four alone are below `SMEAR` nothing was found, and their product is the figure.

    A figure to sort by, not a probability; docs/guides/requests.md says how often results need a hand at each figure.
    It does not know whether the subject is the intended one. Takes about a millisecond.
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
    decided, rest = _decided(mask, subject), size_factor * (0.5 + 0.5 * whole) * border
    if decided * rest < SMEAR:
        return round(decided * rest, 3)
    doubts = _solid(mask, subject) * _steep(mask, subject) * _upper(subject)
    return round(max(SMEAR, float(decided**DECIDED_POWER) * rest * doubts), 3)


def confirmed(certainty: float, agreement: float) -> float:
    """Return the confidence after a second look whose mask agrees with the first so far, from 0 to 1.

    A subject that was found keeps at least `SMEAR`: a second look that disagrees is a doubt, not an empty picture.
    """
    if certainty < SMEAR:
        return certainty
    return round(max(SMEAR, float(certainty * agreement**AGREEMENT_POWER)), 3)


def _solid(mask: Mask, subject: Mask) -> float:
    kernel = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    inside = cv2.erode(subject, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    lacking = 1 - cv2.mean(mask, inside)[0] / 255
    share = cv2.countNonZero(inside) / cv2.countNonZero(subject)
    return min(1.0, max(LEAST_SOLID, 1 - (lacking * share - LEAST_LACK) / WEAK))


def _steep(mask: Mask, subject: Mask) -> float:
    across, down = cv2.Sobel(mask, cv2.CV_16S, 1, 0), cv2.Sobel(mask, cv2.CV_16S, 0, 1)
    outline = cv2.morphologyEx(subject, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    if not outline.any():
        return 1.0
    slopes = np.hypot(across[outline].astype(np.float32), down[outline].astype(np.float32)) / 255
    return LEAST_STEEP + (1 - LEAST_STEEP) * min(1.0, float(np.percentile(slopes, WEAKEST)) / STEEP)


def _upper(subject: Mask) -> float:
    half = subject[: subject.shape[0] // 2]
    touched = float(np.concatenate([subject[0], half[:, 0], half[:, -1]]).mean())
    filling = (FILLS_FULLY - touched) / (FILLS_FULLY - FILLS)
    leak = min(1.0, touched / UPPER_LEAK) * min(1.0, max(0.0, filling))
    return 1 - (1 - LEAST_UPPER) * leak


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
    strips = (matte[top : top + STRIP_ROWS] for top in range(0, len(matte), STRIP_ROWS))
    seen = sum(int(np.count_nonzero(strip > VISIBLE)) for strip in strips)
    if seen < LEAST_SHARE * matte.size:
        return NoSubject(f"{seen} of {matte.size} pixels would be visible; {LEAST_SHARE:.1%} of them are the least")
    largest = int(matte.max())
    if largest < LEAST_ALPHA and certainty < SMEAR:
        return NoSubject(f"the largest alpha is {largest} of 255; a subject has at least {LEAST_ALPHA}")
    return None
