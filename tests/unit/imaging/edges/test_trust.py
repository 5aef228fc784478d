"""How far the photo's colours are trusted: fully at a real edge, not at all where subject and ground look the same."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.edges.grid import Cells
from services.imaging.edges.guided import GridPhoto
from services.imaging.edges.trust import SoftMatte, bounds, guard, unexplained
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
    photo = GridPhoto(np.zeros((SIDE, SIDE, 3), np.uint8), cells, image)
    kept = guard(SoftMatte(mask, mask, photo.cells.means(mask)), photo, guided.astype(np.float32)).keep(
        tile, guided[tile.pixels]
    )
    rows, columns = tile.pixels
    free = (mask > 60) & (mask < 195)
    left, right = free.copy(), free.copy()
    left[:, 60:] = False
    right[:, :100] = False
    left, right = left[rows, columns], right[rows, columns]
    assert np.array_equal(kept[left], guided[rows, columns][left])
    near_mask = np.abs(kept.astype(int) - mask[rows, columns])[right].mean()
    assert near_mask < 0.3 * np.abs(guided[rows, columns].astype(int) - mask[rows, columns])[right].mean()


def half_explaining(mask: Mask) -> GridPhoto:
    """A photo whose colours explain a part of the mask everywhere."""
    alpha = mask[..., None].astype(np.float32) / 255
    image = np.asarray(0.6 * texture() + 0.1 * alpha, dtype=np.float32)
    return GridPhoto(np.zeros((SIDE, SIDE, 3), np.uint8), Cells.about(SIDE, SIDE, SIDE), image)


def kept_all(mask: Mask, photo: GridPhoto, guided: Mask) -> Mask:
    soft = SoftMatte(mask, mask, photo.cells.means(mask))
    keep = guard(soft, photo, guided.astype(np.float32) / np.float32(255)).keep
    found = guided.copy()
    for tile in photo.cells.tiles(np.ones((SIDE, SIDE), np.bool_)):
        found[tile.pixels] = keep(tile, guided[tile.pixels])
    return found


def test_part_of_the_subject_that_colours_would_take_comes_back() -> None:
    mask = disc_mask()
    faint = np.asarray(mask * 0.7, dtype=np.uint8)
    eaten = faint.copy()
    eaten[60:100, 20:80] = 0
    there = (faint > 150) & (eaten == 0)
    assert kept_all(faint, half_explaining(mask), eaten)[there].mean() > 0.7 * faint[there].mean()


def test_edge_that_only_gets_sharper_stays() -> None:
    mask = disc_mask()
    photo = half_explaining(mask)
    assert 0.1 < np.median(unexplained(mask, photo.image)[outline(mask)]) < 0.7
    sharp = np.where(mask > 127, np.uint8(255), np.uint8(0))
    found, edge = kept_all(mask, photo, sharp), outline(mask)
    assert np.abs(found.astype(int) - sharp)[edge].mean() < 0.5 * np.abs(mask.astype(int) - sharp)[edge].mean()


def test_ground_that_colours_would_add_goes_and_hair_that_the_mask_has_seen_stays() -> None:
    gained = []
    for seen in (0, 80):
        mask = disc_mask()
        mask[70:90, 130:142] = seen
        more = mask.copy()
        more[70:90, 130:142] = 200
        gained.append(float(kept_all(mask, half_explaining(more), more)[70:90, 130:142].mean()))
    assert gained[0] < 60
    assert gained[1] > 150


def test_mask_bounds_the_matte_more_as_it_is_surer() -> None:
    lowest, highest = (np.clip(bound, 0, 255) for bound in bounds(np.arange(256, dtype=np.float32)))
    assert (lowest[255], highest[255]) == (255, 255)
    assert (lowest[0], highest[0]) == (0, 0)
    assert (lowest[127], highest[128]) == (0, 255)
    assert (np.diff(lowest) >= 0).all()
    assert (np.diff(highest) >= 0).all()


def test_photo_smaller_than_the_working_size_keeps_its_size() -> None:
    assert unexplained(disc_mask(), np.zeros((7, 40, 3), np.float32)).shape == (7, 40)
