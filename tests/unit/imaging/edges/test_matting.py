"""Mattes that follow the photo's colours."""

import numpy as np
import pytest

from services.capacity.deadline import Deadline
from services.errors import DeadlineExceeded
from services.imaging.edges.matting import Level, LocalColours, Problem, solve
from services.imaging.rasters import Plane

EPSILON = 1e-6
LEVELS = (Level(2, 8, 3), Level(1, 8, 3))


def two_colours(size: int = 48) -> tuple[Plane, Plane]:
    """A photo of two colours with a straight edge at 20 px, and its exact alpha."""
    truth = np.zeros((size, size), np.float32)
    truth[:, 20:] = 1
    red, blue = np.array([0.9, 0.2, 0.1], np.float32), np.array([0.1, 0.3, 0.8], np.float32)
    return truth[..., None] * red + (1 - truth[..., None]) * blue, truth


def blurred_problem() -> tuple[Problem, Plane]:
    """A mask whose edge is a ramp of 12 px; the pixels beyond it are fixed."""
    image, truth = two_colours()
    ramp = np.clip((np.arange(48, dtype=np.float32) - 14) / 12, 0, 1)
    alpha = np.tile(ramp, (48, 1)).astype(np.float32)
    fixed = (alpha == 0) | (alpha == 1)
    return Problem(image, alpha, np.full_like(alpha, 0.003), fixed), truth


def test_matte_follows_the_photos_edge() -> None:
    problem, truth = blurred_problem()
    found, _ = solve(problem, LEVELS, EPSILON, Deadline())
    assert np.abs(problem.alpha - truth).max() > 0.4
    assert np.abs(found - truth).max() < 0.1


def test_fixed_pixels_keep_their_alpha() -> None:
    problem, _ = blurred_problem()
    found, _ = solve(problem, LEVELS, EPSILON, Deadline())
    assert np.array_equal(found[problem.fixed], problem.alpha[problem.fixed])
    assert found.min() >= 0
    assert found.max() <= 1


def test_linear_function_of_colour_is_fitted_exactly() -> None:
    image = np.random.default_rng(1).random((32, 32, 3)).astype(np.float32)
    alpha = 0.5 * image[..., 0] - 0.3 * image[..., 1] + 0.2 * image[..., 2] + 0.25
    colours = LocalColours(image, 4, EPSILON)
    red, green, blue, offset = (float(plane[16, 16]) for plane in colours.fit(alpha))
    np.testing.assert_allclose((red, green, blue, offset), (0.5, -0.3, 0.2, 0.25), atol=1e-3)
    np.testing.assert_allclose(colours.smooth(alpha), alpha, atol=1e-3)


def test_flat_colour_gives_the_mean_of_alpha() -> None:
    colours = LocalColours(np.full((20, 20, 3), 0.4, np.float32), 2, EPSILON)
    alpha = np.zeros((20, 20), np.float32)
    alpha[10, 10] = 1
    smooth = colours.smooth(alpha)
    # Two box means of 5×5 px, one after the other.
    assert smooth[10, 10] == pytest.approx(1 / 25, abs=1e-5)
    assert smooth.sum() == pytest.approx(1, abs=1e-3)


def test_expired_deadline_stops_the_solution() -> None:
    problem, _ = blurred_problem()
    with pytest.raises(DeadlineExceeded):
        solve(problem, LEVELS, EPSILON, Deadline(0))
