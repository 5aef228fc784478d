"""remove.bg's API 1.0 over HTTP: requests that its clients send, and responses that they need."""

import base64
import http.client
import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from services.api_keys.keys import create_key
from services.persistence.database import Database
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.images import encoded, pixels
from tests.support.servers.sources import answer, source
from tests.support.waiting import free_port, poll

PATH = "/v1.0/removebg"
EMPTY = ("size", "type", "type_level", "format", "roi", "crop", "crop_margin", "scale", "position", "channels",
         "add_shadow", "shadow_type", "shadow_opacity", "semitransparency", "bg_color", "bg_image_url", "bg_image_file",
         "image_url", "image_file_b64", "shadow_method")  # fmt: skip
N8N = "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, image/*;q=0.8, */*;q=0.7"
ORIGIN = {"Origin": "https://example.org"}
LIMIT = 22 * 1024 * 1024


@pytest.fixture(scope="module")
def picture(photo: Any) -> bytes:
    """A photograph of 1600×1200 px: 1.92 megapixels."""
    return encoded(photo("astronaut").resize((1600, 1200)), "JPEG", quality=85)


@pytest.fixture(scope="module")
def blank() -> bytes:
    """A fully transparent image."""
    return encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "PNG")


@dataclass
class Strict:
    """A server with non-default settings: it requires keys, fetches from `pictures`, accepts images without a subject,
    and its default size is `auto`.

    The key `shop` has the endpoint's quota of 3 megapixels per minute; the key `free` has its own.
    """

    server: Gunicorn
    shop: str
    free: str
    pictures: str

    def post(self, image: bytes | None = None, **send: Any) -> requests.Response:
        return post(self.server, image, headers={"X-Api-Key": self.free}, **send)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, jpeg: bytes) -> Iterator[Strict]:
    """A server for all tests of non-default settings."""

    def behave(connection: Any, head: bytes) -> None:
        found = b"/photo.jpg" in head.split()[1]
        connection.sendall(answer(jpeg) if found else answer(b"", "404 Not Found"))

    url = f"sqlite:///{tmp_path_factory.mktemp('keys')}/keys.db"
    shop, _ = create_key(Database(url), name="shop")
    free, _ = create_key(Database(url), name="free", rate_limit="100000/hour")
    settings: dict[str, Any] = {"AUTH_REQUIRED": "true", "DATABASE_URL": url, "RATE_LIMIT_ENABLED": "true"}
    settings |= {"REMOVEBG_REQUIRE_SUBJECT": "false", "REMOVEBG_DEFAULT_SIZE": "auto", "FETCH_ENABLED": "true"}
    with source(behave) as running:
        host = f"127.0.0.1:{running.port}"
        with QuickGunicorn(**settings, RATE_LIMIT_REMOVEBG_PER_MINUTE=3, FETCH_ALLOWED_HOSTS=host) as server:
            yield Strict(server, shop, free, f"http://{host}")


def post(server: Gunicorn, image: bytes | None = None, path: str = PATH, **send: Any) -> requests.Response:
    files = {**({"image_file": ("photo.jpg", image)} if image else {}), **send.pop("files", {})}
    return requests.post(server.url + path, files=files or None, timeout=60, **send)


def refusal(answered: requests.Response) -> tuple[int, str]:
    """Return the status and code of an error; check that remove.bg's clients can read its body."""
    assert answered.headers["Content-Type"] == "application/json; charset=utf-8"
    body = answered.json()
    assert list(body) == ["errors"]
    (error,) = body["errors"]
    assert set(error) == {"title", "code", "detail"}
    assert all(isinstance(value, str) and value for value in error.values())
    return answered.status_code, error["code"]


