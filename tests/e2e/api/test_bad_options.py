"""Invalid options on all three removal endpoints, in query, form and JSON: the error names and explains them."""

import base64
import io
from collections.abc import Callable
from typing import Any, Final

import pytest
import requests
from PIL import Image

from services.imaging.options import option_names
from tests.support.gunicorn import Gunicorn
from tests.support.pictures import corpus

GOOD: Final = corpus.encode(corpus.photo(), "PNG")
BASE64: Final = base64.b64encode(GOOD).decode()
REMOVE, PREVIEW, JSON = "/remove-background", "/remove-background-preview", "/remove-background-base64"


@pytest.fixture(scope="session")
def server(quick_server: Gunicorn) -> Gunicorn:
    """A server with the tiny model: no test here checks a mask."""
    return quick_server


def by_form(server: Gunicorn, path: str, options: Any) -> requests.Response:
    return requests.post(server.url + path, files={"file": GOOD}, data=options, timeout=30)


def by_query(server: Gunicorn, path: str, options: Any) -> requests.Response:
    body: dict[str, Any] = {"json": {"image": BASE64}} if path == JSON else {"files": {"file": GOOD}}
    return requests.post(server.url + path, params=options, **body, timeout=30)


def by_raw_body(server: Gunicorn, path: str, options: Any) -> requests.Response:
    return requests.post(
        server.url + path, params=options, data=GOOD, headers={"Content-Type": "image/png"}, timeout=30
    )


def by_json(server: Gunicorn, path: str, options: Any) -> requests.Response:
    return requests.post(server.url + path, json={"image": BASE64, **dict(options)}, timeout=30)


Send = Callable[[Gunicorn, str, Any], requests.Response]
WAYS: Final = [
    pytest.param(send, path, id=f"{path} {send.__name__}")
    for path, sends in {
        REMOVE: (by_form, by_query, by_raw_body),
        PREVIEW: (by_form, by_query, by_raw_body),
        JSON: (by_json, by_query),
    }.items()
    for send in sends
]


@pytest.mark.parametrize(("send", "path"), WAYS)
def test_each_transport_accepts_valid_and_refuses_invalid_options(server: Gunicorn, send: Send, path: str) -> None:
    good = send(server, path, {"format": "webp"})
    assert good.status_code == 200
    assert "image/webp" in good.headers["Content-Type"] + good.text[:1_000_000]
    for given, code, found in (
        ({"quality": "101"}, "bad_option", "quality is '101'; allowed: a whole number from 10 to 100"),
        ({"qualty": "80"}, "unknown_option", "did you mean 'quality'?"),
        ({"format": "x" * 3_000}, "bad_option", "x" * 100),
    ):
        answer = send(server, path, given)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert found in answer.json()["details"]
        assert len(answer.content) < 1000


@pytest.mark.parametrize("value", [True, [80, 90], {"a": 1}], ids=str)
def test_json_value_of_another_type_is_refused(server: Gunicorn, value: object) -> None:
    answer = by_json(server, JSON, {"quality": value})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
    assert answer.json()["details"].startswith("quality is ")


MODELS: Final = (
    "../../etc/passwd", "../tiny", "tiny.onnx", "/etc/passwd", "..\\x", "tiny\0", "TINY", "u2net", "sam",
    "ｔiny", "file:///etc/passwd", "http://127.0.0.1/", "bria", "tiny tiny", "%2e%2e%2f", "__class__",
)  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_unknown_model_is_404(server: Gunicorn, name: str) -> None:
    send, path = [way.values for way in WAYS][MODELS.index(name) % len(WAYS)]
    answer = send(server, path, {"model": name})  # type: ignore[operator]
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    assert answer.json()["details"] == f"{name!r} is not one of: tiny"


