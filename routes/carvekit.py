"""CarveKit's API: remove.bg's fields under `/api/removebg`. See `services/dialects/carvekit.py`."""

from flask import Response

from routes import removebg
from routes.http.auth import optional_caller
from routes.http.context import state
from services.dialects.carvekit import parse_options


def carvekit_removebg() -> Response:
    """Remove a background; the result is a picture, or base64 in JSON."""
    return removebg.answer(parse_options)


def carvekit_account() -> Response:
    """Return what is left of the key's month; without a quota or a key a balance that never ends."""
    state().caller = optional_caller()
    return removebg.account()
