"""CarveKit's, withoutBG's, Photoroom's and Clipdrop's APIs over HTTP: requests that their clients send."""

import base64
import io
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest
import requests
from PIL import Image

from services.api_keys.keys import create_key
from services.persistence.database import Database
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.images import encoded, pixels

CARVEKIT: Final = "/api/removebg"
WITHOUTBG: Final = "/v1/remove-background"
CLOUD: Final = "/v1.0/alpha-channel-base64"
PHOTOROOM: Final = "/v1/segment"
CLIPDROP: Final = "/remove-background/v1"
PATHS: Final = (CARVEKIT, WITHOUTBG, CLOUD, PHOTOROOM, CLIPDROP)


@pytest.fixture(scope="module")
def translucent() -> bytes:
    """A grey picture whose left half is half transparent."""
    image = Image.new("RGBA", (64, 48), (90, 120, 150, 255))
    image.paste((200, 100, 50, 128), (0, 0, 32, 48))
    return encoded(image, "PNG")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gunicorn, str]]:
    """A server that requires keys and allows one removal of each kind, and a key."""
    url = f"sqlite:///{tmp_path_factory.mktemp('keys')}/keys.db"
    key, _ = create_key(Database(url), name="shop")
    settings: dict[str, Any] = {"AUTH_REQUIRED": "true", "DATABASE_URL": url, "RATE_LIMIT_ENABLED": "true"}
    settings |= {"RATE_LIMIT_REMOVE_BG_PER_HOUR": 1, "RATE_LIMIT_BASE64_PER_HOUR": 1}
    with QuickGunicorn(**settings, RATE_LIMIT_REMOVEBG_PER_MINUTE=1) as server:
        yield server, key


def post(server: Gunicorn, path: str, image: bytes | None = None, **send: Any) -> requests.Response:
    """Post a form as the service of the path takes it."""
    field = "image" if path == WITHOUTBG else "image_file"
    if image is not None and path == CLOUD:
        send["json"] = {"image_base64": base64.b64encode(image).decode()}
    elif image is not None:
        send["files"] = {field: ("photo.jpg", image), **send.get("files", {})}
    return requests.post(server.url + path, timeout=60, **send)


def words(path: str, answered: requests.Response) -> str:
    """Return the text of an error; check that its body has exactly the keys of the service."""
    assert answered.headers["Content-Type"] == "application/json"
    assert answered.headers["Access-Control-Allow-Origin"] == "*"
    body = answered.json()
    if path in (CARVEKIT, "/api/account"):
        assert list(body) == ["errors"]
        assert [list(error) for error in body["errors"]] == [["title"]]
        found = body["errors"][0]["title"]
    elif path == PHOTOROOM:
        assert list(body) == ["detail", "status_code", "type"]
        assert body["status_code"] == answered.status_code
        found = body["detail"]
    else:
        framework = path == WITHOUTBG and answered.status_code in (404, 405)
        cloud = path in (CLOUD, "/available-credit")
        assert list(body) == (["detail", "error"] if cloud else ["detail" if framework else "error"])
        found = next(iter(body.values()))
    assert isinstance(found, str)
    assert found
    return found


def native(server: Gunicorn, data: bytes, **options: str) -> bytes:
    files = {"file": ("a.jpg", data)}
    return requests.post(f"{server.url}/remove-background", files=files, data=options, timeout=60).content


def test_carvekit_answers_as_removebg_with_full_size(server: Gunicorn, jpeg: bytes) -> None:
    full = post(server, CARVEKIT, jpeg)
    assert (full.headers["X-Width"], full.headers["X-Credits-Charged"]) == ("512", "0")
    assert post(server, CARVEKIT, jpeg, data={"size": "preview"}).headers["X-Width"] == "500"
    text = base64.b64encode(jpeg).decode()
    assert post(server, CARVEKIT, json={"image_file_b64": text}).content == full.content
    assert post(server, CARVEKIT, data={"image_file_b64": text}).content == full.content
    account = requests.get(f"{server.url}/api/account", timeout=10).json()["data"]["attributes"]
    assert {*account["credits"].values(), account["api"]["free_calls"]} == {99_999}
    assert words(CARVEKIT, post(server, CARVEKIT)) == "File not found"
    assert full.headers["X-RateLimit-Limit"] == "500"


def test_removebg_client_works_with_carvekits_url(server: Gunicorn, jpeg: bytes) -> None:
    """Replay `remove_bg_api` with `API_URL = "http://host/api"`, as CarveKit's documentation has it."""
    headers = {"X-Api-Key": "any"}
    before = requests.get(f"{server.url}/api/account", headers=headers, timeout=10).json()
    assert before["data"]["attributes"]["credits"]["total"] > 0
    answered = post(server, CARVEKIT, jpeg, data={"size": "regular", "type": "auto", "format": "auto"}, headers=headers)
    assert int(answered.headers["X-Credits-Charged"]) == 0


