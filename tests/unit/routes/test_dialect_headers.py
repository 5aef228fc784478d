"""Headers of other services' APIs."""

from types import SimpleNamespace

import pytest
from flask import Flask, Response

from routes.dialect_headers import attach_dialect_headers
from routes.http.context import EXTENSION


@pytest.fixture
def app() -> Flask:
    """An application that allows one header and counts a quota at `/v1.0/counted`."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(settings=SimpleNamespace(rate_limit_removebg_per_minute=500))
    attach_dialect_headers(made)

    @made.after_request
    def known(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Headers"] = "X-Api-Key"
        return response

    made.add_url_rule("/v1.0/counted", "counted", lambda: ("", {"X-RateLimit-Remaining": "7"}))
    made.add_url_rule("/api/remove", "remove", lambda: "", methods=["POST"])
    made.add_url_rule("/api/removebg", "removebg", lambda: "", methods=["POST"])
    return made


def test_quota_is_complete_only_under_removebgs_paths(app: Flask) -> None:
    client = app.test_client()
    counted, unknown, other = (client.get(path).headers for path in ("/v1.0/counted", "/v1.0/unknown", "/v1.01"))
    assert (counted["X-RateLimit-Limit"], counted["X-RateLimit-Remaining"]) == ("500", "7")
    assert unknown["X-RateLimit-Remaining"] == "500"
    assert int(unknown["X-RateLimit-Reset"]) > 1_700_000_000
    assert "X-RateLimit-Limit" not in other


@pytest.mark.parametrize(("path", "allowed"), [("/api/remove", "x-foo, x-bar"), ("/api/removebg", "X-Api-Key")])
def test_preflight_allows_any_header_only_under_rembgs_path(app: Flask, path: str, allowed: str) -> None:
    found = app.test_client().options(path, headers={"Access-Control-Request-Headers": "x-foo, x-bar"})
    assert found.headers["Access-Control-Allow-Headers"] == allowed
