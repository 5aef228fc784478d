"""Clipdrop's API, remove-background version 1. See `services/dialects/clipdrop.py`."""

from dataclasses import replace

from flask import Response, request

from routes.http.context import service
from routes.http.fields import format_from_accept
from routes.http.image_forms import form_image
from routes.removal import remove
from services.dialects.clipdrop import FILE, HEADERS, parse_options


def clipdrop_remove_background() -> Response:
    """Remove a background; `Accept` names the format of the picture."""
    service().admission.refuse_when_full()
    upload = form_image(FILE)
    options, own_alpha = parse_options(request.form, format_from_accept())
    rules = replace(service().remover.rules, own_alpha=own_alpha)
    result = remove(upload, options, rules)
    response = Response(result.data, mimetype=result.format.mimetype)
    response.headers.update(HEADERS)
    return response
