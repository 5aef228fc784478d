"""remove.bg's API, version 1.0: its clients change their URL and nothing else. See `services/dialects/removebg.py`."""

import contextlib
import hashlib
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from flask import Response, request
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage

from routes.http.answers import json_response
from routes.http.auth import current_caller
from routes.http.bodies import decode_base64, hold_body, read_json
from routes.http.context import request_deadline, run_once, service, state
from routes.http.fields import wants_json
from routes.http.limits import client_key
from routes.http.observe import note_result
from routes.http.requests import fetch
from routes.usage import remaining
from services.dialects.removebg import RemoveBgOptions, check_sources, inspect_image, parse_options, present
from services.dialects.removebg_answers import Account, Improvement, JsonAnswer, headers
from services.dialects.removebg_errors import UNREADABLE, RemoveBgError, download_error
from services.errors import ServiceError
from services.imaging.pipeline import Result, Rules
from services.net.errors import BadURL
from services.net.urls import parse_url
from services.removal import Remover

# Headers that only this API has.
HEADERS: Final = ("X-Type", "X-Max-Width", "X-Max-Height", "X-Credits-Charged")
FILE_FIELDS: Final = ("image_file", "bg_image_file")
JSON: Final = "application/json"


def removebg() -> Response:
    """Remove a background; the result is a picture, or base64 in JSON."""
    return answer(partial(parse_options, default_size=service().settings.removebg_default_size))


def answer(parse: Callable[[Mapping[str, object]], RemoveBgOptions]) -> Response:
    """Remove a background with the options that `parse` makes of the request's fields."""
    given = _read_fields()
    source = check_sources(given, _mislabelled())
    asked = parse(given)
    photo = _photo(given, source)
    background = _background(given)
    result = _remove(photo, background, asked)
    note_result(result)
    response = _json(JsonAnswer.of(result)) if wants_json() else Response(result.data, mimetype=result.format.mimetype)
    response.headers.update(headers(result, asked))
    return response


def account() -> Response:
    """Return what is left of the key's month; without a quota a balance that never ends."""
    caller = current_caller()
    return _json(Account.of(remaining(caller) if caller else None))


def improve() -> Response:
    """Check an image that is offered for improvement, and forget it."""
    given = _read_fields()
    source = check_sources(given, _mislabelled())
    if source == "image_url":
        url = _text(given, source)
        with _errors_of(source, url):
            parse_url(url)
    else:
        inspect_image(_photo(given, source), _remover(), request_deadline())
    return _json(Improvement(id=str(uuid.uuid4())))


def _remove(photo: bytes, background: bytes | None, asked: RemoveBgOptions) -> Result:
    """Return the result. The images are inspected first: for this API's errors, and for the quota."""
    remover = _remover()
    state().cost = math.ceil(inspect_image(photo, remover, request_deadline()))
    if background is not None:
        inspect_image(background, remover, request_deadline())
    require_subject = service().settings.removebg_require_subject
    remover = replace(remover, rules=Rules(require_subject=require_subject, jpeg_if_opaque=asked.auto_format))
    return run_once(
        _request_key(photo, background, asked),
        lambda deadline: remover.remove(photo, asked.options, background=background, deadline=deadline),
    )


def _request_key(photo: bytes, background: bytes | None, asked: RemoveBgOptions) -> str:
    """Return the key by which a client's repeated request is recognised while the first one runs."""
    options = f"{client_key()} {asked.auto_format} {asked.options.model_dump_json()} {background is not None}"
    digest = hashlib.sha256(options.encode())
    for data in (photo, b"\0", background or b""):
        digest.update(hashlib.sha256(data).digest())
    return digest.hexdigest()


def _remover() -> Remover:
    limits = replace(service().limits, max_bytes=service().settings.removebg_max_content_length)
    return replace(service().remover, limits=limits)


def _read_fields() -> dict[str, object]:
    """Return the fields that are not empty: texts, JSON values, or uploaded files."""
    parts = service()
    parts.admission.refuse_when_full()
    request.max_content_length = request.max_form_memory_size = parts.settings.removebg_encoded_bytes
    # The query's fields count where the body has none of the name.
    query = present(request.args)
    if request.mimetype == JSON:
        return query | present(read_json())
    hold_body()
    found: dict[str, object] = {}
    for name, text in request.form.items(multi=True):
        if text and name not in FILE_FIELDS:
            found.setdefault(name, text)
    for name, part in request.files.items(multi=True):
        if name in FILE_FIELDS and (part.filename or part.stream.read(1)):
            found.setdefault(name, part)
    return query | found


def _mislabelled() -> str:
    """Return why a JSON body was not read as JSON, or "": its Content-Type says that it is something else."""
    if request.mimetype == "application/x-www-form-urlencoded":
        head = next(iter(request.form), "")
    else:
        head = "" if request.form or request.files else request.get_data(cache=False)[:64].decode("ascii", "replace")
    if not head.lstrip().startswith("{"):
        return ""
    return f"The body looks like JSON, but its Content-Type is {request.mimetype[:80] or 'absent'}, not {JSON}."


def _photo(given: Mapping[str, object], source: str) -> bytes:
    if source == "image_url":
        return _fetched(given, source)
    value = given[source]
    if isinstance(value, FileStorage):
        return _file(value)
    limit = service().settings.removebg_max_content_length
    return decode_base64(_text(given, source), limit, lenient=True)


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
    raise RemoveBgError("failed_to_read_image", UNREADABLE, f"{name} is not a text")


def _fetched(given: Mapping[str, object], name: str) -> bytes:
    url = _text(given, name)
    with _errors_of(name, url):
        return fetch(name, url, service().settings.removebg_max_content_length).data


@contextlib.contextmanager
def _errors_of(name: str, url: str) -> Iterator[None]:
    """Turn a fetch's errors into errors of the field `name`."""
    try:
        yield
    except ServiceError as exc:
        raise download_error(exc, name, url) from exc


def _json(body: BaseModel) -> Response:
    response = json_response(body)
    response.content_type = "application/json; charset=utf-8"
    return response
