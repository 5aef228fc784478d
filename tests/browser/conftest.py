"""Fixtures of the page's tests: Chromium, the service with and without jobs, and tabs that may have no problem."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.support import tiny_models
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
from tests.support.studio import ARGUMENTS, HOST, PLAIN_HOST, Studio, Tabs, chromium, studio

# Every test here starts a browser.
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


# Not for the session: Playwright keeps an event loop running in its thread, which other tests must not meet.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = chromium()
    if not path:
        pytest.skip("there is no Chromium (on Debian: apt install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def tabs(browser: Browser) -> Iterator[Tabs]:
    """Opens tabs; the test fails if one had a console error, a policy report, or a failed or foreign request."""
    opened = Tabs(browser)
    yield opened
    if HOST == PLAIN_HOST:
        assert not any(tab.page.evaluate("isSecureContext") for tab in opened.open_tabs if not tab.page.is_closed())
    problems = opened.unexpected()
    opened.close()
    assert not problems


@pytest.fixture(scope="session")
def direct() -> Iterator[Gunicorn]:
    """The service without jobs, with a tiny model: every mask is an oval in the middle."""
    with Gunicorn(**tiny_models.quick(tiny_models.oval)) as running:
        yield running


@pytest.fixture(scope="session")
def with_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The service with jobs, a worker and a queue, for tests that stop none of them."""
    with studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="session")
def photo_files(tmp_path_factory: pytest.TempPathFactory, photo: Callable[[str], Image.Image]) -> list[Path]:
    """Four small photographs as JPEG files."""
    folder = tmp_path_factory.mktemp("photos")
    made = []
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        path = folder / f"{name}.jpg"
        picture = photo(name)
        picture.thumbnail((240, 240))
        path.write_bytes(encoded(picture, "JPEG", quality=88))
        made.append(path)
    return made