def test_documented_curl_call_returns_a_png_with_all_headers(server: Gunicorn, picture: bytes) -> None:
    answered = post(server, picture, data={"size": "auto"}, headers={"X-Api-Key": "INSERT_YOUR_API_KEY_HERE"})
    assert (answered.status_code, answered.headers["Content-Type"]) == (200, "image/png")
    headers = answered.headers
    assert (headers["X-Width"], headers["X-Height"]) == ("1600", "1200")
    assert (headers["X-Max-Width"], headers["X-Max-Height"]) == ("1600", "1200")
    assert (headers["X-Type"], headers["X-Credits-Charged"]) == ("other", "0")
    box = [int(headers[f"X-Foreground-{side}"]) for side in ("Left", "Top", "Width", "Height")]
    assert box[2] > 400
    assert box[3] > 400
    alpha = pixels(answered.content)[..., 3]
    assert not (np.delete(alpha, np.s_[box[1] : box[1] + box[3]], axis=0) > 10).any()


def test_accept_json_returns_base64_and_the_foreground_box(server: Gunicorn, jpeg: bytes) -> None:
    answered = post(server, jpeg, headers={"Accept": "application/json"})
    data = answered.json()["data"]
    assert set(answered.json()) == {"data"}
    assert set(data) == {"result_b64", "foreground_top", "foreground_left", "foreground_width", "foreground_height"}
    assert data["foreground_width"] == int(answered.headers["X-Foreground-Width"]) > 0
    assert pixels(base64.b64decode(data["result_b64"])).shape == (500, 500, 4)
    utf8 = post(server, jpeg, headers={"Accept": "application/json; charset=utf-8"})
    assert utf8.json()["data"]["foreground_width"] == data["foreground_width"]
    # The last two values are the defaults of axios and of n8n.
    for accept in ("*/*", "image/png", "application/json, text/plain, */*", N8N):
        assert post(server, jpeg, headers={"Accept": accept}).headers["Content-Type"] == "image/png"


def test_zip_holds_matching_uncompressed_color_and_alpha(server: Gunicorn, jpeg: bytes) -> None:
    answered = post(server, jpeg, data={"format": "zip", "size": "full"})
    assert answered.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answered.content)) as archive:
        entries = [(info.filename, info.compress_type) for info in archive.infolist()]
        assert entries == [("color.jpg", zipfile.ZIP_STORED), ("alpha.png", zipfile.ZIP_STORED)]
        with Image.open(archive.open("color.jpg")) as colour, Image.open(archive.open("alpha.png")) as alpha:
            assert (colour.format, colour.mode, alpha.format, alpha.mode) == ("JPEG", "RGB", "PNG", "L")
            assert colour.size == alpha.size == (512, 512)
            png = pixels(post(server, jpeg, data={"format": "png", "size": "full"}).content)
            assert np.array_equal(np.asarray(alpha), png[..., 3])


def test_empty_fields_count_as_absent(server: Gunicorn, small: bytes) -> None:
    sent = dict.fromkeys(EMPTY, "")
    answered = post(server, small, data=sent | {"format": "zip", "size": "auto"})
    assert (answered.status_code, answered.headers["Content-Type"]) == (200, "application/zip")
    nothing = post(server, None, files={"image_file": ("", b"")}, data=sent)
    assert refusal(nothing) == (400, "missing_source")
    for value in (None, ""):
        asked = {**dict.fromkeys(EMPTY, value), "image_file_b64": base64.b64encode(small).decode()}
        assert post(server, json=asked).status_code == 200


def test_default_fields_of_the_python_client_are_accepted(server: Gunicorn, small: bytes) -> None:
    data = {"size": "regular", "type": "auto", "type_level": "none", "format": "auto", "roi": "0 0 100% 100%"}
    data |= {"crop": "false", "scale": "original", "position": "original", "channels": "rgba", "add_shadow": "false"}
    answered = post(server, small, data=data | {"semitransparency": "true", "unknown": "ignored", "shadow_method": "x"})
    assert answered.status_code == 200
    plain = post(server, small)
    assert answered.content == plain.content
    assert post(server, small, data=data | {"crop_margin": "false"}).content == plain.content


