"""The HTTP contract of each endpoint."""

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.support.gunicorn import Gunicorn, QuickGunicorn


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def post(server: Gunicorn, path: str, photo: bytes, **more: Any) -> requests.Response:
    return requests.post(f"{server.url}{path}", files={"file": ("My photo.jpeg", photo)}, timeout=60, **more)


def test_result_is_a_download_named_after_the_photo(server: Gunicorn, small: bytes) -> None:
    answer = post(server, "/remove-background", small)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="My photo-no-bg.png"'
    answer = post(server, "/remove-background", small, data={"format": "jpg"})
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="My photo-no-bg.jpg"'


def test_file_field_image_field_and_raw_body_give_the_same_result(server: Gunicorn, small: bytes) -> None:
    url = f"{server.url}/remove-background"
    by_file = post(server, "/remove-background", small).content
    by_image = requests.post(url, files={"image": ("a", small)}, timeout=60).content
    raw = [
        requests.post(url, data=small, headers={"Content-Type": kind} if kind else {}, timeout=60).content
        for kind in ("image/jpeg", "image/png", "application/octet-stream", "")
    ]
    # The declared type is ignored.
    assert {by_file, by_image, *raw} == {by_file}


def test_preview_is_inline_and_bounded(server: Gunicorn, photo_12mp: bytes) -> None:
    answer = post(server, "/remove-background-preview", photo_12mp)
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert opened(answer.content).size == (1024, 768)
    smaller = post(server, "/remove-background-preview", photo_12mp, data={"max_width": "200"})
    assert opened(smaller.content).size == (200, 150)
    larger = post(server, "/remove-background-preview", photo_12mp, data={"max_width": "4000"})
    assert opened(larger.content).size == (1024, 768)


def test_base64_endpoint_gives_the_same_image(server: Gunicorn, jpeg: bytes) -> None:
    url, text = f"{server.url}/remove-background-base64", base64.b64encode(jpeg).decode()
    wrapped = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    answer = post(server, "/remove-background", jpeg, data={"format": "webp", "quality": "60"})
    expected = answer.content
    box = {side: int(answer.headers[f"X-Foreground-{side}"]) for side in ("top", "left", "width", "height")}
    for sent in (text, wrapped, f"data:image/jpeg;base64,{text}"):
        answer = requests.post(url, json={"image": sent, "format": "webp", "quality": 60}, timeout=60)
        body = answer.json()
        assert base64.b64decode(body["image"]) == expected
        assert body == {
            "success": True,
            "image": body["image"],
            "mimetype": "image/webp",
            "size": len(expected),
            "width": 512,
            "height": 512,
            "foreground": box,
            "model": "u2netp",
            "confidence": body["confidence"],
            "frames": 1,
            "duration_ms": None,
            "optimization": {
                "format": "webp",
                "quality": 60,
                "dimensions": "512x512",
                "compression_ratio": round(len(jpeg) / len(expected), 3),
                "original_size": len(jpeg),
                "optimized_size": len(expected),
            },
        }
    uri = requests.post(url, json={"image": text, "data_uri": "yes"}, timeout=60).json()
    assert uri["image"].startswith("data:image/png;base64,iVBOR")
    assert uri["optimization"]["quality"] is None


def test_accept_json_returns_the_image_as_json(server: Gunicorn, jpeg: bytes) -> None:
    for path in ("/remove-background", "/remove-background-preview"):
        answer = post(server, path, jpeg, headers={"Accept": "application/json"})
        assert answer.headers["Content-Type"] == "application/json"
        assert opened(base64.b64decode(answer.json()["image"])).size == (512, 512)
    for accept in ("application/json, text/plain, */*", "*/*", "image/*", "nonsense", ""):
        assert (
            post(server, "/remove-background", jpeg, headers={"Accept": accept}).headers["Content-Type"] == "image/png"
        )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/webp", "image/webp"),
        ("image/jpeg", "image/jpeg"),
        ("image/webp;q=0.2, image/jpeg;q=0.9", "image/jpeg"),
        ("image/png, image/webp", "image/png"),
        ("image/webp;q=0.5, */*", "image/png"),
        ("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "image/webp"),
        ("image/avif, image/webp;q=0.9", "image/avif"),
        ("application/zip", "application/zip"),
    ],
)
def test_accept_sets_the_format_and_options_override_it(server: Gunicorn, small: bytes, accept: str, kind: str) -> None:
    headers = {"Accept": accept}
    assert post(server, "/remove-background", small, headers=headers).headers["Content-Type"] == kind
    asked = post(server, "/remove-background", small, headers=headers, data={"format": "png"})
    assert asked.headers["Content-Type"] == "image/png"
    preset = post(server, "/remove-background", small, headers=headers, data={"preset": "social"})
    assert preset.headers["Content-Type"] == "image/png"


