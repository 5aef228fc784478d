"""rembg's server API: replay requests of its clients against this service."""

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import requests
from PIL import Image

from services.imaging.values import BOOLEAN_WORDS
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.images import encoded
from tests.support.servers.sources import answer, source

PATH: Final = "/api/remove"
MARK: Final = {"type": "point", "data": [256, 256], "label": 1}


@pytest.fixture(scope="module")
def fetching(jpeg: bytes) -> Iterator[tuple[Gunicorn, str]]:
    """A server that may fetch from one source, and the URL of a photo there."""
    with source(lambda connection, _head: connection.sendall(answer(jpeg))) as running:
        opened = f"127.0.0.1:{running.port}"
        with QuickGunicorn(FETCH_ENABLED="true", FETCH_ALLOWED_HOSTS=opened) as server:
            yield server, f"http://{opened}/a%20photo.jpg"


def post(server: Gunicorn, data: bytes, query: Any = None, **form: Any) -> requests.Response:
    """Post like rembg's clients: the image as the file `file`, parameters as form or query fields."""
    return requests.post(server.url + PATH, files={"file": data}, data=form, params=query, timeout=30)


def opened(answered: requests.Response) -> Image.Image:
    assert answered.status_code == 200, answered.text
    assert answered.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(answered.content))
    image.load()
    return image


def refused(answered: requests.Response) -> tuple[int, str]:
    return answered.status_code, answered.json()["code"]


def native(server: Gunicorn, data: bytes, **options: Any) -> bytes:
    url = f"{server.url}/remove-background"
    return requests.post(url, files={"file": ("a.jpg", data)}, data=options, timeout=30).content


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_examples_of_rembgs_readme_run(fetching: tuple[Gunicorn, str], tmp_path: Path, jpeg: bytes) -> None:
    server, url = fetching
    (tmp_path / "input.jpg").write_bytes(jpeg)
    for line in (
        f'curl -f -s "{server.url}/api/remove?url={url}" -o output.png',
        f'curl -f -s -F file=@input.jpg "{server.url}/api/remove" -o output.png',
    ):
        subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, timeout=30)
        with Image.open(tmp_path / "output.png") as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (512, 512))
        (tmp_path / "output.png").unlink()


def test_result_without_parameters_equals_the_native_result(fetching: tuple[Gunicorn, str], jpeg: bytes) -> None:
    server, url = fetching
    own = native(server, jpeg)
    assert post(server, jpeg).content == own
    by_url = requests.get(server.url + PATH, params={"url": url}, timeout=30)
    assert by_url.content == own
    assert by_url.headers["Content-Disposition"] == 'inline; filename="a photo-no-bg.png"'


def test_every_parameter_matches_a_native_option(server: Gunicorn, small: bytes) -> None:
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "a": ({"a": True}, {"edges": "matting"}),
        "a with its thresholds": ({"a": "true", "af": 250, "ab": 5, "ae": 30}, {"edges": "matting"}),
        "dc": ({"dc": "true"}, {}),
        "om": ({"om": "1"}, {"output": "mask"}),
        "ppm": ({"ppm": "y"}, {"smooth": "true"}),
        "a and ppm": ({"a": "t", "ppm": "t"}, {"edges": "matting"}),
        "om, a and ppm": ({"om": "on", "a": "t", "ppm": "t"}, {"output": "mask", "edges": "matting", "smooth": "1"}),
        "half a colour": ({"bgc": "10,20,30,128"}, {"background": "0a141e80"}),
        "the defaults, spelt out": (
            {"model": "u2netp", "a": False, "af": 240, "ab": 10, "ae": 10, "om": False, "ppm": False, "dc": False,
             "vm": False, "bgc": "", "extras": "{}"},
            {},
        ),
        "extras that mean nothing": ({"extras": '{"model_path": "/etc/passwd", "api_key": "x"}'}, {}),
        "extras that are no object": ({"extras": "no json"}, {}),
        "unknown parameters": ({"format": "webp", "alpha_matting": "yes", "x": "1"}, {}),
    }  # fmt: skip
    asked = {str(ours): ours for _, ours in cases.values()}
    own = {text: native(server, small, **ours) for text, ours in asked.items()}
    # Each option changes this picture.
    assert len(set(own.values())) == len(own)
    for name, (theirs, ours) in cases.items():
        assert post(server, small, **theirs).content == own[str(ours)], name
        assert post(server, small, query=theirs).content == own[str(ours)], name