def test_ruby_gem_gets_its_zip_and_account(server: Gunicorn, picture: bytes) -> None:
    sent = {"size": "auto", "format": "zip", "type": "auto", "channels": "rgba", "crop": "false", "add_shadow": "false"}
    start = time.monotonic()
    answered = post(server, picture, data=sent, headers={"X-Api-Key": "k", "Accept": "*/*"})
    assert answered.headers["Content-Type"] == "application/zip"
    assert time.monotonic() - start < 20
    assert float(answered.headers["X-Credits-Charged"]) == 0
    account = requests.get(f"{server.url}/v1.0/account", headers={"X-Api-Key": "k"}, timeout=10).json()
    assert list(account) == ["data"]
    assert list(account["data"]) == ["attributes"]
    attributes = account["data"]["attributes"]
    assert set(attributes) == {"credits", "api"}
    assert set(attributes["credits"]) == {"subscription", "payg", "enterprise", "total"}
    assert set(attributes["api"]) == {"free_calls", "sizes"}
    # Clients warn or stop where one of these is low.
    assert min(*attributes["credits"].values(), attributes["api"]["free_calls"]) == 99_999


def test_json_accepts_booleans_nulls_and_data_uris(server: Gunicorn, jpeg: bytes) -> None:
    text = base64.b64encode(jpeg).decode()
    asked = {"size": "preview", "type": "auto", "crop": False, "image_file_b64": text, "semitransparency": True}
    answered = post(server, json=asked, headers={"Accept": "application/json"})
    assert answered.status_code == 200
    cropped = post(server, json=asked | {"crop": True, "scale": None})
    assert int(cropped.headers["X-Width"]) != 500
    assert int(cropped.headers["X-Foreground-Left"]) == 0
    # One client sends the first name.
    for name in ("image_base64", "image_file_b64"):
        assert post(server, json={name: f"data:image/jpeg;base64,{text}"}).status_code == 200


def test_booleans_of_php_and_numbers_without_a_unit_are_accepted(server: Gunicorn, small: bytes) -> None:
    sent = {"add_shadow": "1", "semitransparency": "0", "crop": "1", "crop_margin": "10", "position": "50"}
    assert post(server, small, data=sent).status_code == 200
    text = base64.urlsafe_b64encode(small).decode().rstrip("=")
    assert "-" in text
    assert "_" in text
    assert post(server, json={"image_file_b64": text, "crop": True, "crop_margin": 10}).status_code == 200


def test_quota_headers_are_sent_although_nothing_is_counted(server: Gunicorn, small: bytes) -> None:
    for answered in (
        post(server, small),
        post(server),
        requests.get(f"{server.url}/v1.0/account", timeout=10),
        requests.get(f"{server.url}/v1.0/unknown", timeout=10),
    ):
        assert (answered.headers["X-RateLimit-Limit"], answered.headers["X-RateLimit-Remaining"]) == ("500", "500")
        assert 50 < int(answered.headers["X-RateLimit-Reset"]) - time.time() <= 61


def test_query_completes_the_body(server: Gunicorn, picture: bytes) -> None:
    assert post(server, picture, params={"size": "full", "unknown": "x"}).headers["X-Width"] == "1600"
    sent = post(server, picture, params={"size": "full", "format": "jpg"}, data={"size": "preview"})
    assert (sent.headers["X-Width"], sent.headers["Content-Type"]) == ("577", "image/jpeg")
    text = base64.b64encode(picture).decode()
    assert post(server, json={"image_file_b64": text}, params={"size": "full"}).headers["X-Width"] == "1600"
    assert refusal(post(server, picture, params={"size": "huge"})) == (400, "invalid_size")


