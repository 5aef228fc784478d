"""Placing, resizing and layering cut-outs."""

import numpy as np

from services.imaging.blend import cover, gradient, on_grey, over, place, place_matte, resize_cutout
from services.imaging.geometry import Box
from services.imaging.layout import Layout
from services.imaging.rasters import Matte, Photo, Pixels
from services.imaging.values import Gradient

RED, GREEN = (200, 0, 0), (0, 200, 0)


def half_cut(height: int = 40, width: int = 60) -> tuple[Pixels, Matte]:
    """An opaque red left half, and a transparent green right half."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = RED, GREEN
    alpha = np.zeros((height, width), np.uint8)
    alpha[:, : width // 2] = 255
    return pixels, alpha


def test_hidden_pixels_become_grey() -> None:
    pixels, alpha = half_cut()
    found = on_grey(Photo(pixels, alpha))
    assert (found[:, :30] == RED).all()
    assert (found[:, 30:] == 128).all()


def test_transparent_colour_does_not_bleed_into_a_resized_edge() -> None:
    pixels, alpha = half_cut(40, 66)
    small, weight = resize_cutout(pixels, alpha, (21, 13))
    soft = (weight > 0) & (weight < 255)
    assert soft.any()
    assert (small[..., 1] == 0).all()
    assert np.abs(small[soft][:, 0].astype(int) - 200).max() <= 1


def test_hidden_colours_survive_a_resize_only_on_request() -> None:
    pixels, alpha = half_cut()
    assert (resize_cutout(pixels, alpha, (30, 20))[0][:, -5:] == 0).all()
    assert (resize_cutout(pixels, alpha, (30, 20), keep_hidden=True)[0][:, -5:] == GREEN).all()


def test_part_is_placed_on_a_transparent_canvas() -> None:
    pixels, alpha = half_cut()
    layout = Layout(50, 30, Box(0, 0, 20, 10), Box(5, 7, 20, 10))
    placed, placed_alpha = place(pixels, alpha, layout)
    assert placed_alpha[7:17, 5:25].min() == 255
    assert int(placed_alpha.astype(int).sum()) == 20 * 10 * 255
    assert (placed[7:17, 5:25] == RED).all()
    assert np.array_equal(place_matte(alpha, layout), placed_alpha)


def test_covering_photo_is_cut_to_its_middle() -> None:
    pixels = np.zeros((30, 90, 3), np.uint8)
    pixels[:, 30:60] = RED
    assert (cover(Photo(pixels), (30, 30)).pixels == RED).all()
    assert cover(Photo(pixels), (45, 60)).pixels.shape == (60, 45, 3)


def test_over_mixes_by_alpha_and_keeps_opaque_pixels() -> None:
    pixels, alpha = half_cut(4, 6)
    alpha[0] = 128
    under = np.full_like(pixels, 100)
    mixed, mixed_alpha = over(pixels, alpha, under, None)
    assert mixed_alpha is None
    assert (mixed[1:, :3] == RED).all()
    assert (mixed[1:, 3:] == 100).all()
    assert np.abs(mixed[0, 0].astype(int) - (150, 50, 50)).max() <= 1
    _, half = over(pixels, alpha, under, np.full_like(alpha, 128))
    assert half is not None
    # 128 + (255 - 128) * 128 / 255
    assert half[0].tolist() == [192] * 6


def test_gradient_runs_from_the_first_colour_to_the_second_as_in_css() -> None:
    black, white = (0, 0, 0, 255), (255, 255, 255, 255)
    down = gradient((3, 256), Gradient(180, black, white))
    assert np.array_equal(down, np.repeat(np.arange(256, dtype=np.uint8), 9).reshape(256, 3, 3))
    assert np.array_equal(gradient((3, 256), Gradient(0, black, white)), down[::-1])
    assert np.array_equal(gradient((256, 3), Gradient(90, black, white)), down.transpose(1, 0, 2))
    # At 45° the colours are in the corners, and the middle is halfway.
    slanted = gradient((301, 201), Gradient(45, (10, 20, 30, 255), (200, 100, 30, 255)))
    assert np.abs(slanted[-1, 0].astype(int) - (10, 20, 30)).max() <= 1
    assert np.abs(slanted[0, -1].astype(int) - (200, 100, 30)).max() <= 1
    assert tuple(slanted[100, 150]) == (105, 60, 30)