def test_responses_carry_timings_and_a_request_id(server: Gunicorn, small: bytes) -> None:
    answer = post(server, "/remove-background", small, headers={"X-Request-ID": "abc-1._Z"})
    steps = [part.split(";dur=")[0] for part in answer.headers["Server-Timing"].split(", ")]
    assert steps == ["queue", "decode", "segment", "refine", "decontaminate", "compose", "encode", "total"]
    assert answer.headers["X-Request-ID"] == "abc-1._Z"
    assert len(requests.get(f"{server.url}/health/live", timeout=10).headers["X-Request-ID"]) == 32


def test_headers_describe_size_foreground_box_and_options(server: Gunicorn, jpeg: bytes) -> None:
    answer = post(server, "/remove-background", jpeg, data={"preset": "optimized", "shadow": "drop", "crop": "yes"})
    image = opened(answer.content)
    headers = {name.removeprefix("X-"): value for name, value in answer.headers.items() if name.startswith("X-")}
    assert (headers["Width"], headers["Height"]) == (str(image.width), str(image.height))
    left, top, width, height = (int(headers[f"Foreground-{n}"]) for n in ("Left", "Top", "Width", "Height"))
    assert left + width <= image.width
    # The shadow is below the foreground.
    assert top + height < image.height
    whole = np.asarray(opened(post(server, "/remove-background", jpeg).content))[..., 3] > 10
    assert (width, height) == (int(whole.any(axis=0).sum()), int(whole.any(axis=1).sum()))
    assert (headers["Original-Size"], headers["Optimized-Size"]) == (str(len(jpeg)), str(len(answer.content)))
    assert headers["Optimization-Used"] == "format=webp; quality=70; max_width=1200; max_height=800"
    assert post(server, "/remove-background", jpeg).headers["X-Optimization-Used"] == "format=png"
    preview = post(server, "/remove-background-preview", jpeg)
    assert preview.headers["X-Optimization-Used"] == "format=png; max_width=1024; max_height=1024"


def test_zip_is_a_download_of_two_files(server: Gunicorn, small: bytes) -> None:
    answer = post(server, "/remove-background", small, data={"format": "zip"})
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="My photo-no-bg.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["color.jpg", "alpha.png"]
        mask = post(server, "/remove-background", small, data={"output": "mask"}).content
        assert list(opened(archive.read("alpha.png")).tobytes()) == list(opened(mask).tobytes())


def behind(colour: str = "steelblue") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return out.getvalue()


def test_background_image_is_accepted_as_file_and_base64(server: Gunicorn, small: bytes) -> None:
    url = f"{server.url}/remove-background"
    files: dict[str, Any] = {"file": small, "background_image": ("b.png", behind())}
    by_form = requests.post(url, files=files, timeout=60)
    as_colour = post(server, "/remove-background", small, data={"background": "steelblue"})
    assert by_form.status_code == 200, by_form.text
    assert by_form.content == as_colour.content
    text = base64.b64encode(behind()).decode()
    for sent in (text, f"data:image/png;base64,{text}"):
        body = {"image": base64.b64encode(small).decode(), "background_image": sent}
        answer = requests.post(f"{url}-base64", json=body, timeout=60).json()
        assert base64.b64decode(answer["image"]) == as_colour.content
    files["background_image"] = ("", b"")
    # A web form sends an empty field like this.
    nothing = requests.post(url, files=files, timeout=60)
    assert nothing.content == post(server, "/remove-background", small).content


