"""A caller's trimap, its unknown pixels filled in by the photo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.capacity.deadline import Deadline
from services.errors import DeadlineExceeded
from services.imaging.edges.trimap import LEAST_MARGIN, UNKNOWN, fill_in
from services.imaging.options import Edges

GUIDED = (Edges.REFINED, Edges.MATTING)
Bytes = NDArray[np.uint8]


def stripes(width: int = 300, height: int = 200) -> tuple[Bytes, NDArray[np.float32], Bytes]:
    """Red bars of 7 px with soft edges on blue, their alpha, and a trimap that does not know a band of 30 rows."""
    x = np.tile(np.arange(width, dtype=np.float32), (height, 1))
    alpha = np.clip(4 - np.abs((x - 50) % 25 - 12.5), 0, 1)
    red, blue = np.array([200, 60, 40], np.float32), np.array([30, 80, 190], np.float32)
    colours = alpha[..., None] * red + (1 - alpha[..., None]) * blue
    noisy = colours + np.random.default_rng(2).normal(0, 2, colours.shape)
    trimap = np.where(alpha > 0.5, np.uint8(255), np.uint8(0))
    trimap[80:110] = UNKNOWN
    return np.clip(noisy, 0, 255).astype(np.uint8), alpha, trimap


@pytest.mark.parametrize("edges", GUIDED)
def test_unknown_pixels_follow_the_photo_and_sure_ones_stay(edges: Edges) -> None:
    pixels, alpha, trimap = stripes()
    matte = fill_in(trimap, pixels, edges, Deadline())
    sure = trimap != UNKNOWN
    assert np.array_equal(matte[sure], trimap[sure])
    assert np.abs(matte / 255 - alpha)[~sure].mean() < 0.05


@pytest.mark.parametrize("sure", [0, 255])
def test_trimap_without_an_unknown_pixel_is_returned_as_it_is(sure: int) -> None:
    trimap = np.full((40, 50), sure, np.uint8)
    assert np.array_equal(fill_in(trimap, stripes(50, 40)[0], Edges.REFINED, Deadline()), trimap)


def test_guess_pulls_the_more_the_surer_it_is() -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    means = []
    for guess in (UNKNOWN, 180, 230, 254):
        trimap = np.zeros((90, 120), np.uint8)
        trimap[30:60, 40:80] = guess
        means.append(float(fill_in(trimap, pixels, Edges.REFINED, Deadline())[30:60, 40:80].mean()))
    assert means == sorted(means)
    assert means[0] + 20 < means[-1]


def test_what_is_far_from_the_unknown_pixels_does_not_count() -> None:
    pixels, _, trimap = stripes()
    trimap[80:110, 70:] = trimap[80:110, :40] = 0
    elsewhere = pixels.copy()
    elsewhere[:, 70 + LEAST_MARGIN :] = 255 - elsewhere[:, 70 + LEAST_MARGIN :]
    first, second = (fill_in(trimap, photo, Edges.REFINED, Deadline()) for photo in (pixels, elsewhere))
    assert np.array_equal(first, second)


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 70), st.integers(16, 70), st.integers(0, 2**32 - 1), st.sampled_from(GUIDED))
def test_every_shape_keeps_its_sure_pixels(width: int, height: int, seed: int, edges: Edges) -> None:
    rng = np.random.default_rng(seed)
    trimap = rng.choice(np.array([0, 128, 200, 255], np.uint8), (height, width))
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    matte = fill_in(trimap, pixels, edges, Deadline())
    assert matte.shape == (height, width)
    assert matte.dtype == np.uint8
    assert np.array_equal(matte[trimap == 0], trimap[trimap == 0])
    assert np.array_equal(matte[trimap == 255], trimap[trimap == 255])


def test_deadline_is_kept() -> None:
    pixels, _, trimap = stripes()
    with pytest.raises(DeadlineExceeded):
        fill_in(trimap, pixels, Edges.REFINED, Deadline(0))
