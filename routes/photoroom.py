"""Photoroom's API, version 1. See `services/dialects/photoroom.py`."""

from flask import Response, request

from routes.http.answers import json_response
from routes.http.context import service
from routes.http.fields import wants_json
from routes.http.image_forms import form_image
from routes.removal import remove
from services.dialects.photoroom import FILE, JsonAnswer, parse_options, uncertainty


def photoroom_segment() -> Response:
    """Remove a background; the result is a picture, or base64 in JSON."""
    service().admission.refuse_when_full()
    upload = form_image(FILE)
    result = remove(upload, parse_options(request.form))
    response = (
        json_response(JsonAnswer.of(result)) if wants_json() else Response(result.data, mimetype=result.format.mimetype)
    )
    response.headers["x-uncertainty-score"] = uncertainty(result)
    return response