@pytest.mark.parametrize("kind", ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", None])
def test_json_under_another_content_type_is_explained(server: Gunicorn, small: bytes, kind: str | None) -> None:
    body = json.dumps({"image_file_b64": base64.b64encode(small).decode()}).encode()
    refused = post(server, data=body, headers={"Content-Type": kind})
    assert refusal(refused) == (400, "missing_source")
    assert "Content-Type" in refused.json()["errors"][0]["detail"]
    assert "Content-Type" not in post(server, data={"size": "auto"}).json()["errors"][0]["detail"]


def multipart(*parts: tuple[str, bytes]) -> dict[str, Any]:
    """Return a request's body of parts, each the parameters of its Content-Disposition and its content."""
    head = b"--b\r\nContent-Disposition: form-data; "
    body = b"".join(head + names.encode() + b"\r\n\r\n" + data + b"\r\n" for names, data in parts)
    return {"data": body + b"--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


def test_file_without_a_file_name_is_read_as_csharp_and_apache_send_it(server: Gunicorn, small: bytes) -> None:
    sent = multipart(("name=image_file", small), ("name=size", b"auto"))
    assert post(server, **sent).headers["X-Width"] == "96"
    background = encoded(Image.new("RGB", (40, 80), (255, 0, 0)), "PNG")
    sent = multipart(("name=image_file", small), ("name=bg_image_file", background))
    assert post(server, **sent).headers["Content-Type"] == "image/jpeg"
    for path, name in (("/api/remove", "file"), ("/remove-background", "image")):
        assert post(server, None, path, **multipart((f"name={name}", small))).status_code == 200


def test_part_without_a_name_is_refused_everywhere(server: Gunicorn, small: bytes) -> None:
    for nameless in ("x=y", 'filename="b.jpg"'):
        for field, path in (("image_file", PATH), ("image_file", "/v1.0/improve")):
            refused = post(server, None, path, **multipart((nameless, small), (f'name={field}; filename="a"', small)))
            assert refusal(refused) == (400, "bad_request")
        for path in ("/remove-background", "/remove-background-preview", "/remove-bg", "/api/remove"):
            refused = post(server, None, path, **multipart((nameless, small), ('name=file; filename="a.jpg"', small)))
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


def test_credits_are_an_integer(server: Gunicorn, small: bytes) -> None:
    assert int(post(server, small).headers["X-Credits-Charged"]) == 0


def test_exhausted_megapixel_quota_is_429_with_retry_after(strict: Strict, picture: bytes) -> None:
    sent = {"X-Api-Key": strict.shop, **ORIGIN}
    answers = [post(strict.server, picture, headers=sent) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    # 1.92 megapixels count as 2.
    assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["1", "0", "0"]
    assert {a.headers["X-RateLimit-Limit"] for a in answers} == {"3"}
    refused = answers[-1]
    assert refusal(refused) == (429, "rate_limit_exceeded")
    assert refused.json()["errors"][0]["title"] == "Rate limit exceeded"
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert 0 <= int(refused.headers["X-RateLimit-Reset"]) - time.time() <= 61
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert all("Retry-After" not in a.headers for a in answers[:2])
    assert requests.get(f"{strict.server.url}/v1.0/account", headers=sent, timeout=10).status_code == 200
    own = [strict.post(picture).headers["X-RateLimit-Remaining"] for _ in range(2)]
    # The limit of a key counts requests, not megapixels.
    assert int(own[0]) - int(own[1]) == 1


def test_missing_or_wrong_key_is_403(strict: Strict, small: bytes) -> None:
    for path, method in ((PATH, "POST"), ("/v1.0/account", "GET"), ("/v1.0/improve", "POST")):
        for sent, title in (({}, "Missing API Key"), ({"X-API-Key": "wrong"}, "API Key invalid")):
            refused = requests.request(method, strict.server.url + path, headers={**sent, **ORIGIN}, timeout=10)
            assert refusal(refused) == (403, "auth_failed")
            assert refused.json()["errors"][0]["title"] == title
            assert refused.headers["Access-Control-Allow-Origin"] == "*"
            assert "WWW-Authenticate" not in refused.headers
    for good in ({"X-Api-Key": strict.free}, {"x-api-key": strict.free}, {"Authorization": f"Bearer {strict.free}"}):
        assert post(strict.server, small, headers=good).status_code == 200


def test_too_large_file_is_400_in_every_transport(server: Gunicorn) -> None:
    large = b"\xff\xd8\xff" + bytes(LIMIT - 2)
    text = base64.b64encode(large).decode()
    for send in (
        {"files": {"image_file": large}},
        {"files": {"image_file_b64": (None, text)}},
        {"data": {"image_file_b64": text}},
        {"json": {"image_file_b64": text}},
        {"files": {"image_file": bytes(40_000_000)}},
    ):
        refused = post(server, **send, headers=ORIGIN)
        assert refusal(refused) == (400, "file_too_large")
        assert refused.json()["errors"][0] | {"code": ""} == {
            "title": "File too large",
            "code": "",
            "detail": "File exceeds limit of 22MB",
        }
        assert refused.headers["Access-Control-Allow-Origin"] == "*"


def test_file_of_exactly_the_limit_is_accepted(server: Gunicorn, jpeg: bytes) -> None:
    # Decoders ignore bytes after the end of a JPEG.
    filled = jpeg + bytes(LIMIT - len(jpeg))
    assert post(server, filled).status_code == 200
    text = base64.b64encode(filled).decode()
    assert post(server, files={"image_file_b64": (None, text)}).status_code == 200


def test_unknown_paths_and_missing_model_use_removebgs_error_format(server: Gunicorn, tmp_path: Path) -> None:
    for method, path, expected in (
        ("GET", "/v1.0/unknown", (404, "not_found")),
        ("GET", "/v1.0", (404, "not_found")),
        ("GET", PATH, (405, "method_not_allowed")),
        ("POST", "/v1.0/account", (405, "method_not_allowed")),
    ):
        refused = requests.request(method, server.url + path, headers=ORIGIN, timeout=10)
        assert refusal(refused) == expected
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
    # This path has another prefix, so the error has the native format.
    assert requests.get(f"{server.url}/v1.01", timeout=10).json()["code"] == "not_found"
    with Gunicorn(ready=False, REMBG_SESSION_PATH=tmp_path) as broken:
        poll(lambda: "engine" in error_text(broken), what="a refusal")
        refused = post(broken, encoded(Image.new("RGB", (64, 64))))
        assert refusal(refused) == (503, "engine_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1


def error_text(server: Gunicorn) -> str:
    try:
        return post(server, encoded(Image.new("RGB", (64, 64)))).text
    except requests.ConnectionError:
        return ""


def test_cors_allows_keys_and_exposes_headers(server: Gunicorn, small: bytes) -> None:
    asked = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    allowed = requests.options(server.url + PATH, headers=asked, timeout=10)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "*"
    assert "x-api-key" in allowed.headers["Access-Control-Allow-Headers"].lower()
    for answered in (post(server, small, headers=ORIGIN), post(server, headers=ORIGIN)):
        exposed = {name.strip() for name in answered.headers["Access-Control-Expose-Headers"].split(",")}
        needed = {"X-Type", "X-Width", "X-Height", "X-Max-Width", "X-Max-Height", "X-Credits-Charged", "Retry-After"}
        needed |= {f"X-Foreground-{side}" for side in ("Top", "Left", "Width", "Height")}
        needed |= {f"X-RateLimit-{what}" for what in ("Limit", "Remaining", "Reset")}
        assert needed <= exposed


def test_shadow_depends_on_the_named_class(server: Gunicorn, small: bytes) -> None:
    plain = post(server, small).content
    car = {"shadow_type[car]": "car", "shadow_opacity[car]": "80"}
    # Without `type` the subject is not a car.
    assert post(server, small, data=car).content == plain
    shadow = post(server, small, data=car | {"type": "car"})
    assert shadow.status_code == 200
    assert shadow.headers["X-Type"] == "car"
    assert shadow.content != plain
    nested = {"type": "car", "shadow_type": {"car": "car"}, "shadow_opacity": {"car": 80}}
    text = base64.b64encode(small).decode()
    assert post(server, json=nested | {"image_file_b64": text}).content == shadow.content
    assert post(server, small, data={"add_shadow": "true", "type": "car"}).content != plain
    assert post(server, small, data={"shadow_type": "drop"}).content != plain
    assert refusal(post(server, small, data={"shadow_type[car]": "long"})) == (400, "invalid_shadow_type")


def test_file_name_of_an_upload_is_ignored(server: Gunicorn, small: bytes) -> None:
    for name in ("a.png", "no-ending", "a.exe"):
        assert post(server, None, files={"image_file": (name, small, "application/zip")}).status_code == 200


def test_type_level_sets_the_returned_class(server: Gunicorn, small: bytes) -> None:
    assert "X-Type" not in post(server, small, data={"type_level": "none"}).headers
    for level, subject, expected in (("1", "transportation", "other"), ("2", "transportation", "transportation"),
                                     ("latest", "graphics", "graphics"), ("1", "car_part", "car")):  # fmt: skip
        answered = post(server, small, data={"type_level": level, "type": subject})
        assert answered.headers["X-Type"] == expected


def test_more_than_one_background_is_refused(server: Gunicorn, small: bytes) -> None:
    both = {"bg_color": "fff", "bg_image_url": "https://example.org/a.jpg"}
    assert refusal(post(server, small, data=both)) == (400, "multiple_bg_sources")
    third: dict[str, Any] = {"files": {"bg_image_file": ("b.jpg", small)}, "data": {"bg_color": "fff"}}
    assert refusal(post(server, small, **third)) == (400, "multiple_bg_sources")


def test_opaque_pixels_are_unchanged(server: Gunicorn, jpeg: bytes) -> None:
    found = pixels(post(server, jpeg, data={"size": "full"}).content)
    opaque = found[..., 3] == 255
    assert opaque.mean() > 0.1
    assert np.array_equal(found[opaque][:, :3], pixels(jpeg)[opaque])
    assert not found[found[..., 3] == 0].any()


def test_chunked_body_is_accepted(server: Gunicorn, jpeg: bytes) -> None:
    body = json.dumps({"image_file_b64": base64.b64encode(jpeg).decode(), "size": "auto"}).encode()
    parts = (body[i : i + 10_000] for i in range(0, len(body), 10_000))
    answered = post(server, data=parts, headers={"Content-Type": "application/json"})
    assert "Content-Length" not in answered.request.headers
    assert (answered.status_code, answered.headers["X-Width"]) == (200, "512")


def test_exif_orientation_is_applied(server: Gunicorn, picture: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(picture)) as image:
        turned = encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif.tobytes(), quality=90)
    answered = post(server, turned, data={"size": "full"})
    assert (answered.headers["X-Width"], answered.headers["X-Height"]) == ("1600", "1200")
    assert pixels(answered.content).shape == (1200, 1600, 4)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "577x433"),
        ({"size": "small"}, "577x433"),
        ({"size": "medium"}, "1414x1060"),
        ({"size": "HD"}, "2309x1732"),
        ({"size": "4k"}, "2400x1800"),
        ({"size": "50MP"}, "2400x1800"),
    ],
)
def test_size_limits_the_results_pixels(server: Gunicorn, photo: Any, asked: dict[str, str], expected: str) -> None:
    large = encoded(photo().resize((2400, 1800)), "JPEG")
    answered = post(server, large, data=asked | {"format": "jpg"})
    assert f"{answered.headers['X-Width']}x{answered.headers['X-Height']}" == expected
    assert (answered.headers["X-Max-Width"], answered.headers["X-Max-Height"]) == ("2400", "1800")