@pytest.mark.parametrize(("send", "path"), WAYS)
def test_empty_text_is_the_same_as_absent(server: Gunicorn, send: Send, path: str) -> None:
    plain, empty = send(server, path, {}), send(server, path, dict.fromkeys(option_names(), ""))
    assert plain.status_code == empty.status_code == 200
    assert empty.content == plain.content


@pytest.mark.parametrize("path", [REMOVE, PREVIEW])
def test_option_given_twice_is_refused(server: Gunicorn, path: str) -> None:
    twice = [("quality", "80"), ("quality", "80")]
    both = requests.post(
        server.url + path, params={"quality": "80"}, files={"file": GOOD}, data={"quality": "80"}, timeout=30
    )
    for answer in (by_query(server, path, twice), by_form(server, path, twice), both):
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
        assert "one value" in answer.json()["details"]


def test_option_in_both_query_and_json_is_refused(server: Gunicorn) -> None:
    body = {"image": BASE64, "quality": 80}
    answer = requests.post(server.url + JSON, params={"quality": "80"}, json=body, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
    assert answer.json()["details"].startswith("quality is ")


def test_empty_duplicate_of_an_option_is_ignored(server: Gunicorn) -> None:
    answer = by_form(server, REMOVE, [("format", ""), ("format", "webp"), ("quality", "")])
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")


def test_bad_option_is_refused_before_the_image(server: Gunicorn) -> None:
    answer = requests.post(server.url + REMOVE, files={"file": b"no image"}, data={"quality": "9"}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")


@pytest.mark.parametrize(
    ("options", "kind", "size"),
    [
        ({"format": " JPG "}, "image/jpeg", (96, 64)),
        ({"format": "WebP", "quality": " 10 "}, "image/webp", (96, 64)),
        ({"quality": "80.0"}, "image/png", (96, 64)),
        ({"max_width": "1"}, "image/png", (1, 1)),
        ({"max_width": "+48"}, "image/png", (48, 32)),
        ({"max_width": "16384", "max_height": "16384"}, "image/png", (96, 64)),
        ({"preset": "THUMBNAIL"}, "image/webp", (96, 64)),
        ({"preset": "web", "format": "png", "max_height": "32"}, "image/png", (48, 32)),
        ({"feather": "100", "alpha_boost": "5", "threshold": "255"}, "image/png", (96, 64)),
        ({"feather": "0.5", "alpha_boost": "0.1", "threshold": "0"}, "image/png", (96, 64)),
        ({"background": "F80"}, "image/png", (96, 64)),
        ({"background": " Transparent "}, "image/png", (96, 64)),
        ({"background": "#ff880080"}, "image/png", (96, 64)),
        ({"background": "RebeccaPurple", "format": "jpeg"}, "image/jpeg", (96, 64)),
        ({"output": "MASK", "edges": "Soft"}, "image/png", (96, 64)),
        ({"model": "tiny"}, "image/png", (96, 64)),
        ({"format": "AVIF"}, "image/avif", (96, 64)),
        ({"scale": "original", "position": "Original", "roi": "0 0 100% 100%"}, "image/png", (96, 64)),
        ({"scale": "10", "position": "0 100%", "shadow": "DROP", "shadow_opacity": "100"}, "image/png", (96, 64)),
        ({"crop": "OFF", "crop_margin": "0"}, "image/png", (96, 64)),
    ],
    ids=str,
)
def test_boundary_values_and_spellings_are_accepted(
    server: Gunicorn, options: dict[str, str], kind: str, size: tuple[int, int]
) -> None:
    answer = by_form(server, REMOVE, options)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind), answer.text[:300]
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == size
    same = by_json(server, JSON, options)
    assert base64.b64decode(same.json()["image"]) == answer.content


def test_refusals_do_not_change_the_server(server: Gunicorn) -> None:
    pids = server.workers()
    before = by_form(server, REMOVE, {}).content
    for option in option_names():
        assert by_query(server, REMOVE, {option: "\0"}).status_code in (400, 404)
    assert server.workers() == pids
    assert by_form(server, REMOVE, {}).content == before
