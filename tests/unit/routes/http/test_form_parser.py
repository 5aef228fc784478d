"""Forms as clients send them: files without a file name, parts without a name."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request

from routes.http.bodies import InMemoryRequest
from services.errors import BadRequest, MissingImage

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"


@pytest.fixture
def parsed() -> Callable[..., Any]:
    """Parse a body of parts, each the parameters of its Content-Disposition and its content."""
    app = Flask(__name__)
    app.request_class = InMemoryRequest

    def parse(*parts: tuple[str, bytes]) -> tuple[dict[str, list[str]], dict[str, list[bytes]]]:
        body = b"".join(
            b"--b\r\nContent-Disposition: form-data" + names.encode() + b"\r\n\r\n" + data + b"\r\n"
            for names, data in parts
        )
        kind = "multipart/form-data; boundary=b"
        with app.test_request_context(method="POST", data=body + b"--b--\r\n", content_type=kind):
            files = {name: [part.stream.read() for part in parts] for name, parts in request.files.lists()}
            return dict(request.form.lists()), files

    return parse


@pytest.mark.parametrize("name", ["file", "files", "image", "image_file", "bg_image_file", "background_image", "mask"])
def test_bytes_without_a_file_name_are_a_file(parsed: Callable[..., Any], name: str) -> None:
    assert parsed((f"; name={name}", JPEG), ("; name=size", b"auto")) == ({"size": ["auto"]}, {name: [JPEG]})
    assert parsed((f"; name={name}", JPEG), (f'; name={name}; filename="a"', JPEG))[1] == {name: [JPEG, JPEG]}


def test_text_without_a_file_name_stays_a_text(parsed: Callable[..., Any]) -> None:
    for text in ("https://a.example/ä.jpg", "", "iVBORw0KGgo="):
        assert parsed(("; name=file", text.encode())) == ({"file": [text]}, {})


def test_bytes_in_another_field_stay_a_text(parsed: Callable[..., Any]) -> None:
    form, files = parsed(("; name=size", b"\xff"))
    assert (form, files) == ({"size": ["\ufffd"]}, {})


@pytest.mark.parametrize("names", ["", '; filename="a.jpg"'])
def test_part_without_a_name_is_refused(parsed: Callable[..., Any], names: str) -> None:
    with pytest.raises(BadRequest, match="has no name"):
        parsed((names, JPEG), ("; name=file", JPEG))


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + JPEG + b"\r\n"
KIND = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("kind", "body", "why", "solution"),
    [
        # A header that was set by hand, as many do with fetch and axios.
        ("multipart/form-data", PART + b"--b--\r\n", "names no boundary", "Let the HTTP library"),
        ("multipart/form-data; boundary=c", PART + b"--b--\r\n", "another boundary", "Let the HTTP library"),
        (KIND, PART, "is incomplete", "Let the HTTP library"),
        (KIND, PART[:30], "is incomplete", "Let the HTTP library"),
        (KIND, PART.replace(b"a.jpg", b"\xe9.jpg") + b"--b--\r\n", "is not UTF-8", "in UTF-8"),
    ],
)
def test_form_that_can_not_be_read_says_why(kind: str, body: bytes, why: str, solution: str) -> None:
    app = Flask(__name__)
    app.request_class = InMemoryRequest
    with (
        app.test_request_context(method="POST", data=body, content_type=kind),
        pytest.raises(MissingImage, match=why) as refused,
    ):
        _ = request.files
    assert solution in refused.value.solution


@pytest.mark.parametrize("kind", ["multipart/form-data", KIND])
def test_empty_body_is_an_empty_form(kind: str) -> None:
    app = Flask(__name__)
    app.request_class = InMemoryRequest
    with app.test_request_context(method="POST", data=b"", content_type=kind):
        assert not request.files
