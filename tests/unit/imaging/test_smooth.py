"""Post-processing of masks, against rembg's own recipe (2.0.86) written out."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from skimage.filters import gaussian
from skimage.morphology import disk, opening

from services.capacity.deadline import Deadline
from services.imaging.decode import Photo
from services.imaging.options import Edges, Options
from services.imaging.refine import refine
from services.imaging.segment import RembgSegmenter, segment
from services.imaging.smooth import smooth


def test_the_mask_is_what_rembg_makes_of_it(photo: Callable[[str], Image.Image], segmenter: RembgSegmenter) -> None:
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
