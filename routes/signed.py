"""The view of signed URLs, which a web page uses as `<img src>`. See `services/net/signed_urls.py`."""

import hashlib
from typing import Final

from flask import Response, request
from werkzeug.exceptions import MethodNotAllowed

from config import VERSION
from routes.http.context import service, state
from routes.http.requests import Upload, fetch
from routes.removal import as_image, remove
from services.errors import BadOption, NotFound
from services.imaging.formats import Format, usable_formats
from services.imaging.options import Options
from services.net.signed_urls import SignedSource, SignedURLs

YEAR: Final = 365 * 86400
ENDINGS: Final = {f.extension: f for f in (*usable_formats(), Format.GIF) if f is not Format.ZIP}


def signed_image(signature: str, options: str, name: str) -> Response:
    """Return the picture that a signed path describes; a browser that has it gets 304 without any work."""
    # A rule for GET takes HEAD too, which must not cost a removal.
    if request.method == "HEAD":
        state().cost = 0
        raise MethodNotAllowed(["GET"])
    keys = service().settings.url_signing_keys
    if not keys:
        raise NotFound("signed URLs are turned off", "The operator turns them on with URL_SIGNING_KEY")
    asked = SignedURLs(keys).read(signature, options, name)
    chosen = _options(asked)
    etag = hashlib.sha256(f"{VERSION} {service().models.default} {options}/{name}".encode()).hexdigest()[:32]
    if request.if_none_match.contains_weak(etag):
        state().cost = 0
        return _kept(Response(status=304), etag, asked.seconds)
    service().admission.refuse_when_full()
    fetched = fetch("source", asked.url)
    upload = Upload(fetched.data, fetched.name, {}, timings={"fetch": fetched.milliseconds})
    return _kept(as_image(remove(upload, chosen), upload.stem, "inline"), etag, asked.seconds)


def _options(asked: SignedSource) -> Options:
    if asked.ending not in ENDINGS:
        raise BadOption("the ending", asked.ending, ", ".join(ENDINGS))
    if "format" in asked.options:
        raise BadOption("format", asked.options["format"], "nothing: the path's ending is the format")
    return Options.parse({**asked.options, "format": ENDINGS[asked.ending]})


def _kept(response: Response, etag: str, seconds: int | None) -> Response:
    """Let browsers and proxies keep a response until its URL ends."""
    # Weak: another machine's processor may round otherwise.
    response.set_etag(etag, weak=True)
    age = YEAR if seconds is None else min(seconds, YEAR)
    response.headers["Cache-Control"] = f"public, max-age={age}, immutable"
    return response
