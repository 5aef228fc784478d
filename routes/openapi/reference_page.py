"""Shows the API's description as one page to read, without any script: `/redoc`."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from flask import Response, current_app

from routes.openapi.schemas import Schema

HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>API reference</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/reference.css"></head>
"""


def reference_page() -> Response:
    """Return the description as a page to read."""
    return Response(render(current_app.extensions["openapi"]), mimetype="text/html")


def render(document: Schema) -> str:
    """Return the HTML of an OpenAPI document; all its texts are escaped."""
    groups: dict[str, list[tuple[str, str, Schema]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append((method.upper(), path, operation))
    info = document["info"]
    parameters = document["components"]["parameters"]
    parts = [HEAD, "<body><nav>", *_contents(groups), "</nav><main>"]
    parts.append(f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{_prose(info['description'])}</p>")
    parts.append('<p><a href="/docs">Try it</a> · <a href="/openapi.json">OpenAPI 3.1</a></p>')
    for tag, found in groups.items():
        parts.append(f"<h2>{escape(tag)}</h2>")
        for method, path, operation in found:
            parts += _operation(method, path, operation, parameters)
    return "\n".join([*parts, "</main></body></html>", ""])


def _prose(text: str) -> str:
    """Return a text of the description as HTML: what is between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _contents(groups: dict[str, list[tuple[str, str, Schema]]]) -> Iterator[str]:
    for tag, found in groups.items():
        yield f"<h2>{escape(tag)}</h2><ul>"
        for method, path, operation in found:
            yield f'<li><a href="#{escape(operation["operationId"])}">{method} {escape(path)}</a></li>'
        yield "</ul>"


def _operation(method: str, path: str, operation: Schema, shared: Schema) -> Iterator[str]:
    yield f'<section id="{escape(operation["operationId"])}"><h3><code>{method} {escape(path)}</code></h3>'
    yield f"<p><strong>{_prose(operation['summary'])}</strong></p>"
    # A table of options is in the fields below.
    text = operation["description"].partition("\n\n|")[0]
    if text:
        yield f"<p>{_prose(text)}</p>"
    given = [shared[p["$ref"].rsplit("/", 1)[-1]] if "$ref" in p else p for p in operation["parameters"]]
    bodies = operation.get("requestBody", {}).get("content", {})
    fields = {name for body in bodies.values() for name in body["schema"].get("properties", {})}
    rows = [
        (p["name"], p["in"], p["schema"], p.get("description", ""), bool(p.get("required")))
        for p in given
        if p["name"] not in fields
    ]
    yield from _table("Parameters", rows)
    shown: list[Any] = []
    for kind, body in bodies.items():
        properties = body["schema"].get("properties", {})
        required = body["schema"].get("required", [])
        if properties and properties not in shown:
            shown.append(properties)
            rows = [
                (name, "", field, field.get("description", ""), name in required) for name, field in properties.items()
            ]
            yield from _table(f"Body: {kind}", rows)
        else:
            yield f"<h4>Body: {escape(kind)}</h4>"
        if "example" in body:
            yield f"<pre>{escape(str(body['example']))}</pre>"
    yield "<h4>Answers</h4><dl>"
    for status, answer in operation["responses"].items():
        kinds = ", ".join(answer.get("content", {}))
        yield f"<dt><code>{status}</code> {escape(kinds)}</dt><dd>{_prose(answer['description'])}</dd>"
    yield "</dl></section>"


def _table(title: str, rows: list[tuple[str, str, Schema, str, bool]]) -> Iterator[str]:
    if not rows:
        return
    yield f"<h4>{escape(title)}</h4><table><tr><th>name</th><th>values</th><th>meaning</th></tr>"
    for name, place, schema, text, required in rows:
        notes = ", ".join(filter(None, [place, "required" if required else ""]))
        yield (
            f"<tr><td><code>{escape(name)}</code> <small>{notes}</small></td><td>{escape(_values(schema))}</td>"
            f"<td>{_prose(text)}</td></tr>"
        )
    yield "</table>"


def _values(schema: Schema) -> str:
    kind = "file" if "contentMediaType" in schema else str(schema.get("type", "any"))
    if schema.get("type") == "array":
        kind = f"list of {_values(schema.get('items', {}))}"
    if "enum" in schema:
        kind = ", ".join(map(str, schema["enum"]))
    bounds = [f"{word} {schema[key]}" for word, key in (("from", "minimum"), ("to", "maximum")) if key in schema]
    usual = [f"default {schema['default']}"] if "default" in schema else []
    return "; ".join([" ".join([kind, *bounds]), *usual])
