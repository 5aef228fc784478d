"""Drive a real browser, Chromium, through ChromeDriver's WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final, Self

import requests

from tests.support.waiting import free_port, poll

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
# Nothing but the page under test is loaded.
ARGUMENTS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1200,2000"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


def missing() -> str:
    """Return what is missing for a browser, as a reason to skip; "" where everything is there."""
    if not shutil.which("chromedriver"):
        return "there is no ChromeDriver (on Debian: apt install chromium chromium-driver)"
    return "" if _browser() else "there is no Chromium (on Debian: apt install chromium)"


def _browser() -> str:
    return next((found for name in BROWSERS if (found := shutil.which(name))), "")


class Browser:
    """A window of a headless Chromium with an empty profile."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        port = free_port()
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._url = f"http://127.0.0.1:{port}"
        try:
            poll(self._is_up, what="ChromeDriver")
            options = {"binary": _browser(), "args": [*ARGUMENTS, f"--user-data-dir={self._folder.name}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._url += f"/session/{made['sessionId']}"
        except BaseException:
            self._driver.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(20)
            self._folder.cleanup()

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def find(self, css: str) -> "Element":
        """Return the first element that matches; waits until there is one."""
        found: list[Any] = []

        def look() -> bool:
            found[:] = self._call("POST", "/elements", {"using": "css selector", "value": css})
            return bool(found)

        poll(look, what=css)
        return Element(self, found[0][ELEMENT])

    def run(self, script: str, *arguments: object) -> Any:
        """Return what a JavaScript function body returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def complaints(self) -> list[str]:
        """Return the errors of the console since the last call: failed scripts, refused loads."""
        lines = self._call("POST", "/se/log", {"type": "browser"})
        return [line["message"] for line in lines if line["level"] == "SEVERE"]

    def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, self._url + path, json=body, timeout=120)
        value = answer.json()["value"]
        if answer.status_code != 200:
            raise AssertionError(f"{method} {path}: {value['message']}")
        return value

    def _is_up(self) -> bool:
        try:
            return bool(self._call("GET", "/status")["ready"])
        except requests.ConnectionError:
            return False


class Element:
    """An element of the page."""

    def __init__(self, browser: Browser, name: str) -> None:
        self._browser, self._path = browser, f"/element/{name}"

    def click(self) -> None:
        self._browser._call("POST", f"{self._path}/click", {})

    def type(self, text: str | Path) -> None:
        """Type a text, or choose a file in a field for files."""
        self._browser._call("POST", f"{self._path}/value", {"text": str(text)})
