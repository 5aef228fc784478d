"""remove.bg's API, version 1.0, for clients of that service: they change their URL and nothing else."""

import contextlib
import hashlib
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
import pybase64
from flask import Response, request
from werkzeug.datastructures import FileStorage

from routes.http.bodies import decode_base64, hold_body, read_json
from routes.http.context import run_once, service, state
from routes.http.limits import client_key
from routes.http.observe import note_result
from routes.http.requests import fetch, wants_json
from services.dialects.removebg import LARGEST, Wish, check_sources, present, read_wish, told_class
from services.dialects.removebg_errors import RemoveBgError, download_error
from services.errors import ServiceError
from services.imaging.decode import ImageLimits, inspect
from services.imaging.errors import UnsupportedFormat
from services.imaging.geometry import Box
from services.imaging.layout import fitted_size
from services.imaging.options import Options
from services.imaging.pipeline import Result, Rules
from services.imaging.sniff import sniff
from services.net.errors import BadURL
from services.net.urls import parse_url

HEADERS: Final = ("X-Type", "X-Max-Width", "X-Max-Height", "X-Credits-Charged")  # beside those that others have too
FILES: Final = ("image_file", "bg_image_file")
# Nothing is billed; some clients stop at 0.
BALANCE: Final = 99_999


def removebg() -> Response:
    """The image without background, as a picture or as base64 in JSON."""
    given = _read_fields()
    source = check_sources(given)
    wish = read_wish(given, service().settings.removebg_default_size)
    photo = _photo(given, source)
    background = _background(given)
    result = _remove(photo, background, wish)
    note_result(result)
    return _answer(result, wish)


def account() -> Response:
    """A balance that never ends. Exactly these keys: the official Ruby client takes no other, and misses none."""
    balance = {"subscription": BALANCE, "payg": 0, "enterprise": 0, "total": BALANCE}
    attributes = {"credits": balance, "api": {"free_calls": 0, "sizes": "all"}}
    return _json({"data": {"attributes": attributes}})


def improve() -> Response:
    """Thanks for an image, which is looked at and forgotten."""
    given = _read_fields()
    source = check_sources(given)
    if source == "image_url":
        with _fetching(source):
            parse_url(_text(given, source))
    else:
        _inspected(_photo(given, source))
    return _json({"id": str(uuid.uuid4())})


def _remove(photo: bytes, background: bytes | None, wish: Wish) -> Result:
    """The result; the images are looked at first, for this API's words where they can't be used, and for the quota."""
    state().cost = math.ceil(_inspected(photo))
    if background is not None:
        _inspected(background)
    parts, options = service(), wish.options
    told = f"{client_key()} {wish.auto_format} {options.model_dump_json()} {background is not None}"
    digest = hashlib.sha256(told.encode())
    for data in (photo, b"\0", background or b""):
        digest.update(hashlib.sha256(data).digest())
    rules = Rules(require_subject=parts.settings.removebg_require_subject, jpeg_if_opaque=wish.auto_format)
    remover = replace(parts.remover, limits=_limits(), rules=rules)
    return run_once(
        digest.hexdigest(),
        lambda deadline: remover.remove(photo, options, background=background, deadline=deadline),
    )


def _answer(result: Result, wish: Wish) -> Response:
    box = result.foreground
    if wants_json():
        encoded = pybase64.b64encode(result.data).decode("ascii")
        response = _json({"data": {"result_b64": encoded, **_told(box, "foreground_{}")}})
    else:
        response = Response(result.data, mimetype=result.format.mimetype)
    largest = _largest(result, wish.options)
    told = {"X-Width": result.width, "X-Height": result.height, "X-Max-Width": largest[0], "X-Max-Height": largest[1]}
    told |= _told(box, "X-Foreground-{}", str.title) | {"X-Credits-Charged": 0}
    response.headers.update({name: str(value) for name, value in told.items()})
    if wish.level != "none":
        response.headers["X-Type"] = told_class(wish, result.model)
    return response


def _told(box: Box, name: str, case: Any = str) -> dict[str, int]:
    sides = {"top": box.top, "left": box.left, "width": box.width, "height": box.height}
    return {name.format(case(side)): value for side, value in sides.items()}


def _largest(result: Result, options: Options) -> tuple[int, int]:
    """The size that `size=full` would give; of a crop only its own size is known."""
    if options.crop:
        return result.width, result.height
    return fitted_size(result.original_width, result.original_height, Options(max_pixels=LARGEST))


def _limits() -> ImageLimits:
    return replace(service().limits, max_bytes=service().settings.removebg_max_content_length)


def _inspected(data: bytes) -> float:
    """Megapixels of an image, from its header. Raises what `inspect` does, twice in this API's words."""
    limits = _limits()
    if 0 < len(data) <= limits.max_bytes and (kind := sniff(data)).name not in limits.formats:
        detail = f"Expected {'/'.join(limits.formats).replace('jpeg', 'jpg')}, received {kind.label}"
        raise UnsupportedFormat(detail)
    source = inspect(data, replace(limits, max_pixels=1 << 62))
    source.image.close()
    most = limits.max_pixels / 1e6
    if source.megapixels > most:
        detail = (
            f"Input image has {math.ceil(source.megapixels)} megapixels, "
            f"maximum supported input resolution is {most:g} megapixels"
        )
        raise RemoveBgError("resolution_too_high", "Image resolution too high", detail)
    return source.megapixels


def _read_fields() -> dict[str, object]:
    """The fields that say something, as texts, JSON's values, or uploaded files."""
    parts = service()
    parts.admission.refuse_when_full()
    request.max_content_length = request.max_form_memory_size = parts.settings.removebg_encoded_bytes
    if request.mimetype == "application/json":
        return present(read_json())
    hold_body()
    found: dict[str, object] = {}
    for name, text in request.form.items(multi=True):
        if text and name not in FILES:
            found.setdefault(name, text)
    for name, part in request.files.items(multi=True):
        if name in FILES and (part.filename or part.stream.read(1)):
            found.setdefault(name, part)
    return found


def _photo(given: Mapping[str, object], source: str) -> bytes:
    if source == "image_url":
        return _fetched(given, source)
    value = given[source]
    if isinstance(value, FileStorage):
        return _file(value)
    return decode_base64(_text(given, source), service().settings.removebg_max_content_length)


def _background(given: Mapping[str, object]) -> bytes | None:
    value = given.get("bg_image_file")
    if isinstance(value, FileStorage):
        return _file(value)
    return _fetched(given, "bg_image_url") if "bg_image_url" in given else None


def _file(part: FileStorage) -> bytes:
    part.stream.seek(0)
    data = part.stream.read()
    part.close()
    return data


def _text(given: Mapping[str, object], name: str) -> str:
    value = given[name]
    if isinstance(value, str):
        return value
    if name.endswith("_url"):
        raise download_error(BadURL(f"it is not a text but {type(value).__name__}"), name)
    raise RemoveBgError("failed_to_read_image", "Failed to read image", f"{name} is not a text")


def _fetched(given: Mapping[str, object], name: str) -> bytes:
    url = _text(given, name)
    with _fetching(name):
        return fetch(name, url, service().settings.removebg_max_content_length).data


@contextlib.contextmanager
def _fetching(name: str) -> Iterator[None]:
    """What goes wrong inside is said as this field's error."""
    try:
        yield
    except ServiceError as exc:
        raise download_error(exc, name) from exc


def _json(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), content_type="application/json; charset=utf-8")
