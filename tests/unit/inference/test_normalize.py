"""The model's input: the same as rembg's, bit for bit."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from services.inference.calibration import calibration_photos
from services.inference.normalize import normalizer
from services.inference.runtime import rembg_class

# ImageNet's, and what BRIA's and BiRefNet's sessions pass.
MEANS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
PICTURES = {
    "photo": calibration_photos()[0],
    "dark": calibration_photos()[1].point(lambda level: level // 3),
    "black": Image.new("RGB", (40, 30)),
    "grey": calibration_photos()[2].convert("L"),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize(("mean", "std"), MEANS, ids=["imagenet", "half"])
@pytest.mark.parametrize("size", [(64, 48), (320, 320)], ids=str)
def test_the_feed_is_that_of_rembg(
    picture: Image.Image, mean: tuple[float, ...], std: tuple[float, ...], size: tuple[int, int]
) -> None:
    inner = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name="input.1")])
    theirs = rembg_class("u2netp").normalize(SimpleNamespace(inner_session=inner), picture, mean, std, size)
    ours = normalizer(inner)(picture, mean, std, size)
    assert ours.keys() == theirs.keys() == {"input.1"}
    assert ours["input.1"].dtype == theirs["input.1"].dtype == np.float32
    assert np.array_equal(ours["input.1"], theirs["input.1"])
