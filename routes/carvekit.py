"""CarveKit's API: remove.bg's fields under `/api/removebg`. See `services/dialects/carvekit.py`."""

from flask import Response

from routes import removebg
from services.dialects.carvekit import parse_options


def carvekit_removebg() -> Response:
    """Remove a background; the result is a picture, or base64 in JSON."""
    return removebg.answer(parse_options)


def carvekit_account() -> Response:
    """Return a balance that never ends."""
    return removebg.account()
