"""How far the photo's colours are trusted: fully at a real edge, not at all where subject and ground look the same."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.edges.grid import Cells
from services.imaging.edges.trust import HIGHEST, LOWEST, guard, unexplained
from services.imaging.rasters import Mask, Plane

SIDE = 160


def disc_mask(side: int = SIDE) -> Mask:
    """A disc with a soft outline."""
    mask = cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), side // 4, 255, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 2), dtype=np.uint8)


def outline(mask: Mask) -> NDArray[np.bool_]:
    return np.asarray((mask > 60) & (mask < 195))


def texture() -> Plane:
    """Noise of the same colours everywhere."""
    noise = np.random.default_rng(3).random((SIDE, SIDE, 3)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), dtype=np.float32)


def test_colours_that_differ_are_trusted() -> None:
    mask = disc_mask()
    alpha = mask[..., None].astype(np.float32) / 255
    image = alpha * np.array([0.8, 0.3, 0.2], np.float32) + (1 - alpha) * np.array([0.2, 0.3, 0.7], np.float32)
    assert unexplained(mask, np.asarray(image, dtype=np.float32))[outline(mask)].max() < 0.1


def test_colours_that_are_equal_are_not_trusted() -> None:
    mask = disc_mask()
    flat: Plane = np.full((SIDE, SIDE, 3), 0.4, np.float32)
    assert unexplained(mask, flat)[outline(mask)].min() > 0.99
    assert unexplained(mask, texture())[outline(mask)].mean() > 0.7


def test_matte_goes_back_to_the_mask_only_where_colours_are_not_trusted() -> None:
    mask = disc_mask()
    # Colours explain the mask in the left half alone.
    alpha = mask[..., None].astype(np.float32) / 255
    image = np.asarray(np.repeat(alpha, 3, axis=2), dtype=np.float32)
    image[:, SIDE // 2 :] = texture()[:, SIDE // 2 :]
    cells = Cells.about(SIDE, SIDE, SIDE)
    guided = np.zeros_like(mask)
    (tile, *_) = cells.tiles(np.ones((SIDE, SIDE), np.bool_))
    kept = guard(mask, mask, image, cells).keep(tile, guided[tile.pixels])
    rows, columns = tile.pixels
    free = (mask > 60) & (mask < 195)
    left, right = free.copy(), free.copy()
    left[:, 60:] = False
    right[:, :100] = False
    left, right = left[rows, columns], right[rows, columns]
    assert np.array_equal(kept[left], guided[rows, columns][left])
    near_mask = np.abs(kept.astype(int) - mask[rows, columns])[right].mean()
    assert near_mask < 0.3 * np.abs(guided[rows, columns].astype(int) - mask[rows, columns])[right].mean()


def test_mask_bounds_the_matte_more_as_it_is_surer() -> None:
    assert (LOWEST[255], HIGHEST[255]) == (255, 255)
    assert (LOWEST[0], HIGHEST[0]) == (0, 0)
    assert (LOWEST[128], HIGHEST[128]) == (0, 255)
    assert (np.diff(LOWEST.astype(int)) >= 0).all()
    assert (np.diff(HIGHEST.astype(int)) >= 0).all()


def test_photo_smaller_than_the_working_size_keeps_its_size() -> None:
    assert unexplained(disc_mask(), np.zeros((7, 40, 3), np.float32)).shape == (7, 40)
