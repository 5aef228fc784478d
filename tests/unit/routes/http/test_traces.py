"""The span of a request, through the application."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from config import Settings
from services.observability import tracing
from tests.support.servers.otlp import Collector

pytestmark = pytest.mark.slow


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running
    tracing.use(None)


@pytest.fixture
def client(collector: Collector, tmp_path: Path) -> FlaskClient:
    app: Flask = create_app(
        Settings(
            _env_file=None,
            rembg_session_path=tmp_path,
            database_url=f"sqlite:///{tmp_path}/db.sqlite",
            otel_exporter_otlp_endpoint=collector.url,
        )
    )
    return app.test_client()


def test_request_is_a_span_named_by_its_route(client: FlaskClient, collector: Collector) -> None:
    answer = client.post("/remove-background?secret=hunter2", headers={"X-Request-ID": "abc"})
    tracing.stop()
    span = collector.named("POST /remove-background")
    assert span.facts == {
        "http.request.method": "POST",
        "http.route": "/remove-background",
        "http.response.status_code": answer.status_code,
        "request.id": "abc",
        "error.type": answer.get_json()["code"],
    }
    assert not span.failed
    assert b"hunter2" not in collector.raw


def test_probes_and_scrapes_have_no_span(client: FlaskClient, collector: Collector) -> None:
    client.get("/health/live")
    client.get("/metrics")
    client.get("/no-such-page-holiday.jpg")
    tracing.stop()
    collector.named("GET")
    assert [span.name for span in collector.spans] == ["GET"]
    assert b"holiday" not in collector.raw


def test_fault_of_the_service_marks_the_span_as_failed(client: FlaskClient, collector: Collector) -> None:
    client.application.extensions["background_remover"].remover = None
    assert client.post("/remove-background", data=b"\xff\xd8\xff" * 100, content_type="image/jpeg").status_code == 500
    tracing.stop()
    span = collector.named("POST /remove-background")
    assert (span.failed, span.facts["error.type"]) == (True, "internal_error")