@pytest.mark.parametrize(
    ("asked", "kind", "mode"),
    [
        ({}, "PNG", "RGBA"),
        ({"bg_color": "81d4fa"}, "JPEG", "RGB"),
        ({"bg_color": "81d4fa77"}, "PNG", "RGBA"),
        ({"bg_color": "steelblue", "format": "png"}, "PNG", "RGB"),
        ({"channels": "alpha"}, "PNG", "L"),
        ({"channels": "alpha", "format": "jpg"}, "JPEG", "L"),
        ({"format": "jpg"}, "JPEG", "RGB"),
        ({"format": "webp"}, "WEBP", "RGBA"),
    ],
)
def test_automatic_format_is_png_for_transparent_results(
    server: Gunicorn, small: bytes, asked: dict[str, str], kind: str, mode: str
) -> None:
    answered = post(server, small, data=asked)
    with Image.open(io.BytesIO(answered.content)) as image:
        assert (image.format, image.mode) == (kind, mode)
        assert answered.headers["Content-Type"] == f"image/{kind.lower()}"


def test_background_image_is_behind_the_subject(server: Gunicorn, small: bytes) -> None:
    red = encoded(Image.new("RGB", (40, 80), (255, 0, 0)), "PNG")
    answered = post(server, small, files={"bg_image_file": ("bg", red)})
    assert answered.headers["Content-Type"] == "image/jpeg"
    assert pixels(answered.content)[2, 2, 0] > 200
    assert pixels(answered.content)[2, 2, 1] < 60


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "missing_source"),
        (b"%PDF-1.7", "invalid_file_type"),
        (b"\xff\xd8\xff\xe0 no jpeg", "failed_to_read_image"),
        (encoded(Image.new("RGB", (4, 4)), "PNG"), "invalid_dimensions"),
    ],
)
def test_unusable_images_have_removebgs_codes(server: Gunicorn, data: bytes, expected: str) -> None:
    assert refusal(post(server, data)) == (400, expected)
    if expected == "invalid_file_type":
        assert re.fullmatch(r"Expected png/jpg/.*, received a PDF", post(server, data).json()["errors"][0]["detail"])