@pytest.mark.parametrize(
    ("sent", "status", "code", "words"),
    [
        ({"files": {"background_image": b"%PDF-1.7"}}, 415, "unsupported_format", ("PDF",)),
        ({"files": {"background_image": behind()[:60]}}, 422, "corrupt_image", ()),
        ({"files": {"background_image": ("b.png", b"")}}, 400, "empty_image", ("background_image",)),
        ({"data": {"background_image": "b.png"}}, 400, "bad_option", ("background_image is 'b.png'", "a file")),
        ({"params": {"background_image": "b.png"}}, 400, "bad_option", ("background_image is 'b.png'", "a file")),
        (
            {"files": {"background_image": behind()}, "data": {"background": "red"}}, 400, "bad_option",
            ("background and background_image",),
        ),
    ],
    ids=["pdf", "damaged", "empty", "text", "query", "two"],
)  # fmt: skip
def test_bad_background_image_is_refused(
    server: Gunicorn, small: bytes, sent: dict[str, Any], status: int, code: str, words: tuple[str, ...]
) -> None:
    request = {**sent, "files": {"file": small, **sent.get("files", {})}}
    answer = requests.post(f"{server.url}/remove-background", timeout=60, **request)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert all(word in answer.json()["details"] for word in words), answer.json()


def test_bad_background_image_in_json_is_refused(server: Gunicorn, small: bytes) -> None:
    image = base64.b64encode(small).decode()
    for value, code in (
        (7, "bad_option"),
        (["a"], "bad_option"),
        ("!!!", "bad_base64"),
        ("AAAA", "unsupported_format"),
    ):
        body = {"image": image, "background_image": value}
        answer = requests.post(f"{server.url}/remove-background-base64", json=body, timeout=60)
        assert answer.json()["code"] == code
    twice = [("file", small), ("background_image", behind()), ("background_image", behind())]
    answer = requests.post(f"{server.url}/remove-background", files=twice, timeout=60)
    assert "background_image is '2 files'" in answer.json()["details"]


@pytest.mark.parametrize(("roi", "why"), [("0 0 513px 10px", "exceeds"), ("50% 0 50% 100%", "empty")])
def test_impossible_region_is_refused(server: Gunicorn, jpeg: bytes, roi: str, why: str) -> None:
    answer = post(server, "/remove-background", jpeg, data={"roi": roi})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
    assert answer.json()["details"].startswith("roi is ")
    assert why in answer.json()["details"]


def test_cors_allows_any_origin_and_exposes_headers(server: Gunicorn, small: bytes) -> None:
    answer = post(server, "/remove-background", small, headers={"Origin": "https://shop.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"X-Request-ID", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= exposed
    assert {"Retry-After", "Server-Timing"} <= exposed
    assert {name for name in answer.headers if name.startswith("X-") and name != "X-Content-Type-Options"} <= exposed
    preflight = requests.options(
        f"{server.url}/remove-background-base64",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
        timeout=10,
    )
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize(
    "path", ["/metrics", "/api/metrics", "/read-file", "/api/admin/cleanup", "/health", "/health/live"]
)
def test_cors_is_off_for_operators_paths(server: Gunicorn, path: str) -> None:
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("OPTIONS", "GET", "POST"):
        headers = requests.request(method, server.url + path, headers=preflight, timeout=10).headers
        assert not [name for name in headers if name.lower().startswith("access-control-")]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "scripts"),
    [
        ("/", True),
        ("/docs", True),
        ("/models", False),
        ("/nowhere", False),
        ("/static/docs.js", True),
        ("/static/icon.svg", False),
    ],
)
def test_service_itself_forbids_frames_and_foreign_scripts(server: Gunicorn, path: str, scripts: bool) -> None:
    headers = requests.get(server.url + path, timeout=10).headers
    policy = dict(part.split(maxsplit=1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy.get("script-src") == ("'self'" if scripts else None)


def test_cors_allows_only_listed_origins(small: bytes) -> None:
    with QuickGunicorn(CORS_ORIGINS="https://a.example, https://b.example", FRONTEND_URL="https://c.example") as server:
        for origin, granted in (
            ("https://b.example", True),
            ("https://c.example", True),
            ("https://evil.example", False),
        ):
            answer = requests.get(f"{server.url}/models", headers={"Origin": origin}, timeout=10)
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if granted else None)


def test_root_serves_a_page_to_browsers_and_json_to_programs(server: Gunicorn) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
    for headers in (browser, {"Accept": "*/*"}):
        page = requests.get(server.url, headers=headers, timeout=10)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "Background Remover" in page.text
        # The page loads nothing from other hosts.
        assert "://" not in page.text
    for path in ("/static/app/main.js", "/static/style.css", "/static/icon.svg"):
        assert requests.get(server.url + path, timeout=10).status_code == 200
    body = requests.get(server.url, headers={"Accept": "application/json"}, timeout=10).json()
    assert (body["name"], body["model"]) == ("Background Remover API", "u2netp")
    assert body["limits"]["max_content_length"] == 16777216
    assert body["limits"]["per_hour"]["/remove-background"] == 10
    assert {"/remove-background", "/health", "/docs"} <= set(body["endpoints"])


def test_browser_at_a_wrong_address_gets_a_page_that_leads_on(server: Gunicorn) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    page = requests.get(f"{server.url}/api/jobs/nothing?<b>", headers=browser, timeout=10)
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert page.headers["X-Request-ID"] in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    for path in re.findall(r'(?:href|src)="([^"]+)"', page.text):
        assert requests.get(server.url + path, headers=browser, timeout=10).status_code == 200
    for path in ("/nothing", "/v1.0/nothing"):
        assert requests.get(server.url + path, timeout=10).headers["Content-Type"].startswith("application/json")
    assert requests.get(f"{server.url}/v1.0/nothing", headers=browser, timeout=10).json()["errors"]


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory, jpeg: bytes) -> Iterator[tuple[Gunicorn, Path, str]]:
    """A server with READ_FILE_DIR, that folder, and the text of its files `photo.txt` and `sub/photo.txt`."""
    folder = tmp_path_factory.mktemp("files")
    text = base64.encodebytes(jpeg).decode()
    (folder / "sub").mkdir()
    for name in ("photo.txt", "sub/photo.txt"):
        (folder / name).write_text(text)
    with QuickGunicorn(READ_FILE_DIR=folder) as server:
        yield server, folder, text