def test_modes_and_sizes_match_rembg(server: Gunicorn, photo: Callable[[str], Image.Image], jpeg: bytes) -> None:
    turned = photo("coffee").resize((90, 60))
    exif = turned.getexif()
    exif[0x0112] = 6
    sideways = encoded(turned, "JPEG", exif=exif.tobytes())
    for data, size in ((jpeg, (512, 512)), (sideways, (60, 90))):
        for form, mode in (({}, "RGBA"), ({"om": "true"}, "L"), ({"bgc": "0,0,0,255"}, "RGBA"), ({"a": "1"}, "RGBA")):
            image = opened(post(server, data, **form))
            assert (image.mode, image.size) == (mode, size), form
    assert set(np.unique(np.asarray(opened(post(server, jpeg, om="true", ppm="true"))))) == {0, 255}


@pytest.mark.parametrize("text", ["255,128,0,255", "255, 128, 0, 255", "255,128,0"])
def test_opaque_background_keeps_the_alpha_channel(server: Gunicorn, jpeg: bytes, text: str) -> None:
    image = np.asarray(opened(post(server, jpeg, query={"bgc": text})))
    assert image[..., 3].min() == 255
    assert tuple(image[0, 100, :3]) == (255, 128, 0)
    assert np.array_equal(np.asarray(opened(post(server, jpeg, bgc=text))), image)


BAD: Final = [
    ({"model": "nope"}, 404, "model_not_found", "'nope'"),
    ({"model": "withoutbg"}, 404, "model_not_found", "another company"),
    ({"model": "atlascloud"}, 404, "model_not_found", "another company"),
    ({"model": "u2net_custom"}, 404, "model_not_found", "u2netp"),
    ({"model": "x" * 100}, 400, "bad_option", "GET /models"),
    ({"a": "maybe"}, 400, "bad_option", BOOLEAN_WORDS),
    ({"af": "256"}, 400, "bad_option", "0 to 255"),
    ({"ab": "-1"}, 400, "bad_option", "0 to 255"),
    ({"ae": "ten"}, 400, "bad_option", "at least 0"),
    ({"vm": "true"}, 400, "bad_option", "ViTMatte"),
    *(({"bgc": text}, 400, "bad_option", "255,255,255,255")
      for text in ("white", "1,2", "1,2,3,4,5", "1,2,x,4", "256,0,0,0", "-1,0,0,0", "1,2,3,", "²,0,0,0")),
    *(({"extras": text}, 400, "bad_option", "sam_prompt") for text in (
        '{"sam_prompt": []}', '{"sam_prompt": "x"}', '{"sam_prompt": [1]}', '{"sam_prompt": [{"type": "point"}]}',
    )),
    ({"extras": json.dumps({"sam_prompt": [MARK]})}, 400, "bad_option", "takes none"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "status", "code", "word"), BAD, ids=lambda value: str(value)[:60])
def test_unsupported_parameters_are_explained(
    server: Gunicorn, small: bytes, given: dict[str, str], status: int, code: str, word: str
) -> None:
    for answered in (post(server, small, **given), post(server, small, query=given)):
        assert refused(answered) == (status, code)
        assert word in answered.json()["details"]


