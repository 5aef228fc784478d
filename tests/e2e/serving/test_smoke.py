"""Smoke test: upload an image over HTTP and get a cutout of the same size."""

import io

import requests
from PIL import Image

from tests.support.gunicorn import Gunicorn


def test_upload_returns_a_transparent_png(server: Gunicorn, jpeg: bytes) -> None:
    answer = requests.post(f"{server.url}/remove-background", files={"file": ("me.jpg", jpeg)}, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.mode == "RGBA"
        assert image.size == (512, 512)
        assert image.getchannel("A").getextrema() == (0, 255)