def test_pixel_limit_is_reported_in_megapixels(server: Gunicorn) -> None:
    large = encoded(Image.new("L", (10_000, 6_000)), "PNG")
    refused = post(server, large)
    assert refusal(refused) == (400, "resolution_too_high")
    detail = "Input image has 60 megapixels, maximum supported input resolution is 50 megapixels"
    assert refused.json()["errors"][0]["detail"] == detail


def test_image_without_a_subject_is_refused_by_default(server: Gunicorn, strict: Strict, blank: bytes) -> None:
    assert refusal(post(server, blank)) == (400, "unknown_foreground")
    assert strict.post(blank).status_code == 200


def test_default_size_is_configurable(strict: Strict, picture: bytes) -> None:
    assert strict.post(picture).headers["X-Width"] == "1600"
    assert strict.post(picture, data={"size": "preview"}).headers["X-Width"] == "577"


def test_invalid_regions_have_removebgs_codes(server: Gunicorn, small: bytes) -> None:
    assert refusal(post(server, small, data={"roi": "0 0 9999px 100%"})) == (400, "roi_exceeds_bounds")
    assert refusal(post(server, small, data={"roi": "50% 0 50% 100%"})) == (400, "roi_region_empty")


def test_image_urls_are_fetched_and_failures_have_removebgs_codes(strict: Strict, small: bytes) -> None:
    url = f"{strict.pictures}/photo.jpg"
    for send in ({"data": {"image_url": url}}, {"json": {"image_url": url, "crop": False}}):
        assert strict.post(**send).status_code == 200
    assert strict.post(small, data={"bg_image_url": url}).headers["Content-Type"] == "image/jpeg"
    missing = strict.post(data={"image_url": f"{strict.pictures}/gone"})
    assert refusal(missing) == (400, "failed_image_download")
    assert missing.json()["errors"][0]["title"] == "Failed to download image from given image_url: HTTP Status 404"
    for bad in ("no url", "ftp://example.org/a.jpg"):
        assert refusal(strict.post(data={"image_url": bad})) == (400, "invalid_image_url")
        assert refusal(strict.post(small, data={"bg_image_url": bad})) == (400, "invalid_bg_image_url")
        assert refusal(strict.post(path="/v1.0/improve", data={"image_url": bad})) == (400, "invalid_image_url")
    assert refusal(strict.post(json={"image_url": 7})) == (400, "invalid_image_url")
    private = {"image_url": f"http://127.0.0.1:{free_port()}/"}
    assert refusal(strict.post(data=private)) == (400, "failed_image_download")
    assert refusal(strict.post(small, data={"bg_image_url": f"{strict.pictures}/gone"})) == (400, "failed_bg_download")
    both = {"image_url": url, "image_file_b64": "AAAA"}
    assert refusal(strict.post(data=both)) == (400, "multiple_sources")