def test_withoutbg_returns_png_for_a_body_and_for_a_form(server: Gunicorn, jpeg: bytes) -> None:
    own = native(server, jpeg)
    raw = {kind: post(server, WITHOUTBG, data=jpeg, headers={"Content-Type": kind}) for kind in ("image/jpeg", None)}
    raw["application/octet-stream"] = post(
        server, WITHOUTBG, data=jpeg, headers={"Content-Type": "application/octet-stream"}
    )
    raw["curl"] = post(server, WITHOUTBG, data=jpeg, headers={"Content-Type": "application/x-www-form-urlencoded"})
    for answered in (
        *raw.values(),
        post(server, WITHOUTBG, jpeg),
        post(server, f"{WITHOUTBG}?output=processed", data=jpeg),
    ):
        assert (answered.status_code, answered.headers["Content-Type"]) == (200, "image/png")
        assert answered.content == own
        assert int(answered.headers["X-Latency-Ms"]) > 0
    matte = post(server, WITHOUTBG, jpeg, params={"output": "matte"})
    assert matte.content == native(server, jpeg, output="mask")


def test_withoutbg_returns_cut_out_and_matte_of_one_run_for_json(server: Gunicorn, jpeg: bytes) -> None:
    text = base64.b64encode(jpeg).decode()
    before = runs(server)
    answered = post(server, WITHOUTBG, json={"image": text})
    assert runs(server) == before + 1
    body = answered.json()
    assert list(body) == ["processed", "alphaMatte", "latencyMs"]
    assert body["latencyMs"] > 0
    cutout, matte = (decoded(body[name]) for name in ("processed", "alphaMatte"))
    assert cutout == native(server, jpeg)
    assert np.array_equal(pixels(matte), pixels(native(server, jpeg, output="mask")))
    assert (
        post(server, WITHOUTBG, json={"image": f"data:image/jpeg;base64,{text}"}).json()["processed"]
        == body["processed"]
    )


def decoded(uri: str) -> bytes:
    head, _, text = uri.partition(",")
    assert head == "data:image/png;base64"
    return base64.b64decode(text)


def runs(server: Gunicorn) -> int:
    """Return how often a model has run."""
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    line = next(row for row in text.splitlines() if 'duration_seconds_count{stage="segment"}' in row)
    return int(float(line.rsplit(" ", 1)[1]))


def test_withoutbgs_cloud_returns_the_matte_as_base64(server: Gunicorn, jpeg: bytes) -> None:
    answered = post(server, CLOUD, jpeg, headers={"X-API-Key": "any"})
    assert list(answered.json()) == ["alpha_base64"]
    assert base64.b64decode(answered.json()["alpha_base64"]) == native(server, jpeg, output="mask")
    credit = requests.get(f"{server.url}/available-credit", headers={"X-API-Key": "any"}, timeout=10).json()
    assert credit == {"credit": 99_999, "expiration_date": "9999-12-31"}


@pytest.mark.parametrize(
    ("path", "send", "status"),
    [
        (WITHOUTBG, {}, 400),
        (WITHOUTBG, {"json": {}}, 400),
        (WITHOUTBG, {"json": {"image": 7}}, 400),
        (WITHOUTBG, {"json": {"image": "no base64!"}}, 400),
        (WITHOUTBG, {"json": ["image"]}, 400),
        (WITHOUTBG, {"data": b"no image"}, 415),
        (WITHOUTBG, {"data": b"x", "params": {"output": "mask"}}, 400),
        (WITHOUTBG, {"files": {"file": b"x"}}, 400),
        (CLOUD, {"json": {"image": "x"}}, 400),
        (CLOUD, {"data": b"{"}, 400),
        (PHOTOROOM, {}, 400),
        (PHOTOROOM, {"files": {"image_file": b"no image"}}, 415),
        (PHOTOROOM, {"files": {"image": b"x"}}, 400),
        (PHOTOROOM, {"json": {}}, 415),
        (CLIPDROP, {}, 400),
        (CLIPDROP, {"files": {"image_file": b"no image"}}, 400),
        (CLIPDROP, {"files": {"image": b"x"}}, 400),
        (CARVEKIT, {"files": {"image_file": b"no image"}}, 400),
    ],
)
def test_bad_request_has_the_services_error(server: Gunicorn, path: str, send: dict[str, Any], status: int) -> None:
    refused = post(server, path, **send)
    assert refused.status_code == status
    assert words(path, refused)


def test_photoroom_returns_a_picture_or_json(server: Gunicorn, jpeg: bytes) -> None:
    own = native(server, jpeg)
    answered = post(server, PHOTOROOM, jpeg, headers={"x-api-key": "any", "Accept": "image/png, application/json"})
    assert (answered.headers["Content-Type"], answered.content) == ("image/png", own)
    assert -1 <= float(answered.headers["x-uncertainty-score"]) < 0.5
    as_json = post(server, PHOTOROOM, jpeg, headers={"Accept": "application/json"})
    assert list(as_json.json()) == ["base64img"]
    assert base64.b64decode(as_json.json()["base64img"]) == own
    assert as_json.headers["x-uncertainty-score"] == answered.headers["x-uncertainty-score"]


