"""The page as a browser gets it: policy, caching, no problem on opening."""

import re

import requests

from tests.support.gunicorn import Gunicorn
from tests.support.studio import Tabs


def test_page_opens_without_a_problem(direct: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(direct.url)
    assert tab.page.get_by_role("heading", level=1).count() == 1
    assert tab.page.title() == "Background Remover"
    # Everything of the page comes from its build.
    assert all(re.match(r"GET /(static/[0-9a-f]{16}/.*|studio\.json|)$", asked) for asked in tab.requests), tab.requests


def test_policy_lets_the_page_run_its_own_files_only(direct: Gunicorn) -> None:
    page = requests.get(direct.url, timeout=10)
    policy = dict(part.split(maxsplit=1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    for directive in ("script-src", "style-src", "connect-src", "worker-src"):
        assert policy[directive] == "'self'"
    script = re.search(r'src="(/static/[^"]+)"', page.text)
    assert script
    # A worker has the policy of its own script.
    headers = requests.get(direct.url + script.group(1), timeout=10).headers
    assert headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


def test_files_of_a_build_are_kept_and_the_page_is_asked_for_each_time(direct: Gunicorn) -> None:
    page = requests.get(direct.url, timeout=10)
    assert page.headers["Cache-Control"] == "no-cache"
    again = requests.get(direct.url, headers={"If-None-Match": page.headers["ETag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    build = requests.get(f"{direct.url}/studio.json", timeout=10).json()["build"]
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert links
    for link in links:
        assert link.startswith(f"/static/{build}/")
        found = requests.get(direct.url + link, timeout=10)
        assert found.status_code == 200
        assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    other = requests.get(f"{direct.url}/static/0123456789abcdef/style.css", timeout=10)
    assert (other.status_code, other.json()["code"]) == (404, "not_found")
