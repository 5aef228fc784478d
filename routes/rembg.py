"""`/api/remove`, as rembg's own server (`rembg s`, 2.0.86) has it. See `services/dialects/rembg.py`."""

from typing import Any, Final

from flask import Response, request
from werkzeug.exceptions import MethodNotAllowed

from routes.http.context import service, state
from routes.http.image_forms import form_image
from routes.http.requests import Upload, fetch
from routes.removal import as_image, remove
from services.dialects.rembg import parse_options
from services.errors import MissingImage
from services.imaging.options import Options

FILE: Final = "file"


def remove_url() -> Response:
    """Return the image behind `url` without its background."""
    # A rule for GET takes HEAD too, which must not cost a removal.
    if request.method == "HEAD":
        state().cost = 0
        raise MethodNotAllowed(["GET", "POST"])
    service().admission.refuse_when_full()
    # A body is not read: nothing would bound or count it.
    options = parse_options(_last(request.args))
    # rembg's fetcher takes what was not encoded twice.
    url = request.args.get("url", "").replace(" ", "%20")
    if not url:
        raise MissingImage("the parameter 'url' is absent", "Send GET /api/remove?url=https://…")
    fetched = fetch("url", url)
    upload = Upload(fetched.data, fetched.name, {}, timings={"fetch": fetched.milliseconds})
    return as_image(remove(upload, options), upload.stem, "inline")


def remove_file() -> Response:
    """Return the image in the form's `file` without its background."""
    service().admission.refuse_when_full()
    upload = form_image(FILE)
    options = read_options()
    return as_image(remove(upload, options), upload.stem, "inline")


def read_options() -> Options:
    """Return the options that rembg's parameters mean, from the form or else the query.

    rembg's own server reads `bgc` and `extras` from the query and the others from the form; here each may be in either.
    The default model answers for one that rembg knows and that is not enabled here (`REMBG_MODEL_FALLBACK`).
    """
    options = parse_options({**_last(request.args), **_last(request.form)})
    parts = service()
    if parts.settings.rembg_model_fallback:
        state().model_fallback = parts.models.substitute(options.model)
    # A prompt is for the model that was asked for.
    return options.model_copy(update={"model": None, "prompt": None}) if state().model_fallback else options


def _last(source: Any) -> dict[str, str]:
    return {name: values[-1] for name, values in source.lists() if values[-1] != ""}
