"""Every error becomes a response: ours, Werkzeug's, a bug, or one in another service's words."""

import errno
import json
from types import SimpleNamespace

import pytest
from flask import Flask, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from config import Settings
from routes.http.context import EXTENSION, state
from routes.http.errors import RETRY_AFTER, handle_errors, unparsed_body
from services.errors import BadKey, BadRequest, Busy, MissingKey, NotFound, UploadTooLarge


def answer(error: Exception, path: str = "/work") -> tuple[int, dict[str, object], dict[str, str]]:
    """The status, body and headers of the response when a view raises this error."""
    app = Flask(__name__)
    settings = SimpleNamespace(max_encoded_bytes=1500, max_content_length=1000, removebg_max_content_length=2_097_152)
    app.extensions[EXTENSION] = SimpleNamespace(settings=settings)
    handle_errors(app)

    @app.get(path)
    def view() -> str:
        state().request_id = "id-1"
        raise error

    response = app.test_client().get(path)
    return response.status_code, response.get_json(), dict(response.headers)


def test_body_names_the_error_what_to_do_and_the_request() -> None:
    status, body, headers = answer(NotFound("the bucket has no such object", "Check the key"))
    assert status == 404
    assert body == {
        "error": NotFound.message,
        "code": "not_found",
        "solution": "Check the key",
        "details": "the bucket has no such object",
        "request_id": "id-1",
    }
    assert headers["Content-Type"] == "application/json"
    assert "Retry-After" not in headers
    assert "WWW-Authenticate" not in headers


@pytest.mark.parametrize(("error", "seconds"), [(Busy("full"), RETRY_AFTER), (Busy("full", "", 17), 17)])
def test_busy_server_says_when_to_try_again(error: Busy, seconds: int) -> None:
    status, _, headers = answer(error)
    assert (status, headers["Retry-After"]) == (503, str(seconds))


def test_challenge_distinguishes_an_absent_from_a_bad_key() -> None:
    absent, bad = answer(MissingKey())[2]["WWW-Authenticate"], answer(BadKey())[2]["WWW-Authenticate"]
    assert absent.startswith("Bearer realm=")
    assert bad == f'{absent}, error="invalid_token"'


def test_error_below_a_dialects_prefix_has_that_dialects_body() -> None:
    status, body, headers = answer(UploadTooLarge("3 MB were sent"), "/v1.0/removebg")
    assert (status, headers["Content-Type"]) == (400, "application/json; charset=utf-8")
    assert body == {
        "errors": [{"title": "File too large", "code": "file_too_large", "detail": "File exceeds limit of 2MB"}]
    }
    assert answer(UploadTooLarge(), "/v1.0")[1].keys() == {"errors"}
    assert answer(UploadTooLarge(), "/v1.05/removebg")[1]["code"] == "upload_too_large"


def test_unexpected_error_discloses_nothing() -> None:
    status, body, _ = answer(RuntimeError("password=hunter2"))
    assert (status, body["code"], body["details"]) == (500, "internal_error", "")
    assert "hunter2" not in str(body)


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "x"), OSError(errno.ENOMEM, "x")])
def test_exhausted_machine_answers_busy(error: Exception) -> None:
    assert answer(error)[0] == 503


def test_other_system_error_is_unexpected() -> None:
    assert answer(OSError(errno.EIO, "x"))[0] == 500


def test_malformed_chunk_is_the_callers_mistake() -> None:
    error = type("InvalidChunkSize", (Exception,), {"__module__": "gunicorn.http.errors"})
    status, body, _ = answer(error())
    assert (status, body["code"]) == (400, "bad_request")
    assert "InvalidChunkSize" in str(body["details"])


@pytest.fixture
def app() -> Flask:
    """An application with one endpoint, `POST /here`."""
    made = Flask(__name__)
    settings = SimpleNamespace(max_encoded_bytes=1500, max_content_length=1000)
    made.extensions[EXTENSION] = SimpleNamespace(settings=settings)
    handle_errors(made)
    made.add_url_rule("/here", "here", lambda: "ok", methods=["POST"])
    return made


def test_unknown_path_is_quoted(app: Flask) -> None:
    response = app.test_client().get("/nowhere")
    assert (response.status_code, response.get_json()["details"]) == (404, "no endpoint '/nowhere'")


def test_wrong_method_lists_the_allowed_ones(app: Flask) -> None:
    response = app.test_client().get("/here")
    body = response.get_json()
    assert (response.status_code, body["code"]) == (405, "method_not_allowed")
    assert body["details"] == "GET is not one of OPTIONS, POST"
    assert response.headers["Allow"].split(", ") in (["OPTIONS", "POST"], ["POST", "OPTIONS"])


def test_exception_of_a_redirect_is_not_an_error(app: Flask) -> None:
    class SeeOther(HTTPException):
        code, description = 303, "elsewhere"

    with app.test_request_context("/here"):
        response = app.make_response(app.handle_user_exception(SeeOther()))
        assert state().error is None
    assert (response.status_code, response.mimetype) == (303, "text/html")


@pytest.mark.parametrize(("limit", "details"), [(1500, "an image of 1000 bytes"), (400, "larger than 400 bytes")])
def test_oversized_body_names_the_limit_that_applied(app: Flask, limit: int, details: str) -> None:
    @app.post("/upload")
    def upload() -> str:
        request.max_content_length = limit
        raise RequestEntityTooLarge

    body = app.test_client().post("/upload").get_json()
    assert body["code"] == "upload_too_large"
    assert details in body["details"]


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/v1.0/removebg", ["errors"]),
        ("/docs", ["error", "code", "solution", "details", "request_id"]),
        ("", ["error", "code", "solution", "details", "request_id"]),
    ],
)
def test_request_that_cannot_be_parsed_is_refused_in_its_dialect(path: str, keys: list[str]) -> None:
    kind, body = unparsed_body(BadRequest("too long"), path, "an-id", Settings(_env_file=None))
    assert list(json.loads(body)) == keys
    assert kind.startswith("application/json")