def test_request_needs_exactly_one_image(fetching: tuple[Gunicorn, str], small: bytes) -> None:
    server, url = fetching
    there = server.url + PATH
    two = [("file", ("a.jpg", small)), ("file", ("b.jpg", small))]
    cases: list[tuple[int, str, requests.Response]] = [
        (400, "missing_image", requests.get(there, timeout=10)),
        (400, "missing_image", requests.post(there, timeout=10)),
        (400, "missing_image", requests.post(there, data={"om": "true"}, timeout=10)),
        (400, "missing_image", requests.post(there, files={"image": small}, timeout=10)),
        (400, "missing_image", requests.post(there, files={"file": (None, "text")}, timeout=10)),
        (400, "multiple_images", requests.post(there, files=two, timeout=10)),
        (400, "empty_image", post(server, b"")),
        (415, "unsupported_format", post(server, b"no image")),
        (415, "unsupported_format", requests.post(there, json={"file": "x"}, timeout=10)),
        (400, "bad_url", requests.get(there, params={"url": "file:///etc/passwd"}, timeout=10)),
        (403, "forbidden_source", requests.get(there, params={"url": "http://127.0.0.1/"}, timeout=10)),
        (400, "bad_option", requests.get(there, params={"url": url, "af": "999"}, timeout=10)),
    ]
    for status, code, answered in cases:
        assert refused(answered) == (status, code)
    assert "it has one in 'image'" in cases[3][2].json()["details"]


def test_default_model_answers_for_a_known_one_that_is_not_enabled(server: Gunicorn, small: bytes) -> None:
    own = native(server, small)
    for sent in (
        {"model": "u2net"},
        {"query": {"model": "birefnet-general"}},
        # napari's
        {"model": "sam", "query": {"extras": json.dumps({"sam_prompt": [MARK]}), "bgc": "0,0,0,0"}},
    ):
        answered = post(server, small, **sent)
        assert (answered.status_code, answered.headers["X-Model-Fallback"]) == (200, "u2netp"), sent
        assert answered.content == own
    assert "X-Model-Fallback" not in post(server, small, model="u2netp").headers
    batch = requests.post(f"{server.url}{PATH}/batch", files={"files": small}, data={"model": "u2net"}, timeout=30)
    assert (batch.status_code, batch.headers["X-Model-Fallback"]) == (200, "u2netp")
    post(server, small, model="u2net")
    assert server.log().count('"asked":"u2net"') == 1


def test_model_that_is_not_enabled_is_not_found_where_the_operator_says_so(small: bytes) -> None:
    with QuickGunicorn(REMBG_MODEL_FALLBACK="false") as strict:
        assert refused(post(strict, small, model="u2net")) == (404, "model_not_found")
        assert post(strict, small).status_code == 200


def test_head_is_refused_without_work(server: Gunicorn) -> None:
    refused = requests.head(server.url + PATH, params={"url": "http://127.0.0.1/"}, timeout=10)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST")


def test_head_costs_no_quota() -> None:
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", RATE_LIMIT_REMOVE_BG_PER_HOUR=1, TRUSTED_PROXIES=1) as limited:
        sent = {"X-Forwarded-For": "198.51.100.7"}
        asked = [requests.head(limited.url + PATH, headers=sent, timeout=10).status_code for _ in range(3)]
        assert asked == [405, 405, 405]
        assert requests.get(limited.url + PATH, headers=sent, timeout=10).status_code == 400


def test_preflight_allows_any_header_as_rembgs_server_does(server: Gunicorn) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "x-foo"
    allowed = requests.options(server.url + PATH, headers=asked, timeout=10)
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Headers"]) == (200, "x-foo")


def test_api_page_has_rembgs_path(server: Gunicorn) -> None:
    assert "swagger" in requests.get(f"{server.url}/api", timeout=10).text


def test_body_of_a_request_by_url_is_not_read(server: Gunicorn) -> None:
    # The form's bad value would be refused first.
    answer = requests.get(server.url + PATH, data={"a": "perhaps"}, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "missing_image")
