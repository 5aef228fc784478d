"""What pages of other origins may do."""

import pytest
from flask import Flask
from flask_cors import CORS

from routes.http.cross_origin import OPEN_PATHS, exact_origins, policy_headers


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/metrics/", "/api/metrics", "/api/metrics/prometheus", "/health", "/health/live", "/api/health",
        "/api/v1/health", "/read-file", "/read-file/", "/api/admin/cleanup",
    ],
)  # fmt: skip
def test_cors_leaves_operators_paths_closed(path: str) -> None:
    assert not OPEN_PATHS.match(path)
    assert policy_headers(path, "application/json")["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path", ["/", "/remove-background", "/api/jobs", "/models", "/healthy", "/v1.0/removebg", "/a\n"]
)
def test_cors_opens_all_other_paths(path: str) -> None:
    assert OPEN_PATHS.match(path)
    assert policy_headers(path, "image/png")["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_no_answer_may_be_framed_and_only_pages_may_load_scripts() -> None:
    page = policy_headers("/", "text/html")["Content-Security-Policy"]
    answer = policy_headers("/", "image/svg+xml")["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page
    assert "frame-ancestors 'none'" in answer
    assert "script-src 'self';" in page
    assert "script-src" not in answer
    assert answer.startswith("default-src 'none';")


@pytest.mark.parametrize(
    ("origin", "granted"),
    [
        ("https://app.example", True),
        ("http://[::1]:3000", True),
        ("http://:", False),
        ("http://:1", False),
        ("http://[::1]:30000", False),
        ("https://app.example.evil.org", False),
    ],
)
def test_origin_is_granted_literally(origin: str, granted: bool) -> None:
    app = Flask(__name__)
    CORS(app, origins=exact_origins(["https://app.example", "http://[::1]:3000"]))
    app.add_url_rule("/", view_func=lambda: "ok")
    found = app.test_client().get("/", headers={"Origin": origin}).headers.get("Access-Control-Allow-Origin")
    assert found == (origin if granted else None)
