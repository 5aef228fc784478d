"""The documentation in a real browser: a form with nothing but a photo gives a picture, the samples work."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import browser as chromium
from tests.support.browser import Browser
from tests.support.gunicorn import Gunicorn
from tests.support.waiting import poll

pytestmark = pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing())
PICTURE = """
const link = document.querySelector(arguments[0] + " .live-responses-table a[download]");
const shown = document.querySelector(arguments[0] + " .live-responses-table img");
if (!link && !shown) return null;
const image = new Image();
image.src = shown ? shown.src : link.href;
return image.decode().then(() => [image.naturalWidth, image.naturalHeight]);
"""


@pytest.fixture(scope="session")
def server(quick_server: Gunicorn) -> Gunicorn:
    """A server with the tiny model: no test here checks a mask."""
    return quick_server


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with Browser() as running:
        yield running


def open_operation(window: Browser, server: Gunicorn, tag: str, name: str) -> str:
    """Open one operation; return the selector of its block."""
    window.open("about:blank")
    window.open(f"{server.url}/docs#/{tag}/{name}")
    block = f'.opblock.is-open[id$="-{name}"]'
    window.find(f"{block} .btn.execute")
    return block


def executed(window: Browser, block: str) -> str:
    window.find(f"{block} .btn.execute").click()
    window.find(f"{block} .live-responses-table .response-col_status")
    command: str = window.run("return document.querySelector(arguments[0]).innerText", f"{block} .curl-command")
    return command


@pytest.mark.parametrize(
    ("tag", "name", "field"),
    [
        ("removal", "post_remove_background", "file"),
        pytest.param("removal", "post_remove_background_preview", "file", marks=pytest.mark.long),
        pytest.param("rembg", "post_api_remove", "file", marks=pytest.mark.long),
        pytest.param("remove.bg", "post_v1_0_removebg", "image_file", marks=pytest.mark.long),
    ],
)
def test_form_with_only_the_file_gives_a_picture(
    window: Browser, server: Gunicorn, jpeg: bytes, tmp_path: Path, tag: str, name: str, field: str
) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    block = open_operation(window, server, tag, name)
    window.find(f'{block} tr[data-property-name="{field}"] input[type=file]').type(tmp_path / "photo.jpg")
    command = executed(window, block)
    assert command.count("-F ") == 1
    assert f"-F '{field}=@photo.jpg" in command
    poll(lambda: window.run(PICTURE, block), what="the picture")
    width, height = window.run(PICTURE, block)
    assert width == height > 0
    assert window.complaints() == []


@pytest.mark.long
def test_each_option_is_shown_once(window: Browser, server: Gunicorn) -> None:
    block = open_operation(window, server, "removal", "post_remove_background")
    names: list[str] = window.run(
        "return [...document.querySelectorAll(arguments[0] + ' .parameter__name')]"
        ".map(cell => cell.firstChild.textContent)",
        f"{block} .opblock-section",
    )
    assert {"file", "format", "background", "image_url"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.long
def test_json_sample_gives_a_picture_as_it_stands(window: Browser, server: Gunicorn) -> None:
    block = open_operation(window, server, "removal", "post_remove_background_base64")
    executed(window, block)
    text: str = window.run("return document.querySelector(arguments[0]).innerText", f"{block} .live-responses-table")
    assert '"success": true' in text


@pytest.mark.parametrize(
    "path",
    [
        *("/remove-background-base64", "/v1.0/removebg", "/v1.0/improve"),
        *("/v1/remove-background", "/v1.0/alpha-channel-base64"),
    ],
)
def test_sample_of_a_json_body_is_accepted(server: Gunicorn, path: str) -> None:
    document: dict[str, Any] = requests.get(f"{server.url}/openapi.json", timeout=10).json()
    sample = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert requests.post(server.url + path, json=sample, timeout=60).status_code == 200


def test_reference_loads_nothing_foreign_and_shows_every_operation(window: Browser, server: Gunicorn) -> None:
    document: dict[str, Any] = requests.get(f"{server.url}/openapi.json", timeout=10).json()
    window.open(f"{server.url}/redoc")
    loaded: list[str] = window.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(url.startswith(server.url) for url in loaded)
    assert window.run("return document.scripts.length") == 0
    shown = window.run("return document.querySelectorAll('section').length")
    assert shown == sum(len(operations) for operations in document["paths"].values())
    assert window.complaints() == []
