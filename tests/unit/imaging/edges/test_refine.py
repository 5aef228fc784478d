"""Mattes guided by the photo: on drawn subjects whose alpha is known, on real photographs, and on odd shapes."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.filters import gaussian
from skimage.morphology import disk, opening

from services.capacity.deadline import Deadline
from services.errors import DeadlineExceeded
from services.imaging.edges import guided
from services.imaging.edges.refine import refine, smooth
from services.imaging.options import Edges, Options
from services.imaging.rasters import Photo
from services.imaging.segment import segment
from services.inference.segmenter import RembgSegmenter

Load = Callable[[str], Image.Image]
Floats = NDArray[np.float32]


def led(mask: NDArray[np.uint8], pixels: NDArray[np.uint8], edges: str) -> NDArray[np.uint8]:
    return refine(mask, Photo(pixels), Options.parse({"edges": edges}), Deadline())


def small(alpha: Floats, side: int = 320) -> NDArray[np.uint8]:
    """What a model with little resolution would answer: blurred, and a pixel off."""
    seen = cv2.GaussianBlur(cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    shifted = cv2.warpAffine(seen, np.array([[1, 0, 1], [0, 1, 1]], np.float32), (side, side))
    return np.asarray(np.rint(shifted * 255), dtype=np.uint8)


def picture(alpha: Floats) -> NDArray[np.uint8]:
    """A striped red subject on a bluish ground that changes slowly, with a little noise."""
    height, width = alpha.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    subject = np.dstack([190 + 30 * np.sin(x / 9), 60 + 20 * np.sin(y / 7), 50 + 0 * x])
    ground = np.dstack([40 + 30 * x / width, 90 + 40 * y / height, 170 + 0 * x])
    mixed = subject * alpha[..., None] + ground * (1 - alpha[..., None])
    noise = np.random.default_rng(1).normal(0, 1.5, mixed.shape)
    return np.asarray(np.clip(np.rint(mixed + noise), 0, 255), dtype=np.uint8)


def hairy_disc(width: int = 1200, height: int = 900) -> Floats:
    """A disc with strands of one or two px that stand out from it."""
    fine = np.zeros((height * 2, width * 2), np.uint8)
    centre = np.array([width, height])
    cv2.circle(fine, (width, height), height // 2, 255, -1)
    for angle in np.linspace(0, 2 * np.pi, 90, endpoint=False):
        reach = height // 2 + 60 + 40 * np.sin(5 * angle)
        tip = centre + reach * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(fine, tuple(map(int, centre)), (round(tip[0]), round(tip[1])), 255, 3)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA) / 255.0, dtype=np.float32)


@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_edges_come_out_where_the_photo_has_them_and_not_where_the_mask_does(edges: str) -> None:
    alpha = hairy_disc()
    mask, pixels = small(alpha), picture(alpha)
    band = cv2.dilate(((alpha > 0) & (alpha < 1)).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    error = {how: float(np.abs(led(mask, pixels, how) / 255 - alpha)[band].mean()) for how in ("soft", edges)}
    assert error[edges] < 0.35 * error["soft"]


def test_a_small_photos_matte_is_half_its_mask_and_certainty_stays() -> None:
    """The same picture at 400 px and at 800 px: the mask's part in the matte is one half, and none."""
    moved = {}
    for width in (400, 800):
        sized = cv2.resize(hairy_disc(), (width, width * 3 // 4), interpolation=cv2.INTER_AREA)
        alpha = np.asarray(sized, dtype=np.float32)
        mask, pixels = small(alpha), picture(alpha)
        soft, matte = led(mask, pixels, "soft"), led(mask, pixels, "refined")
        band = (soft > 20) & (soft < 235)
        moved[width] = float(np.abs(matte.astype(int) - soft)[band].mean())
        deep = np.ones((25, 25), np.uint8)
        assert (matte[cv2.erode((soft == 255).astype(np.uint8), deep) > 0] == 255).all()
        assert (matte[cv2.erode((soft == 0).astype(np.uint8), deep) > 0] == 0).all()
    assert 0.4 * moved[800] < moved[400] < 0.6 * moved[800]


@pytest.mark.slow
@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_solving_only_around_the_edge_gives_what_solving_all_gives(monkeypatch: pytest.MonkeyPatch, edges: str) -> None:
    alpha = np.zeros((900, 1200), np.float32)
    alpha[100:500, 200:600] = hairy_disc(400, 400)
    mask, pixels = small(alpha), picture(alpha)
    around = led(mask, pixels, edges)
    monkeypatch.setattr(guided, "MARGIN", max(alpha.shape))
    difference = np.abs(around.astype(int) - led(mask, pixels, edges))
    assert difference.mean() < 0.1
    assert (difference > 4).mean() < 0.001


def test_matting_error_does_not_exceed_that_of_refined() -> None:
    alpha = hairy_disc()
    mask, pixels = small(alpha), picture(alpha)
    error = {how: np.abs(led(mask, pixels, how) / 255 - alpha).mean() for how in ("refined", "matting")}
    assert error["matting"] <= error["refined"] * 1.02


@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_a_thin_gap_and_a_hole_stay_open(edges: str) -> None:
    alpha = np.zeros((900, 1200), np.float32)
    alpha[200:700, 300:590] = alpha[200:700, 610:900] = 1.0
    alpha[400:430, 400:430] = 0.0
    mask, pixels = small(alpha), picture(alpha)
    matte = led(mask, pixels, edges)
    for rows, columns in ((slice(300, 600), slice(597, 603)), (slice(407, 423), slice(407, 423))):
        assert matte[rows, columns].mean() < 36
    assert matte[300:380, 400:500].min() == 255


@pytest.mark.slow
@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_certain_areas_become_fully_opaque_or_transparent(edges: str, photo: Load, segmenter: RembgSegmenter) -> None:
    for name in ("astronaut", "coffee"):
        pixels = np.asarray(photo(name))
        mask = segment(Photo(pixels), segmenter, Deadline())
        matte = led(mask, pixels, edges)
        size = (pixels.shape[1], pixels.shape[0])
        for value, sure in ((255, mask > 252), (0, mask < 3)):
            deep = cv2.erode(sure.astype(np.uint8), np.ones((11, 11), np.uint8))
            inside = cv2.resize(deep, size, interpolation=cv2.INTER_NEAREST) > 0
            assert inside.any()
            assert (matte[inside] == value).all()


@pytest.mark.slow
def test_refinement_keeps_nearly_all_certain_pixels(photo: Load, segmenter: RembgSegmenter) -> None:
    for name in ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket"):
        pixels = np.asarray(photo(name))
        mask = segment(Photo(pixels), segmenter, Deadline())
        soft, refined = led(mask, pixels, "soft"), led(mask, pixels, "refined")
        subject = (soft > 128).sum()
        assert ((soft > 204) & (refined < 102)).sum() < 0.02 * subject, name
        assert ((soft < 51) & (refined > 153)).sum() < 0.02 * subject, name


def camouflage(width: int = 800, height: int = 600) -> tuple[Floats, NDArray[np.uint8], NDArray[np.uint8]]:
    """An ellipse with the colours of its ground, and a mask that finds it but is less sure of one of its sides."""
    noise = np.random.default_rng(1).normal(0, 1, (height, width, 3)).astype(np.float32)
    pixels = np.clip(110 + 400 * cv2.GaussianBlur(noise, (0, 0), 6), 0, 255).astype(np.uint8)
    alpha, side = (np.zeros((height, width), np.float32) for _ in range(2))
    cv2.ellipse(alpha, (width // 2, height // 2), (220, 140), 0, 0, 360, 1, -1)
    cv2.ellipse(side, (width // 2 + 160, height // 2), (60, 110), 0, 0, 360, 1, -1)
    body, unsure = (
        cv2.GaussianBlur(cv2.resize(shape, (320, 320), interpolation=cv2.INTER_AREA), (0, 0), sigma)
        for shape, sigma in ((alpha, 3), (side, 6))
    )
    return alpha, np.rint(255 * body * (1 - 0.25 * unsure)).astype(np.uint8), pixels


@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_subject_with_the_colours_of_its_ground_is_kept(edges: str) -> None:
    alpha, mask, pixels = camouflage()
    truth = alpha > 0.5
    overlap = {}
    for how in ("soft", edges):
        found = led(mask, pixels, how) > 127
        overlap[how] = (found & truth).sum() / (found | truth).sum()
    assert overlap["soft"] > 0.98
    assert overlap[edges] > overlap["soft"] - 0.01


@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_edges_of_a_small_photo_come_nearer_to_the_truth(edges: str) -> None:
    alpha = hairy_disc(400, 300)
    mask, pixels = small(alpha), picture(alpha)
    error = {how: float(np.abs(led(mask, pixels, how) / 255 - alpha).mean()) for how in ("soft", edges)}
    assert error[edges] < error["soft"]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["noise", "flat", "ramp"]),
    st.sampled_from(["refined", "matting"]),
)
def test_any_shape_and_any_picture_gives_a_matte_of_its_size(width: int, height: int, kind: str, edges: str) -> None:
    rng = np.random.default_rng(width * 100 + height)
    masks = {
        "noise": rng.integers(0, 256, (320, 320)),
        "flat": np.full((320, 320), rng.integers(0, 256)),
        "ramp": np.tile(np.linspace(0, 255, 320), (320, 1)),
    }
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    matte = led(masks[kind].astype(np.uint8), pixels, edges)
    assert matte.shape == (height, width)
    assert matte.dtype == np.uint8


@pytest.mark.parametrize("size", [(17, 2400), (2400, 17), (1, 5000), (3001, 1999)])
@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_very_thin_and_odd_sizes_are_fine(edges: str, size: tuple[int, int]) -> None:
    ramp = np.tile(np.linspace(0, 255, 320).astype(np.uint8), (320, 1))
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    assert led(ramp, pixels, edges).shape == (size[1], size[0])


def test_a_mask_without_doubt_is_a_hard_matte_and_an_empty_one_stays_empty() -> None:
    pixels = np.full((200, 300, 3), 90, np.uint8)
    assert (led(np.zeros((320, 320), np.uint8), pixels, "refined") == 0).all()
    assert (led(np.full((320, 320), 255, np.uint8), pixels, "refined") == 255).all()


def test_a_deadline_ends_it() -> None:
    alpha = hairy_disc()
    with pytest.raises(DeadlineExceeded):
        refine(small(alpha), Photo(picture(alpha)), Options.parse({"edges": "matting"}), Deadline(0.0))


def test_soft_edges_are_the_mask_resized_and_nothing_else() -> None:
    alpha = hairy_disc(400, 300)
    mask = small(alpha)
    expected = cv2.resize(mask, (400, 300), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(led(mask, picture(alpha), "soft"), expected)


@pytest.mark.slow
def test_mask_equals_rembgs(photo: Callable[[str], Image.Image], segmenter: RembgSegmenter) -> None:
    for name in ("astronaut", "chelsea", "coffee"):
        picture = Photo(np.asarray(photo(name)))
        mask = segment(picture, segmenter, Deadline())
        matte = refine(mask, picture, Options(edges=Edges.SOFT), Deadline())
        opened = opening(matte, disk(1)).astype(np.float64)
        expected = np.where(gaussian(opened, sigma=2, mode="reflect", preserve_range=True) < 127, 0, 255)
        found = smooth(matte, None)
        assert set(np.unique(found)) == {0, 255}
        assert np.mean(found != expected) < 0.0001


def test_specks_vanish_and_the_photos_own_transparency_stays() -> None:
    matte = np.zeros((40, 40), np.uint8)
    matte[10:30, 10:30] = 200
    matte[2, 2] = 255
    own = np.full((40, 40), 255, np.uint8)
    own[:, 20:] = 100
    found = smooth(matte, own)
    assert found[2, 2] == 0
    assert (found[20, 15], found[20, 25]) == (255, 100)
