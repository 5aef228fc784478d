"""`/api/remove`, as rembg's own server (`rembg s`, 2.0.86) has it. See `services/dialects/rembg.py`."""

from typing import Any, Final

from flask import Response, request

from routes.http.bodies import hold_body, read_part
from routes.http.context import service
from routes.http.requests import Upload, fetch
from routes.removal import as_image, remove
from services.archives.filenames import harmless_stem
from services.dialects.rembg import parse_options
from services.errors import MissingImage, MultipleImages
from services.imaging.errors import UnsupportedFormat
from services.imaging.options import Options

FILE: Final = "file"


def remove_url() -> Response:
    """Return the image behind `url` without its background."""
    service().admission.refuse_when_full()
    # A body is not read: nothing would bound or count it.
    options = parse_options(_last(request.args))
    # rembg's fetcher takes what was not encoded twice.
    url = request.args.get("url", "").replace(" ", "%20")
    if not url:
        raise MissingImage("the parameter 'url' is absent", "Send GET /api/remove?url=https://…")
    fetched = fetch("url", url)
    upload = Upload(fetched.data, harmless_stem(fetched.name), {}, timings={"fetch": fetched.milliseconds})
    return as_image(remove(upload, options), upload.stem, "inline")


def remove_file() -> Response:
    """Return the image in the form's `file` without its background."""
    service().admission.refuse_when_full()
    need_form()
    hold_body()
    options = read_options()
    parts = request.files.getlist(FILE)
    if len(parts) > 1:
        raise MultipleImages(f"{len(parts)} files were received")
    if not parts or not parts[0].filename:
        raise MissingImage(f"the form has no file in the field {FILE!r}", "Send it as curl -F file=@photo.jpg does")
    upload = Upload(read_part(parts[0]), harmless_stem(parts[0].filename), {})
    return as_image(remove(upload, options), upload.stem, "inline")


def read_options() -> Options:
    """Return the options that rembg's parameters mean, from the form or else the query.

    rembg's own server reads `bgc` and `extras` from the query and the others from the form; here each may be in either.
    """
    return parse_options({**_last(request.args), **_last(request.form)})


def need_form() -> None:
    """Raise `MissingImage` or `UnsupportedFormat` for a body that is not a multipart form."""
    if request.mimetype == "multipart/form-data":
        return
    solution = "Send multipart/form-data, as curl -F does"
    if request.mimetype in ("", "application/x-www-form-urlencoded"):
        raise MissingImage("the body is not a form with a file", solution)
    raise UnsupportedFormat(f"the body is declared as {request.mimetype[:80]}", solution)


def _last(source: Any) -> dict[str, str]:
    return {name: values[-1] for name, values in source.lists() if values[-1] != ""}
