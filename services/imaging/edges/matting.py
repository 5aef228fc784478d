"""Turns a rough mask into a matte that follows the photo: alpha as a locally linear function of colour.

Where a matte is uncertain, the alpha wanted is, in every small window, a linear function of the colours there
(Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", 2008), and close to the model's
mask. The matting Laplacian is never built: multiplying by it is a colour guided filter (He, Sun and Tang, "Guided Image
Filtering", 2013) taken from the identity, which costs a dozen box blurs. Conjugate gradients solve it on a pyramid,
coarse to fine, with windows that are large, as they converge faster (He, Sun and Tang, "Fast Matting Using Large Kernel
Matting Laplacian Matrices", 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.capacity.deadline import Deadline
from services.imaging.rasters import Plane


class LocalColours:
    """The photo's colours in every square window of `2 · radius + 1` px: means and factored covariances."""

    def __init__(self, image: NDArray[np.float32], radius: int, epsilon: float) -> None:
        """`image`: height × width × 3, 0 to 1. `epsilon`: the variance below which colours count as equal."""
        self._window = (2 * radius + 1, 2 * radius + 1)
        self._channels = red, green, blue = [plane - np.float32(0.5) for plane in cv2.split(image)]
        self._means = [self._mean(plane) for plane in self._channels]
        mean_red, mean_green, mean_blue = self._means
        # LDLᵀ of each covariance: no rounding error can make a divisor negative.
        pivot0 = np.maximum(self._mean(red * red) - mean_red * mean_red, 0) + np.float32(epsilon)
        self._l10 = (self._mean(red * green) - mean_red * mean_green) / pivot0
        self._l20 = (self._mean(red * blue) - mean_red * mean_blue) / pivot0
        rest = self._mean(green * green) - mean_green * mean_green - self._l10 * self._l10 * pivot0
        pivot1 = np.maximum(rest, 0) + np.float32(epsilon)
        cross = self._mean(green * blue) - mean_green * mean_blue - self._l20 * self._l10 * pivot0
        self._l21 = cross / pivot1
        rest = self._mean(blue * blue) - mean_blue * mean_blue
        rest -= self._l20 * self._l20 * pivot0 + self._l21 * self._l21 * pivot1
        pivot2 = np.maximum(rest, 0) + np.float32(epsilon)
        self._inverse_pivots = [1 / pivot0, 1 / pivot1, 1 / pivot2]

    def fit(self, alpha: Plane) -> list[Plane]:
        """Return the slopes for red, green and blue, and the offset, that give each pixel's alpha from its colour (0 to
        1).
        """
        mean = self._mean(alpha)
        red, green, blue = self._eliminated(alpha, mean)
        inverse0, inverse1, inverse2 = self._inverse_pivots
        blue *= inverse2
        green *= inverse1
        green -= self._l21 * blue
        red *= inverse0
        red -= self._l10 * green
        red -= self._l20 * blue
        for slope, middle in zip((red, green, blue), self._means, strict=True):
            mean -= slope * middle
        mean -= (red + green + blue) * np.float32(0.5)
        return [self._mean(plane) for plane in (red, green, blue, mean)]

    def explained(self, alpha: Plane) -> tuple[Plane, Plane]:
        """Return the variance of alpha in every window that its linear function of colour explains, and all of it."""
        mean = self._mean(alpha)
        variance = np.maximum(self._mean(alpha * alpha) - mean * mean, 0)
        parts = zip(self._eliminated(alpha, mean), self._inverse_pivots, strict=True)
        return np.asarray(sum(part * part * inverse for part, inverse in parts), dtype=np.float32), variance

    def smooth(self, alpha: Plane) -> Plane:
        """Apply the guided filter: alpha as the photo's colours suggest it."""
        *slopes, offset = self.fit(alpha)
        offset += (slopes[0] + slopes[1] + slopes[2]) * np.float32(0.5)
        for plane, slope in zip(self._channels, slopes, strict=True):
            offset += plane * slope
        return offset

    def _eliminated(self, alpha: Plane, mean: Plane) -> tuple[Plane, Plane, Plane]:
        """Return alpha's covariance with red, with green beyond red, and with blue beyond both."""
        red, green, blue = (
            self._mean(plane * alpha) - middle * mean for plane, middle in zip(self._channels, self._means, strict=True)
        )
        green -= self._l10 * red
        blue -= self._l20 * red + self._l21 * green
        return red, green, blue

    def _mean(self, plane: Plane) -> Plane:
        return np.asarray(cv2.blur(plane, self._window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


@dataclass(frozen=True)
class Level:
    """One step of the pyramid: `rounds` at `1 / divisor` of the finest size, with windows of `radius` px."""

    divisor: int
    rounds: int
    radius: int


@dataclass(frozen=True)
class Problem:
    """The known facts: `image` (height × width × 3, 0 to 1), the mask's `alpha` (0 to 1), the `fixed` pixels, and the
    `weight` by which alpha pulls elsewhere (1: as much as the neighbourhood's colours).
    """

    image: NDArray[np.float32]
    alpha: Plane
    weight: Plane
    fixed: NDArray[np.bool_]


FIXED: Final = np.float32(100)  # the weight of a fixed pixel


def solve(problem: Problem, levels: Sequence[Level], epsilon: float, deadline: Deadline) -> tuple[Plane, LocalColours]:
    """Return the matte, 0 to 1, of the problem's size, and its finest level's colours. Raises `DeadlineExceeded`."""
    height, width = problem.alpha.shape
    alpha: Plane = problem.alpha
    for level in levels:
        size = (max(1, width // level.divisor), max(1, height // level.divisor))
        image, target = _resized(problem.image, size), _resized(problem.alpha, size)
        fixed = _resized(problem.fixed.astype(np.float32), size) > 0.99  # a coarse pixel is fixed when all of it is
        weight = np.where(fixed, FIXED, _resized(problem.weight, size))
        colours = LocalColours(image, level.radius, epsilon)
        start = np.where(fixed, target, _resized(alpha, size)).astype(np.float32)
        alpha = _conjugate_gradients(colours, weight, target, start, level.rounds, deadline)
        alpha = np.where(fixed, target, np.clip(alpha, 0, 1)).astype(np.float32)
    return alpha, colours


def _conjugate_gradients(
    colours: LocalColours, weight: Plane, target: Plane, alpha: Plane, rounds: int, deadline: Deadline
) -> Plane:
    """Solve (1 − guided filter + weight) · alpha = weight · target, from a start that is already close."""
    precondition = np.float32(1) / (1 + weight)
    residual = weight * (target - alpha) - alpha + colours.smooth(alpha)
    scaled = precondition * residual
    direction = scaled.copy()
    power = float(np.vdot(residual, scaled))
    for _ in range(rounds):
        deadline.check()
        image = (1 + weight) * direction - colours.smooth(direction)
        step = np.float32(power / max(float(np.vdot(direction, image)), 1e-12))
        alpha += step * direction
        residual -= step * image
        scaled = precondition * residual
        before, power = power, float(np.vdot(residual, scaled))
        direction *= np.float32(power / max(before, 1e-12))
        direction += scaled
    return alpha


def _resized(array: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    if size == (array.shape[1], array.shape[0]):
        return array.copy()
    smaller = size[0] <= array.shape[1] and size[1] <= array.shape[0]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(array, size, interpolation=interpolation), dtype=np.float32)