def test_photorooms_fields_change_the_picture(server: Gunicorn, jpeg: bytes) -> None:
    given = {"format": "jpg", "bg_color": "FF0000", "size": "preview", "crop": "false", "despill": "true"}
    with Image.open(io.BytesIO(post(server, PHOTOROOM, jpeg, data=given).content)) as image:
        assert (image.format, image.size) == ("JPEG", (500, 500))
        assert np.asarray(image)[2, 250, 0] > 200
    assert post(server, PHOTOROOM, jpeg, data={"channels": "alpha"}).content == native(server, jpeg, output="mask")
    assert post(server, PHOTOROOM, jpeg, data={"crop": "true"}).content == native(server, jpeg, crop="true")
    webp = post(server, PHOTOROOM, jpeg, data={"format": "webp"})
    assert webp.headers["Content-Type"] == "image/webp"
    refused = post(server, PHOTOROOM, jpeg, data={"size": "huge"})
    assert "preview, medium, hd, full" in words(PHOTOROOM, refused)
    assert post(server, PHOTOROOM).json()["type"] == "missing_image"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("*/*", "png"), ("image/png", "png"), ("image/webp", "webp"), ("image/jpeg", "jpeg"), ("image/avif", "png")],
)
def test_clipdrop_chooses_the_format_by_accept(server: Gunicorn, jpeg: bytes, accept: str, kind: str) -> None:
    answered = post(server, CLIPDROP, jpeg, headers={"x-api-key": "any", "Accept": accept})
    assert (answered.status_code, answered.headers["Content-Type"]) == (200, f"image/{kind}")
    assert (answered.headers["x-remaining-credits"], answered.headers["x-credits-consumed"]) == ("99999", "0")
    assert answered.content == native(server, jpeg, format=kind)


def test_clipdrop_returns_transparent_input_unless_its_alpha_is_discarded(server: Gunicorn, translucent: bytes) -> None:
    for given in ({}, {"transparency_handling": "return_input_if_non_opaque"}):
        assert np.array_equal(pixels(post(server, CLIPDROP, translucent, data=given).content), pixels(translucent))
    cut = post(server, CLIPDROP, translucent, data={"transparency_handling": "discard_alpha_layer"})
    opaque = encoded(Image.open(io.BytesIO(translucent)).convert("RGB"), "PNG")
    assert cut.content == native(server, opaque)
    refused = post(server, CLIPDROP, translucent, data={"transparency_handling": "keep"})
    assert "return_input_if_non_opaque" in words(CLIPDROP, refused)


def test_unknown_methods_and_paths_have_the_services_error(server: Gunicorn) -> None:
    for path in (*PATHS, "/api/account", "/available-credit"):
        refused = requests.request("DELETE", server.url + path, headers={"Origin": "https://a.example"}, timeout=10)
        assert refused.status_code == 405
        assert "Allow" in refused.headers
        assert words(path, refused)
        missing = requests.get(f"{server.url}{path}/unknown", headers={"Origin": "https://a.example"}, timeout=10)
        assert missing.status_code == 404
        assert words(path, missing)
    # A neighbour has this service's own error.
    assert requests.get(f"{server.url}/v1/other", timeout=10).json()["code"] == "not_found"


def test_keys_and_quotas_are_refused_in_the_services_words(locked: tuple[Gunicorn, str], small: bytes) -> None:
    server, key = locked
    statuses = {CARVEKIT: (403, 403), CLIPDROP: (401, 403)}
    for path in PATHS:
        refused = (post(server, path, small), post(server, path, small, headers={"x-api-key": "wrong"}))
        assert tuple(answered.status_code for answered in refused) == statuses.get(path, (401, 401))
        assert all(words(path, answered) for answered in refused)
        sent = {"x-api-key": key}
        assert post(server, path, small, headers=sent).status_code == 200
        limited = post(server, path, small, headers=sent)
        assert limited.status_code == 429
        assert int(limited.headers["Retry-After"]) >= 1
        assert words(path, limited)
    for sent in ({}, {"x-api-key": "wrong"}):
        assert words(CARVEKIT, post(server, CARVEKIT, small, headers=sent)) == "Missing API Key"
        assert requests.get(f"{server.url}/available-credit", headers=sent, timeout=10).status_code == 401
    # CarveKit's account needs no key.
    assert requests.get(f"{server.url}/api/account", timeout=10).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_too_large_image_is_refused_in_the_services_words(server: Gunicorn, path: str) -> None:
    for size in (23_000_000, 40_000_000):
        refused = post(server, path, b"\xff\xd8\xff" + bytes(size))
        assert refused.status_code == (400 if path in (CARVEKIT, CLIPDROP) else 413)
        assert words(path, refused)
