"""Serves the API's description: as JSON, and in Swagger UI as a page to read and try."""

from pathlib import Path
from typing import Final

import flask_openapi3_swagger
import orjson
from flask import Flask, Response, current_app, send_from_directory

SWAGGER_FILES: Final = Path(flask_openapi3_swagger.__file__).parent / "templates/swagger"
SWAGGER_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>API documentation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/assets/css/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/assets/js/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script></body></html>
"""


def openapi_json() -> Response:
    """Return the OpenAPI document."""
    return Response(orjson.dumps(current_app.extensions["openapi"]), mimetype="application/json")


def swagger_ui() -> Response:
    """Return the document as a page to read and try."""
    return Response(SWAGGER_PAGE, mimetype="text/html")


def register_assets(app: Flask) -> None:
    """Serve Swagger UI's own files from its package."""
    app.add_url_rule(
        "/docs/assets/<path:name>",
        "swagger_assets",
        lambda name: send_from_directory(SWAGGER_FILES, name, max_age=86400),
        methods=["GET"],
    )
