"""The API's description as one page of HTML."""

from typing import Any

from routes.openapi.reference_page import render


def document(**operation: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": "post_x",
        "tags": ["removal"],
        "summary": "Do <it>",
        "description": "Well\n\n| a | b |",
    }
    found |= {"parameters": [], "responses": {"200": {"description": "Done"}}, **operation}
    return {
        "info": {"title": "A & B", "version": "1", "description": "d"},
        "tags": [{"name": "removal"}],
        "paths": {"/x": {"post": found}},
        "components": {"parameters": {"X-Request-ID": {"name": "X-Request-ID", "in": "header", "schema": {}}}},
    }


def test_texts_are_escaped() -> None:
    page = render(document())
    assert "<h1>A &amp; B 1</h1>" in page
    assert "Do &lt;it&gt;" in page
    assert "| a |" not in page


def test_names_between_backticks_are_code() -> None:
    errors = "- `bad_url`: No <URL>."
    page = render(document(description="Send `file`.", responses={"400": {"description": errors}}))
    assert "<p>Send <code>file</code>.</p>" in page
    assert "- <code>bad_url</code>: No &lt;URL&gt;." in page


def test_field_of_a_body_is_not_a_parameter_too() -> None:
    schema = {"type": "integer", "minimum": 1, "maximum": 9, "default": 5, "description": "How many."}
    query: list[dict[str, Any]] = [
        {"name": "count", "in": "query", "schema": schema},
        {"$ref": "#/components/parameters/X-Request-ID"},
    ]
    body = {"content": {"multipart/form-data": {"schema": {"properties": {"count": schema}, "required": ["count"]}}}}
    page = render(document(parameters=query, requestBody=body))
    assert page.count("<code>count</code>") == 1
    assert "<td>integer from 1 to 9; default 5</td><td>How many.</td>" in page
    assert "<small>required</small>" in page
    assert "<small>header</small>" in page


def test_files_lists_and_words_are_named_as_values() -> None:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    fields = {"files": {"type": "array", "items": file}, "format": {"type": "string", "enum": ["png", "webp"]}}
    page = render(document(requestBody={"content": {"multipart/form-data": {"schema": {"properties": fields}}}}))
    assert "<td>list of file</td>" in page
    assert "<td>png, webp</td>" in page
