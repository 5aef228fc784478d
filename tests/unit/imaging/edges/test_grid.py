"""Cells of a picture, and the tiles that hold marked ones."""

import numpy as np

from services.imaging.edges.grid import TILE, Cells, around


def test_grid_has_about_the_wanted_cells_along_the_longer_side() -> None:
    assert Cells.about(1000, 500, 100) == Cells(1000, 500, 10)
    assert Cells.about(1000, 500, 100).size == (100, 50)
    # A cell is neither less than a pixel nor larger than the shorter side.
    assert Cells.about(50, 20, 400).side == 1
    assert Cells.about(900, 3, 10).side == 3


def test_means_are_those_of_whole_cells() -> None:
    picture = np.zeros((5, 9), np.uint8)
    picture[:4, :4] = np.arange(16).reshape(4, 4) * 10
    means = Cells(9, 5, 4).means(picture)
    assert means.shape == (1, 2)
    np.testing.assert_allclose(means, [[75 / 255, 0]], rtol=1e-5)


def test_marked_pixel_in_a_cut_off_cell_is_found() -> None:
    mark = np.zeros((10, 11), np.uint8)
    mark[9, 10] = 1
    mark[3, 4] = 7
    found = Cells(11, 10, 4).holding(mark)
    assert found.shape == (3, 3)
    assert np.argwhere(found).tolist() == [[0, 1], [2, 2]]


def test_mark_of_a_cut_off_cell_goes_to_the_whole_one_beside_it() -> None:
    cells = Cells(11, 10, 4)
    for at, whole in ({(0, 0): (0, 0), (9, 1): (1, 0), (1, 10): (0, 1), (9, 10): (1, 1)}).items():
        mark = np.zeros((10, 11), np.uint8)
        mark[at] = 1
        found = cells.whole(cells.holding(mark))
        assert found.shape == (2, 2)
        assert np.argwhere(found).tolist() == [list(whole)]


def test_cells_values_fill_the_picture_and_the_last_ones_reach_its_edge() -> None:
    picture = Cells(11, 10, 4).filled(np.array([[1, 2], [3, 4]], np.uint8))
    assert picture.shape == (10, 11)
    assert (picture[:4, :4] == 1).all()
    assert (picture[:4, 4:] == 2).all()
    assert (picture[4:, :4] == 3).all()
    assert (picture[4:, 4:] == 4).all()


def test_tiles_cover_each_marked_pixel_once_and_skip_the_rest() -> None:
    width, height = 3 * TILE + 5, 2 * TILE
    mark = np.zeros((height, width), np.uint8)
    mark[10, 10] = mark[height - 1, width - 1] = mark[TILE, TILE] = 1
    cells = Cells(width, height, 8)
    seen = np.zeros_like(mark)
    tiles = list(cells.tiles(cells.holding(mark)))
    assert len(tiles) == 3
    for tile in tiles:
        seen[tile.pixels] += 1
    assert (seen[mark > 0] == 1).all()
    assert seen.max() == 1
    # One cell each; the last cell is cut off at the right.
    assert int(seen.sum()) == 2 * 8 * 8 + 8 * (width % 8)


def test_grown_values_are_bilinear_between_the_cells() -> None:
    cells = Cells(40, 24, 4)
    ramp = np.tile(np.arange(10, dtype=np.float32), (6, 1))
    (tile,) = cells.tiles(np.ones((6, 10), np.bool_))
    grown = tile.grown(cells.pad(ramp))
    assert grown.shape == (24, 40)
    # The middle of cell n is at 4n + 1.5.
    expected = np.clip((np.arange(40) - 1.5) / 4, 0, 9)
    np.testing.assert_allclose(grown, np.tile(expected, (24, 1)), atol=1e-5)


def test_values_of_a_block_of_cells_are_padded_to_those_of_all() -> None:
    cells = Cells(40, 24, 4)
    values = np.arange(60, dtype=np.float32).reshape(6, 10)
    for block in ((slice(2, 5), slice(4, 9)), (slice(2, 50), slice(0, 12)), (slice(None), slice(None))):
        whole, part = cells.pad(values), cells.pad(values[block], block)
        assert part.shape == whole.shape
        inside = np.zeros((6, 10), np.bool_)
        inside[block] = True
        assert np.array_equal(part[1:-2, 1:-2][inside], values[inside])


def test_rectangle_around_marks_has_a_margin_and_starts_at_even_cells() -> None:
    marked = np.zeros((40, 30), np.bool_)
    marked[20, 9] = marked[22, 12] = True
    assert around(marked, 3) == (slice(16, 26), slice(6, 16))
    assert marked[around(marked, 50)].shape == marked.shape
    assert around(np.zeros((4, 4), np.bool_), 3) == (slice(None), slice(None))
