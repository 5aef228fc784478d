"""Reads request bodies: JSON, base64, files of a form. Everything is bounded and stays in memory."""

import io
from collections.abc import Callable
from functools import partial
from typing import IO, Any, Final, TypeVar

import orjson
import pybase64
from flask import Request, request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import FileStorage

from config import BODY_COPIES
from routes.http.context import service, state
from routes.http.form_parser import FormParser
from services.errors import BadBase64, BadJSON, BadOption, EmptyImage, UploadTooLarge
from services.imaging.choices.texts import no_such_option
from services.imaging.errors import UnsupportedFormat

# No error shows what was sent in them.
HIDDEN_FIELDS: Final = frozenset({"password", "new_password", "token", "refresh_token", "email"})
Read = TypeVar("Read", bound=BaseModel)
URL_SAFE: Final = str.maketrans("-_", "+/")


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: they are bounded and needed whole, and a full disk can't fail them."""

    form_data_parser_class = FormParser

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return io.BytesIO()


def hold_body(most: int = 0) -> None:
    """Count the body before it is read: `most` bytes (0: an image's); a body of unknown length counts as the largest.

    Raises `Busy`.
    """
    refuse_encoded_body()
    most = most or request.max_content_length or service().settings.max_encoded_bytes
    hold(BODY_COPIES * min(most, most if request.content_length is None else request.content_length))


def hold(size: int) -> None:
    """Count bytes for this request until its end. Raises `Busy`."""
    request_state = state()
    service().bodies.take(size, request_state.held_bytes)
    request_state.held_bytes += size


def hold_more(size: int) -> None:
    """Count bytes that this request needs besides its body, until its end. Raises `Busy`."""
    service().bodies.take(size)
    state().held_bytes += size


def keep_body() -> Callable[[], None]:
    """Keep counting this request's body while its response is sent, until the returned function is called."""
    request_state = state()
    size, request_state.held_bytes = request_state.held_bytes, 0
    return partial(service().bodies.give_back, size)


def release_body(_: BaseException | None = None) -> None:
    """Stop counting the body at the end of a request."""
    request_state = state()
    service().bodies.give_back(request_state.held_bytes)
    request_state.held_bytes = 0


def refuse_encoded_body() -> None:
    """Raise `UnsupportedFormat` for a body with a Content-Encoding."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedFormat(
            f"the body is declared as Content-Encoding {encoding[:40]}",
            "Send the body without Content-Encoding",
        )


def read_json() -> dict[str, Any]:
    """Read the body as a JSON object. Raises `BadJSON`, `UploadTooLarge`, `Busy`."""
    hold_body()
    body = request.get_data(cache=False)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadJSON(f"{exc.msg} (character {exc.pos})" if body else "the body is empty") from exc
    if not isinstance(found, dict):
        raise BadJSON(f"an object is needed; found {type(found).__name__}")
    return found


def read_model(model: type[Read]) -> Read:
    """Read the body as a JSON object with the model's keys.

    Raises `UnknownOption`, and `BadOption`, which never shows a password or a token; see `read_json`.
    """
    body = read_json()
    for name in body:
        if name not in model.model_fields:
            raise no_such_option(name, [*model.model_fields])
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        name = str(exc.errors(include_url=False)[0]["loc"][0])
        allowed = model.model_fields[name].description or "another value"
        value = None if name in HIDDEN_FIELDS or name not in body else body[name]
        raise BadOption(name, value, allowed if name in body else f"{allowed}; it is absent") from exc


def read_part(part: FileStorage) -> bytes:
    """Read a file of a form. Raises `EmptyImage`."""
    data = part.stream.read()
    part.close()
    if not data:
        raise EmptyImage(f"the file in the field {part.name!r} has 0 bytes")
    return data


def decode_base64(text: str, limit: int | None = None, *, lenient: bool = False) -> bytes:
    """Decode a base64 text or data URI of at most `limit` bytes; white space is ignored.

    With `lenient` it may be written in the URL-safe alphabet (RFC 4648, section 5), and without its padding.

    Raises `BadBase64`, `EmptyImage`, `UploadTooLarge`.
    """
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise BadBase64("the data URI is not of the form data:<type>;base64,<data>")
    compact = "".join(text.split()) if any(space in text for space in " \n\r\t") else text
    if lenient:
        compact = compact.translate(URL_SAFE)
        compact += "=" * (-len(compact) % 4)
    limit = limit or service().limits.max_bytes
    if len(compact) // 4 * 3 - compact[-2:].count("=") > limit:
        raise UploadTooLarge(f"the image has about {len(compact) // 4 * 3} bytes; allowed: {limit}")
    try:
        data = pybase64.b64decode(compact, validate=True)
    # Binascii.Error is one; other characters than ASCII are another.
    except ValueError as exc:
        raise BadBase64("it holds characters that base64 does not have, or its padding is wrong") from exc
    if not data:
        raise EmptyImage("the base64 text is empty")
    return data
