"""Samples of JSON bodies."""

import base64
import io

from PIL import Image

from routes.openapi.samples import PICTURE, sample_body


def test_picture_that_is_sent_comes_before_a_url() -> None:
    assert sample_body({"properties": {"image_url": {}, "image": {}}}) == {"image": PICTURE}
    assert sample_body({"properties": {"image_url": {}}}) == {"image_url": "https://example.com/photo.jpg"}
    assert sample_body({}) == {}


def test_picture_is_a_whole_image() -> None:
    with Image.open(io.BytesIO(base64.b64decode(PICTURE, validate=True))) as image:
        assert image.convert("RGB").size == (32, 32)
