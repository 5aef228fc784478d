"""A request becomes an image and its options, however the image is sent."""

import base64
import io
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from routes.http.context import EXTENSION
from routes.http.fields import CALLBACK_URL
from routes.http.requests import Upload, fetch, read_base64_upload, read_upload
from services.capacity.admission import Bodies
from services.capacity.deadline import Deadline
from services.errors import (
    BadBase64,
    BadOption,
    BadRequest,
    Busy,
    ConflictingOptions,
    EmptyImage,
    MissingImage,
    MultipleImages,
    ServiceError,
    UnknownOption,
    UploadTooLarge,
)
from services.imaging.errors import UnsupportedFormat
from services.imaging.formats import Format
from services.net.client import PSEUDONYM
from services.net.errors import BadURL, ForbiddenSource
from services.net.fetch import Fetched

URL = "https://example.com/cat.jpg"
# As Gunicorn passes on a body that ended early.
CUT_OFF = {"CONTENT_LENGTH": "9", "wsgi.input_terminated": True}


class Web:
    """Stands in for the web: any URL answers with its own text, in 5 ms. `asked` lists the URLs."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fetch(self, url: str, _deadline: Deadline, _max_bytes: int | None = None) -> Fetched:
        self.asked.append(url)
        return Fetched(url.encode(), url.rpartition("/")[2], 5.0)


class Admission:
    full = False

    def refuse_when_full(self) -> None:
        if self.full:
            raise Busy("full")


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def app(web: Web) -> Flask:
    """An application whose images have at most 100 bytes."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(
        admission=Admission(), bodies=Bodies(10_000), fetcher=web, limits=SimpleNamespace(max_bytes=100),
        settings=SimpleNamespace(max_encoded_bytes=500, request_timeout_seconds=10.0, storage_given=False),
    )  # fmt: skip
    return made


def read(app: Flask, *own: str, query: str = "", **request: Any) -> Upload:
    with app.test_request_context(f"/?{query}", method="POST", **request):
        return read_upload(*own)


def file(data: bytes = b"image", name: str = "my cat.jpg") -> tuple[io.BytesIO, str]:
    return io.BytesIO(data), name


def test_form_gives_image_name_options_and_background(app: Flask) -> None:
    form = {"file": file(), "background_image": file(b"beach", "b.png"), "quality": "70"}
    upload = read(app, data=form, query="format=webp")
    assert (upload.data, upload.background, upload.stem) == (b"image", b"beach", "my cat")
    assert upload.given == {"quality": "70", "format": "webp"}
    assert upload.options(default_format=Format.PNG).format is Format.WEBP


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, MissingImage),
        ({"file": "text"}, MissingImage),
        ({"file": file(name="")}, MissingImage),
        ({"file": file(b"")}, EmptyImage),
        ({"file": file(), "image": file()}, MultipleImages),
        ({"file": [file(), file()]}, MultipleImages),
        ({"file": file(), "image_url": URL}, MultipleImages),
        ({"photo": file()}, UnknownOption),
        ({"quality": file()}, BadOption),
        ({"file": file(), "background_image": [file(), file()]}, BadOption),
        ({"file": file(), "background_image": file(), "background_image_url": URL}, ConflictingOptions),
        ({"file": file(), "callback_url": URL}, UnknownOption),
    ],
)
def test_form_without_exactly_one_image_and_known_fields_is_refused(
    app: Flask, web: Web, form: dict[str, Any], error: type[ServiceError]
) -> None:
    # A file can be read only once, so that each request needs its own.
    fresh = {name: _reopened(value) for name, value in form.items()}
    with pytest.raises(error):
        read(app, data=fresh, content_type="multipart/form-data")
    assert web.asked == []


def _reopened(value: Any) -> Any:
    if isinstance(value, list):
        return [_reopened(one) for one in value]
    return value if isinstance(value, str) else file(value[0].getvalue(), value[1])


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", None])
def test_raw_body_is_the_image(app: Flask, kind: str | None) -> None:
    upload = read(app, data=b"image", content_type=kind, query="quality=70")
    assert (upload.data, upload.stem, upload.given) == (b"image", "image", {"quality": "70"})


