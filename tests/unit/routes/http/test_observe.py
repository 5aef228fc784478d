"""Each request gets an id, headers, a log line and metrics."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from routes.http.context import EXTENSION, state
from routes.http.errors import handle_errors
from routes.http.observe import note_result, observe
from services.api_keys.caller import Caller
from services.api_keys.usage import Counts, Slot, today, usage_of
from services.api_keys.usage_counter import UsageCounter
from services.containers.errors import CorruptImage
from services.errors import NotFound, RateLimited
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.pipeline import Result
from services.observability.metrics import Metrics
from services.persistence.database import Database


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def app(metrics: Metrics) -> Flask:
    made = Flask(__name__, static_folder=None)
    made.extensions[EXTENSION] = SimpleNamespace(metrics=metrics, settings=SimpleNamespace(trusted_proxies=0))
    observe(made)
    handle_errors(made)
    made.add_url_rule("/work", "work", lambda: "ok")
    return made


def result_of(cached: bool | None) -> Result:
    """A result of 300 bytes for an image of 1000 bytes, that took 12 ms."""
    return Result(
        data=b"x" * 300, format=Format.WEBP, width=50, height=40, foreground=Box(0, 0, 5, 4),
        original_format="jpeg", original_width=2000, original_height=1500, original_bytes=1000, quality=80,
        max_width=None, max_height=None, max_pixels=None, model="u2net", confidence=0.5,
        timings={"decode": 2.04, "segment": 10.0}, cached=cached,
    )  # fmt: skip


def answer_with(app: Flask, result: Result) -> TestResponse:
    """The response of a view that noted this result."""

    def view() -> str:
        note_result(result)
        return "ok"

    app.add_url_rule("/remove", "remove", view)
    return app.test_client().get("/remove")


def fail_with(app: Flask, error: Exception, *paths: str) -> None:
    """Request each of the paths, whose view raises this error."""

    def view() -> str:
        raise error

    for path in paths:
        app.add_url_rule(path, path, view)
    for path in paths:
        app.test_client().get(path)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry().get_sample_value(f"bg_remover_{name}", labels)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a.B-1_2", True), ("x" * 128, True), ("x" * 129, False), ("", False), ("a b", False), ("a/é", False)],
)
def test_plain_request_id_of_the_caller_is_kept(app: Flask, given: str, kept: bool) -> None:
    sent = app.test_client().get("/work", headers={"X-Request-ID": given.encode().decode("latin-1")})
    assert (sent.headers["X-Request-ID"] == given) is kept
    assert sent.headers["X-Request-ID"]


def test_error_has_the_security_headers_and_the_id_too(app: Flask) -> None:
    response = app.test_client().get("/absent", headers={"X-Request-ID": "id-1"})
    assert response.headers["X-Request-ID"] == response.get_json()["request_id"] == "id-1"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("cached", "header"), [(True, "hit"), (False, "miss"), (None, None)])
def test_result_has_its_timings_and_cache_state_as_headers(app: Flask, cached: bool | None, header: str | None) -> None:
    headers = answer_with(app, result_of(cached)).headers
    assert headers["Server-Timing"].startswith("decode;dur=2.0, segment;dur=10.0, total;dur=")
    assert headers.get("X-Cache") == header


@pytest.mark.parametrize(("embedded", "header"), [(True, "hit"), (False, "miss"), (None, None)])
def test_result_names_whether_its_photo_was_encoded_before(
    app: Flask, embedded: bool | None, header: str | None
) -> None:
    headers = answer_with(app, replace(result_of(None), embedded=embedded)).headers
    assert headers.get("X-Embedding") == header


def test_request_is_counted_by_its_rule_and_not_by_its_path(app: Flask, metrics: Metrics) -> None:
    app.add_url_rule("/files/<name>", "files", lambda name: name)
    client = app.test_client()
    client.get("/files/a")
    client.get("/files/b")
    client.get("/secret-1")
    client.open("/work", method="BREW")
    assert value(metrics, "requests_total", method="GET", endpoint="/files/<name>", status="200") == 2
    assert value(metrics, "requests_total", method="GET", endpoint="unmatched", status="404") == 1
    assert value(metrics, "requests_total", method="other", endpoint="unmatched", status="405") == 1


def test_result_is_counted_by_format_size_and_stage(app: Flask, metrics: Metrics) -> None:
    answer_with(app, result_of(None))
    assert value(metrics, "images_total", format="jpeg", outcome="ok") == 1
    assert value(metrics, "image_megapixels_sum") == 3
    assert value(metrics, "upload_bytes_sum") == 1000
    assert value(metrics, "result_bytes_sum") == 300
    assert value(metrics, "stage_duration_seconds_sum", stage="segment") == pytest.approx(0.01)


def test_failed_image_is_counted_on_endpoints_that_remove_backgrounds(app: Flask, metrics: Metrics) -> None:
    fail_with(app, CorruptImage("x"), "/read", "/remove-background")
    assert value(metrics, "images_total", format="unknown", outcome="corrupt_image") == 1
    assert value(metrics, "refused_total", code="corrupt_image") == 2


def test_exceeded_quota_is_not_a_failed_image(app: Flask, metrics: Metrics) -> None:
    fail_with(app, RateLimited("x"), "/remove-background")
    assert value(metrics, "rate_limited_total", endpoint="/remove-background") == 1
    assert value(metrics, "images_total", format="unknown", outcome="rate_limited") is None


def test_key_is_counted_and_logged_by_its_name(app: Flask, metrics: Metrics, tmp_path: Path) -> None:
    usage = app.extensions[EXTENSION].usage = UsageCounter(Database(f"sqlite:///{tmp_path}/usage.db"), 400)

    def view() -> str:
        state().caller = Caller(id="abc", key_id="abc", name="shop", scopes=())
        return "ok"

    app.add_url_rule("/keyed", "keyed", view)
    with capture_logs() as lines:
        app.test_client().get("/keyed")
    assert value(metrics, "key_requests_total", key="shop") == 1
    assert lines[0]["key"] == "shop"
    usage.close()
    found = usage_of(Database(f"sqlite:///{tmp_path}/usage.db"), ["abc"], today())
    assert found == {Slot("abc", today(), "/keyed"): Counts(requests=1)}


def test_log_line_has_the_facts_of_the_result(app: Flask) -> None:
    with capture_logs() as lines:
        answer_with(app, result_of(True))
    (line,) = lines
    assert {name: line[name] for name in ("log_level", "method", "path", "status", "bytes_out", "size_reduction")} == {
        "log_level": "info", "method": "GET", "path": "/remove", "status": 200, "bytes_out": 2, "size_reduction": 0.7,
    }  # fmt: skip
    assert (line["size"], line["format"], line["cached"]) == ("2000x1500", "jpeg>webp", True)
    assert line["timings_ms"] == {"decode": 2.0, "segment": 10.0}


def test_log_line_has_the_error(app: Flask) -> None:
    with capture_logs() as lines:
        fail_with(app, NotFound("no such file"), "/file")
    assert (lines[0]["code"], lines[0]["details"]) == ("not_found", "no such file")


def test_signed_link_is_not_logged(app: Flask) -> None:
    with capture_logs() as lines:
        app.test_client().get("/files/secret-token")
    assert [line["path"] for line in lines] == ["/files/…"]


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        ("/health", 200, "debug"),
        ("/health", 503, "debug"),
        ("/health", 500, "warning"),
        ("/other", 503, "warning"),
        ("/other", 404, "info"),
    ],
)
def test_level_of_the_log_line_follows_path_and_status(app: Flask, path: str, status: int, level: str) -> None:
    app.add_url_rule(path, "here", lambda: ("text", status))
    with capture_logs() as lines:
        app.test_client().get(path)
    assert [line["log_level"] for line in lines] == [level]
