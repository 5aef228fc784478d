"""Shadows under a subject: a soft copy of it (`drop`), or darkness where it meets the ground (`contact`).

All lengths are shares of the subject's height (or of four times its width, where that is less), so that a shadow looks
the same at every size. A shadow is soft: it is made small, where its blur costs little, and enlarged.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

from services.imaging.geometry import Box, mapped
from services.imaging.options import Options, Output, Shadow
from services.imaging.rasters import Matte, Plane
from services.imaging.region import visible_box

# The subject's height in px while its shadow is made.
WORK_HEIGHT: Final = 256
# Upper bounds, however long and thin the subject is.
WORK_PIXELS, WORK_SIDE = 1 << 20, 16384
# Above this ratio of height to width, the width decides: a flagpole does not cast a house's shadow.
SLENDER: Final = 4
DROP_DOWN, DROP_BLUR = 0.035, 0.03
# Sigmas; beyond, a Gaussian's tail is less than what eight bits show at half opacity.
REACH: Final = 2.6
# The contact shadow: the feet's outline, blurred little and dark, and blurred widely and fainter (across, down).
FEET: Final = 0.02  # the outline's thickness to either side
# Parts higher above the ground than this do not touch it.
NEAR: Final = 0.2
LINE, WIDE = (0.014, 0.010), (0.055, 0.020)
WIDE_SHARE: Final = 0.7
# Of 255; fainter parts are outside a shadow's box.
FAINT: Final = 3


class SoftShadow(NamedTuple):
    """A shadow of low resolution: `dark` (0 to 255) covers `area` of the photo; it is darker than `FAINT` only in
    `box`.
    """

    dark: Matte
    area: Box
    box: Box

    def on_canvas(self, canvas: Box, source: Box, target: Box) -> Matte:
        """Return the darkness of each pixel of a canvas on which the photo's part `source` fills the part `target`."""
        layer = np.zeros((canvas.height, canvas.width), dtype=np.uint8)
        area = mapped(self.area, source, target)
        seen = area.within(canvas)
        if not seen.empty:
            across, down = self.dark.shape[1] / area.width, self.dark.shape[0] / area.height
            # Only the visible part is enlarged: each pixel's centre is looked up in the small picture.
            origin = ((seen.left - area.left + 0.5) * across - 0.5, (seen.top - area.top + 0.5) * down - 0.5)
            lookup = np.array([[across, 0, origin[0]], [0, down, origin[1]]], dtype=np.float64)
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            layer[seen.slices] = cv2.warpAffine(self.dark, lookup, seen[2:], flags=flags)
        return layer


def shadow_area(subject: Box, kind: Shadow) -> Box:
    """Return the most that a subject's shadow may cover, in the same px."""
    height = _measure(subject)
    if kind is Shadow.DROP:
        reach = round(REACH * DROP_BLUR * height)
        return subject.grown(reach, reach, reach, reach).moved(0, round(DROP_DOWN * height))
    across, down = (round((REACH * sigma + FEET) * height) for sigma in WIDE)
    return subject.grown(0, across, down, across)


def cast_shadow(alpha: Matte, subject: Box, options: Options) -> SoftShadow | None:
    """Return the shadow of the subject that `alpha` shows in that box; None without one."""
    kind = options.shadow
    if kind is Shadow.NONE or not options.shadow_opacity or subject.empty or options.output is Output.MASK:
        return None
    area = shadow_area(subject, kind)
    step = max(
        1.0,
        _measure(subject) / WORK_HEIGHT,
        (area.width * area.height / WORK_PIXELS) ** 0.5,
        max(area.width, area.height) / WORK_SIDE,
    )
    size = (max(1, round(area.width / step)), max(1, round(area.height / step)))
    height = _measure(subject) / step
    if kind is Shadow.DROP:
        shape = _drop(_shrunk(alpha, area.moved(0, -round(DROP_DOWN * _measure(subject))), size), height)
    else:
        shape = _contact(_shrunk(alpha, area, size), height)
    dark = np.rint(shape * np.float32(255 * options.shadow_opacity / 100)).astype(np.uint8)
    small = visible_box(dark, FAINT)
    return SoftShadow(dark, area, mapped(small, Box(0, 0, *size), area))


def _measure(subject: Box) -> int:
    """Return the px that a shadow's lengths are shares of."""
    return min(subject.height, SLENDER * subject.width)


def _shrunk(alpha: Matte, area: Box, size: tuple[int, int]) -> Plane:
    """Return this part of the alpha (0 beyond its edges) in `size`, as 0 to 1."""
    inside = area.within(Box(0, 0, alpha.shape[1], alpha.shape[0]))
    part = np.zeros((area.height, area.width), dtype=np.uint8)
    part[inside.moved(-area.left, -area.top).slices] = alpha[inside.slices]
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    return small / np.float32(255)


def _drop(alpha: Plane, height: float) -> Plane:
    return _blur(alpha, DROP_BLUR * height, DROP_BLUR * height)


def _contact(alpha: Plane, height: float) -> Plane:
    """Darken the lowest point of each column, less the higher it hangs above the ground."""
    solid = alpha > 0.5
    columns = solid.any(axis=0)
    if not columns.any():
        return np.zeros_like(alpha)
    rows = alpha.shape[0]
    lowest = rows - 1 - np.argmax(solid[::-1], axis=0)
    ground = int(lowest[columns].max())
    nearness = np.clip(1 - (ground - lowest) / (NEAR * height), 0, 1).astype(np.float32) * columns
    y = np.arange(rows, dtype=np.float32)[:, None]
    feet = np.clip(FEET * height - np.abs(y - lowest.astype(np.float32)), 0, 1) * nearness**2
    line, wide = (_blur(feet, across * height, down * height) for across, down in (LINE, WIDE))
    # Blurring a thin outline makes it faint: each layer is scaled to its intended darkness.
    dark: Plane = np.maximum(line / max(float(line.max()), 1e-6), WIDE_SHARE * wide / max(float(wide.max()), 1e-6))
    return dark


def _blur(picture: Plane, across: float, down: float) -> Plane:
    across, down = max(across, 0.1), max(down, 0.1)
    blurred = cv2.GaussianBlur(picture, (0, 0), across, sigmaY=down, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, dtype=np.float32)