def test_improve_accepts_one_image_and_returns_an_id(server: Gunicorn, small: bytes) -> None:
    path = "/v1.0/improve"
    answered = post(server, small, path, data={"image_filename": "a.jpg", "tag": "shoes"})
    assert answered.status_code == 200
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answered.json()["id"])
    assert list(answered.json()) == ["id"]
    assert post(server, None, path, data={"image_url": "https://example.org/a.jpg"}).status_code == 200
    assert refusal(post(server, None, path)) == (400, "missing_source")
    assert refusal(post(server, b"no image", path)) == (400, "invalid_file_type")


def segmented(server: Gunicorn) -> int:
    """Return how often a model has run."""
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    found = re.search(r'stage_duration_seconds_count\{stage="segment"\} (\d+)', text)
    return int(found[1]) if found else 0


def in_work(server: Gunicorn) -> bool:
    return " 1.0" in next(
        line
        for line in requests.get(f"{server.url}/metrics", timeout=10).text.splitlines()
        if line.startswith("bg_remover_in_flight")
    )


def test_concurrent_identical_requests_are_processed_once(strict: Strict, photo_12mp: bytes) -> None:
    before = segmented(strict.server)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(strict.post, photo_12mp, data={"size": "full"})
        poll(lambda: in_work(strict.server), what="the first one in work")
        second = pool.submit(strict.post, photo_12mp, data={"size": "full"})
        other = pool.submit(strict.post, photo_12mp, data={"size": "hd"})
        answers = [f.result() for f in (first, second, other)]
    assert [a.status_code for a in answers] == [200] * 3
    assert answers[0].content == answers[1].content != answers[2].content
    assert "wait;" in answers[1].headers["Server-Timing"]
    assert "segment;" in answers[0].headers["Server-Timing"]
    assert segmented(strict.server) - before == 2


def test_retry_after_a_disconnect_gets_the_first_result(strict: Strict, photo_12mp: bytes) -> None:
    before = segmented(strict.server)
    boundary = "b"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image_file"; filename="a"\r\n\r\n'
    size = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="size"\r\n\r\n50MP\r\n--{boundary}--\r\n'
    body = head.encode() + photo_12mp + size.encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "X-Api-Key": strict.free}
    impatient = http.client.HTTPConnection("127.0.0.1", strict.server.port, timeout=30)
    impatient.request("POST", PATH, body, headers)
    poll(lambda: in_work(strict.server), what="the first try in work")
    impatient.close()
    answered = requests.post(strict.server.url + PATH, data=body, headers=headers, timeout=60)
    assert answered.status_code == 200
    assert "wait;" in answered.headers["Server-Timing"]
    poll(lambda: segmented(strict.server) - before == 1, 30, "one segmentation")