@pytest.mark.parametrize(
    ("request_parts", "error"),
    [
        ({"data": b"x" * 101, "content_type": "image/png"}, UploadTooLarge),
        ({"data": b"", "content_type": "image/png"}, EmptyImage),
        ({"data": b"", "content_type": "application/octet-stream"}, MissingImage),
        ({"data": b"image", "content_type": "image/png", "query": f"image_url={URL}"}, MultipleImages),
        ({"data": b"image", "content_type": "image/png", "environ_overrides": CUT_OFF}, BadRequest),
        ({"data": b"image", "content_type": "text/html"}, UnsupportedFormat),
        ({"data": b"photo=x", "content_type": "application/x-www-form-urlencoded"}, UnknownOption),
        ({"data": b"", "content_type": "application/x-www-form-urlencoded"}, MissingImage),
        ({"json": {"quality": 70}}, MissingImage),
    ],
)
def test_body_without_a_whole_image_is_refused(
    app: Flask, request_parts: dict[str, Any], error: type[ServiceError]
) -> None:
    with pytest.raises(error):
        read(app, **request_parts)


@pytest.mark.parametrize(
    "request_parts",
    [
        {"json": {"image_url": URL, "quality": 70}},
        {"data": {"image_url": URL, "quality": "70"}},
        {"data": {"image_url": URL, "quality": "70"}, "content_type": "multipart/form-data"},
        {"query": f"image_url={URL}&quality=70"},
    ],
)
def test_image_behind_a_url_is_fetched(app: Flask, request_parts: dict[str, Any]) -> None:
    upload = read(app, **request_parts)
    assert (upload.data, upload.stem) == (URL.encode(), "cat")
    assert str(upload.given["quality"]) == "70"
    assert "image_url" not in upload.given
    assert upload.timings == {"fetch": 5.0}


def test_times_of_both_fetches_are_added(app: Flask, web: Web) -> None:
    upload = read(app, json={"image_url": URL, "background_image_url": "https://example.com/beach.png"})
    assert upload.background == b"https://example.com/beach.png"
    assert upload.timings == {"fetch": 10.0}
    assert len(web.asked) == 2


def test_nothing_is_fetched_for_a_bad_option(app: Flask, web: Web) -> None:
    with pytest.raises(BadOption, match="quality"):
        read(app, json={"image_url": URL, "quality": 0})
    assert web.asked == []


def test_field_of_the_endpoint_is_not_an_option(app: Flask) -> None:
    upload = read(app, CALLBACK_URL, data={"file": file(), "callback_url": URL})
    assert (upload.callback_url, upload.given) == (URL, {})


def test_full_server_refuses_only_images_for_now(app: Flask) -> None:
    app.extensions[EXTENSION].admission.full = True
    with pytest.raises(Busy):
        read(app, data=b"image", content_type="image/png")
    with app.test_request_context("/", method="POST", data=b"image", content_type="image/png"):
        assert read_upload(waits=True).data == b"image"


def test_url_that_leads_back_to_this_service_is_refused(app: Flask, web: Web) -> None:
    with app.test_request_context("/", headers={"Via": f"1.1 {PSEUDONYM}"}), pytest.raises(ForbiddenSource):
        fetch("image_url", URL)
    with app.test_request_context("/"), pytest.raises(BadURL, match="image_url is not a string but int"):
        fetch("image_url", 7)
    assert web.asked == []


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read_base64(app: Flask, **body: object) -> tuple[Upload, bool]:
    with app.test_request_context("/", method="POST", json=body):
        return read_base64_upload()


def test_json_gives_image_background_and_options(app: Flask) -> None:
    prompt = [{"data": [1, 2], "label": 1, "type": "point"}]
    upload, data_uri = read_base64(
        app, image=encode(b"image"), background_image=encode(b"beach"), data_uri=True, prompt=prompt, quality=70
    )
    assert (upload.data, upload.background, data_uri) == (b"image", b"beach", True)
    assert upload.given == {"prompt": '[{"data":[1,2],"label":1,"type":"point"}]', "quality": 70}


def test_json_may_name_a_url_instead(app: Flask) -> None:
    upload, data_uri = read_base64(app, image_url=URL)
    assert (upload.data, data_uri) == (URL.encode(), False)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, MissingImage),
        ({"image": ""}, MissingImage),
        ({"image": 7}, BadBase64),
        ({"image": ["a", "b"]}, MultipleImages),
        ({"image": encode(b"image"), "image_url": URL}, MultipleImages),
        ({"image": encode(b"image"), "background_image": 7}, BadOption),
        ({"image": encode(b"image"), "data_uri": "maybe"}, BadOption),
        ({"image": encode(b"image"), "surprise": 1}, UnknownOption),
    ],
)
def test_json_without_exactly_one_image_and_known_keys_is_refused(
    app: Flask, web: Web, body: dict[str, object], error: type[ServiceError]
) -> None:
    with pytest.raises(error):
        read_base64(app, **body)
    assert web.asked == []
