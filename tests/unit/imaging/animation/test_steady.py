"""Masks that hold still where the picture does."""

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np

from services.imaging.animation.steady import REACH, Look, look_of, steadied
from services.imaging.rasters import Mask, Photo
from tests.support.pictures.animations import disc_frames, truth

Masks = list[Mask]


def clip(count: int = 12, step: int = 5, noise: float = 3.0) -> tuple[list[Photo], Masks]:
    """Photos of the moving disc, and masks of it that flicker along its edge."""
    generator = np.random.default_rng(5)
    photos = [Photo(np.asarray(frame)) for frame in disc_frames(count, step, noise)]
    masks = []
    for number in range(count):
        soft = cv2.GaussianBlur(truth(number, step), (0, 0), 2).astype(np.float64)
        wobble = cv2.GaussianBlur(np.asarray(generator.normal(0, 400, soft.shape)), (0, 0), 3)
        masks.append(np.clip(soft + wobble * (soft > 5) * (soft < 250), 0, 255).astype(np.uint8))
    return photos, masks


def flicker(masks: Masks, step: int) -> float:
    """The mean change of pixels whose truth does not change, near the disc."""
    changes = []
    for number, (one, other) in enumerate(pairwise(masks)):
        still = truth(number, step) == truth(number + 1, step)
        near = cv2.dilate(truth(number, step), np.ones((15, 15), np.uint8)) > 0
        changes.append(np.abs(one.astype(int) - other)[still & near].mean())
    return float(np.mean(changes))


def iou(masks: Masks, step: int) -> float:
    scores = []
    for number, mask in enumerate(masks):
        found, true = mask > 127, truth(number, step) > 0
        scores.append((found & true).sum() / (found | true).sum())
    return float(np.mean(scores))


def steady(photos: list[Photo], masks: Masks) -> Masks:
    return list(steadied(look_of(mask, photo) for photo, mask in zip(photos, masks, strict=True)))


def test_resting_disc_flickers_less_than_half_as_much() -> None:
    photos, masks = clip(step=0)
    after = steady(photos, masks)
    assert flicker(after, 0) < 0.5 * flicker(masks, 0)
    assert iou(after, 0) > iou(masks, 0)


def test_moving_disc_does_not_smear() -> None:
    photos, masks = clip(step=5)
    after = steady(photos, masks)
    assert iou(after, 5) >= iou(masks, 5)
    # Where the disc was, and where it comes: nothing is left, and nothing is there before.
    for number in range(2, 10):
        left = (truth(number - 1) > 0) & (cv2.dilate(truth(number), np.ones((9, 9), np.uint8)) == 0)
        assert not left.any() or after[number][left].max() <= masks[number][left].max()


def test_change_of_scene_leaves_masks_as_they_are() -> None:
    dark, bright = Photo(np.zeros((64, 96, 3), np.uint8)), Photo(np.full((64, 96, 3), 200, np.uint8))
    masks = [truth(0), truth(5)]
    after = steady([dark, bright], masks)
    assert all(np.array_equal(one, other) for one, other in zip(after, masks, strict=True))


def test_clips_of_any_length_keep_their_order() -> None:
    for count in (1, 2, 3, REACH, REACH + 1, 2 * REACH + 2):
        photos, masks = clip(count, step=9, noise=0)
        after = steady(photos, masks)
        assert len(after) == count
        assert iou(after, 9) > 0.85


def test_masks_of_different_sizes_are_compared() -> None:
    photos, masks = clip(3, step=0, noise=0)
    masks[1] = np.asarray(cv2.resize(masks[1], (192, 128)), dtype=np.uint8)
    assert [mask.shape for mask in steady(photos, masks)] == [(64, 96), (128, 192), (64, 96)]


def test_what_becomes_transparent_is_a_change() -> None:
    pixels, alpha = np.full((64, 96, 3), 90, np.uint8), np.full((64, 96), 255, np.uint8)
    gone = Photo(pixels, np.zeros_like(alpha))
    after = steady([Photo(pixels, alpha), gone], [truth(0), np.zeros_like(alpha)])
    assert np.array_equal(after[0], truth(0))
    assert not after[1].any()


def test_only_a_few_frames_are_held() -> None:
    photos, masks = clip(12)
    taken = 0

    def looks() -> Iterator[Look]:
        nonlocal taken
        for photo, mask in zip(photos, masks, strict=True):
            taken += 1
            yield look_of(mask, photo)

    stream = steadied(looks())
    next(stream)
    assert taken == REACH + 1