def read(server: Gunicorn, path: object) -> requests.Response:
    return requests.post(f"{server.url}/read-file", json={"path": path}, timeout=10)


def test_base64_text_file_is_read(reading: tuple[Gunicorn, Path, str]) -> None:
    server, _, text = reading
    for path in ("photo.txt", "sub/photo.txt"):
        assert read(server, path).json() == {"success": True, "content": text, "size": len(text)}


def test_other_files_are_refused(reading: tuple[Gunicorn, Path, str], tmp_path: Path, small: bytes) -> None:
    import os

    server, folder, text = reading
    (tmp_path / "secret.txt").write_text(text)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "inside.txt").symlink_to(folder / "photo.txt")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    (folder / "plain.txt").write_text("not base64 at all!")
    (folder / "words.txt").write_text(base64.b64encode(b"hello, I am no image").decode())
    (folder / "photo.jpg").write_bytes(small)
    (folder / "empty.txt").write_text("")
    (folder / "huge.txt").write_text("A" * 30_000_000)
    expected = {
        "../secret.txt": (403, "forbidden_path"),
        "sub/../photo.txt": (403, "forbidden_path"),
        "./photo.txt": (403, "forbidden_path"),
        str(folder / "photo.txt"): (403, "forbidden_path"),
        "/etc/passwd": (403, "forbidden_path"),
        "photo.jpg": (403, "forbidden_path"),
        "photo.txt\0.jpg": (403, "forbidden_path"),
        "..\\secret.txt": (403, "forbidden_path"),
        "link.txt": (403, "forbidden_path"),
        "inside.txt": (403, "forbidden_path"),
        "linked/secret.txt": (404, "not_found"),
        "folder.txt": (403, "forbidden_path"),
        "pipe.txt": (403, "forbidden_path"),
        "nothing.txt": (404, "not_found"),
        "photo.txt/x.txt": (404, "not_found"),
        "plain.txt": (400, "bad_base64"),
        "words.txt": (415, "unsupported_format"),
        "empty.txt": (400, "empty_image"),
        "huge.txt": (413, "upload_too_large"),
        "x" * 300 + ".txt": (403, "forbidden_path"),
        "": (400, "bad_option"),
        7: (400, "bad_option"),
        None: (400, "bad_option"),
    }
    for path, (status, code) in expected.items():
        answer = read(server, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
        assert str(folder) not in answer.text.replace(str(path), "")
