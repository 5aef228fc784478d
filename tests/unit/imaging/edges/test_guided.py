"""A matte that follows the photo's colours where beliefs are unsure."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.capacity.deadline import Deadline
from services.errors import DeadlineExceeded
from services.imaging.edges.grid import Cells
from services.imaging.edges.guided import GRIP, PASSES, REFINED, Beliefs, GridPhoto, Keep, follow, grip, passes
from services.imaging.options import Edges
from services.imaging.rasters import Plane


def edge_photo() -> tuple[GridPhoto, Beliefs]:
    """A photo of 120×80 px, red from column 50 on, and beliefs that are unsure from column 30 to 70."""
    pixels = np.full((80, 120, 3), (30, 60, 200), np.uint8)
    pixels[:, 50:] = (200, 50, 30)
    photo = GridPhoto.about(pixels, 60)
    columns = np.arange(60) * 2
    unsure = np.tile((columns >= 30) & (columns < 70), (40, 1))
    alpha = np.tile(np.where(columns < 30, 0.1, np.where(columns < 70, 0.5, 0.9)), (40, 1)).astype(np.float32)
    return photo, Beliefs(alpha, unsure, np.full((40, 60), 0.003, np.float32))


def unchanged(_alpha: Plane) -> Keep:
    return lambda _tile, matte: matte


def test_unsure_pixels_follow_their_colours_and_others_are_zero_or_full() -> None:
    photo, beliefs = edge_photo()
    assert (photo.cells.size, photo.cells.side) == ((60, 40), 2)
    matte = follow(photo, beliefs, REFINED.levels, unchanged, Deadline())
    truth = np.where(np.arange(120) < 50, 0, 255)
    assert np.abs(matte.astype(int) - truth).max() <= 3
    assert set(np.unique(matte[:, np.r_[0:30, 70:120]])) == {0, 255}


def test_tiles_can_be_taken_back() -> None:
    def instead(_alpha: Plane) -> Keep:
        return lambda _tile, found: np.full_like(found, 77)

    matte = follow(*edge_photo(), REFINED.levels, instead, Deadline())
    assert set(np.unique(matte)) == {0, 77, 255}


def test_deadline_is_checked_between_rounds() -> None:
    with pytest.raises(DeadlineExceeded):
        follow(*edge_photo(), REFINED.levels, unchanged, Deadline(0))


def test_certainty_is_kept_firmly_and_one_half_not_at_all() -> None:
    levels: NDArray[np.uint8] = np.arange(256, dtype=np.uint8)[None]
    held = grip(levels)[0]
    assert held[0] == held[255] == np.float32(GRIP)
    assert held[128] < 1e-9
    assert (np.diff(held[128:]) > 0).all()


def test_matting_begins_as_refined_does() -> None:
    assert PASSES[Edges.MATTING][0] == PASSES[Edges.REFINED][0]
    assert Edges.SOFT not in PASSES


@pytest.mark.parametrize("edges", [Edges.REFINED, Edges.MATTING])
def test_a_photo_is_first_solved_on_200_to_500_cells_along_its_longer_side(edges: Edges) -> None:
    for longer in range(300, 5001):
        cells = Cells.about(longer, longer, passes(edges, longer)[0].side)
        assert 200 <= max(cells.size) <= 500, longer


def test_cells_of_two_pixels_have_windows_of_as_many_pixels() -> None:
    def windows(longer: int) -> list[int]:
        (only,) = passes(Edges.REFINED, longer)
        side = Cells.about(longer, longer, only.side).side
        return [level.radius * level.divisor * side for level in only.levels]

    assert windows(400) == [18, 8]
    assert windows(401) == windows(599) == [16, 8]
