"""CarveKit's API: remove.bg's fields under `/api/removebg`. See `services/dialects/carvekit.py`."""

from flask import Response

from routes import removebg
from routes.http.auth import caller_if_sent
from routes.http.context import state
from services.dialects.carvekit import parse_options


def carvekit_removebg() -> Response:
    """Remove a background; the result is a picture, or base64 in JSON."""
    return removebg.answer(parse_options)


def carvekit_account() -> Response:
    """Return what is left of the key's month; without a quota or a key a balance that never ends.

    Where keys are required, one that is sent must be valid.
    """
    state().caller = caller_if_sent()
    return removebg.account()
