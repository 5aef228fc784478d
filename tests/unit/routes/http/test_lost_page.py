"""A person at a wrong address sees a page; programs get JSON, whatever their libraries accept by default."""

import pytest
from flask import Flask

from routes.http.errors import handle_errors
from services.errors import BadRequest, Forbidden, NotFound, ServiceError
from services.storage.errors import ResultExpired

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
PROGRAMS = {
    "requests, curl, fetch": "*/*",
    "none": "",
    "axios": "application/json, text/plain, */*",
    "Java": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "n8n": "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, image/*;q=0.8, */*;q=0.7",
    "an image of a page": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
}


def answer(
    error: ServiceError, method: str = "GET", accept: str = FIREFOX, **headers: str
) -> tuple[int, str | None, str]:
    """Return status, media type and text of the answer where a view raises this error."""
    app = Flask(__name__)
    handle_errors(app)

    @app.route("/work", methods=["GET", "POST"])
    def view() -> str:
        raise error

    response = app.test_client().open("/work", method=method, headers={"Accept": accept, **headers})
    return response.status_code, response.mimetype, response.text


@pytest.mark.parametrize("accept", [FIREFOX, CHROME])
@pytest.mark.parametrize("error", [NotFound("no endpoint '/wrok'"), ResultExpired("it ended today")])
def test_browser_gets_a_page_that_leads_on(error: ServiceError, accept: str) -> None:
    status, kind, text = answer(error, accept=accept)
    assert (status, kind) == (error.status, "text/html")
    assert 'href="/"' in text
    assert 'href="/docs"' in text
    assert error.details.replace("'", "&#x27;") in text


@pytest.mark.parametrize("accept", PROGRAMS.values(), ids=PROGRAMS)
def test_program_gets_json(accept: str) -> None:
    assert answer(NotFound(), accept=accept)[:2] == (404, "application/json")


@pytest.mark.parametrize(("error", "method"), [(NotFound(), "POST"), (BadRequest(), "GET"), (Forbidden(), "GET")])
def test_only_reading_an_address_that_leads_to_nothing_gives_the_page(error: ServiceError, method: str) -> None:
    assert answer(error, method)[:2] == (error.status, "application/json")


@pytest.mark.parametrize(
    ("asked", "language", "words"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de", "Unter dieser Adresse gibt es nichts"),
        ("fr", "en", "There is nothing at this address"),
        (";;q=,x-\xff", "en", "There is nothing at this address"),
    ],
)
def test_page_is_in_the_browsers_language(asked: str, language: str, words: str) -> None:
    _, _, text = answer(NotFound(), **{"Accept-Language": asked})
    assert f'<html lang="{language}">' in text
    assert f"<h1>{words}</h1>" in text


def test_address_is_shown_as_text() -> None:
    _, _, text = answer(NotFound("no endpoint '/<script>alert(1)</script>'"))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
