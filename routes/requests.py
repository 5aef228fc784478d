"""A request becomes an image and its options, once, here. Nothing of a request travels further."""

import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, Final

import orjson
import pybase64
from flask import Request, g, request
from werkzeug.datastructures import FileStorage, MultiDict

from config import BODY_COPIES
from routes.context import service
from services.errors import (
    BadBase64,
    BadJSON,
    BadRequest,
    EmptyImage,
    ForbiddenSource,
    MissingImage,
    MultipleImages,
    UnsupportedFormat,
    UploadTooLarge,
)
from services.formats import Format, usable_formats
from services.options import BACKGROUND_IMAGE, Options, allowed, bad_option, unknown_option
from services.values import TRUTHS, parse_truth

FILE_FIELDS: Final = ("file", "image")
MAX_NAME_CHARS: Final = 100


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: their size is bounded, they are needed whole, and a full or read-only
    disk is nobody's problem."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return io.BytesIO()


@dataclass(frozen=True)
class Upload:
    """An image that came in a request; `stem` is a harmless file name without ending; `given` the raw options;
    `background` the image to go behind the subject."""

    data: bytes
    stem: str
    given: Mapping[str, object]
    background: bytes | None = None

    def options(self) -> Options:
        return Options.parse(self.given, default_format=format_from_accept())


def read_upload() -> Upload:
    """The image of a multipart form, or of a raw body, with the options beside it.

    Raises the 400, 403, 413 and 415 errors of the contract, and `Busy` before the body is read.
    """
    service().admission.refuse_when_full()
    _refuse_encoded_body()
    _hold_body()
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _from_form()
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        return _from_body()
    if kind == "application/x-www-form-urlencoded":
        given = _options(request.args, request.form)
        raise MissingImage("the body is a form without a file" if given else "the body holds no image")
    raise UnsupportedFormat(
        f"the body is declared as {kind[:80]}",
        "Send multipart/form-data with a field 'file', or an image/* body",
    )


def read_json() -> dict[str, Any]:
    """The body as a JSON object. Raises `BadJSON`, `UploadTooLarge`, `Busy`."""
    _refuse_encoded_body()
    _hold_body()
    body = request.get_data(cache=False)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadJSON(f"{exc.msg} (character {exc.pos})" if body else "the body is empty") from exc
    if not isinstance(found, dict):
        raise BadJSON(f"an object is needed; found {type(found).__name__}")
    return found


def read_base64_upload() -> tuple[Upload, bool]:
    """The image and options of the base64 endpoint's JSON, and whether a data URI is wanted back."""
    service().admission.refuse_when_full()
    body = read_json()
    text = body.pop("image", None)
    data_uri = boolean("data_uri", body.pop("data_uri", None))
    if isinstance(body.get("prompt"), list):
        body["prompt"] = orjson.dumps(body["prompt"]).decode()  # one value, not many
    background = _base64_background(body.pop(BACKGROUND_IMAGE, None))
    given = _options(request.args, MultiDict(body), also=("image", "data_uri"))
    if text is None or text == "":
        raise MissingImage("the key 'image' is absent", 'Send {"image": "<base64 or data URI>"}')
    if isinstance(text, list):
        raise MultipleImages(f"'image' is a list of {len(text)}")
    if not isinstance(text, str):
        raise BadBase64(f"'image' is not a text but {type(text).__name__}")
    return Upload(decode_base64(text), "image", given, background), data_uri


def _base64_background(text: object) -> bytes | None:
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise bad_option(BACKGROUND_IMAGE, text, "base64 or a data URI of an image")
    return decode_base64(text)


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text or data URI; white space is ignored.

    Raises `BadBase64`, `EmptyImage`, `UploadTooLarge`.
    """
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise BadBase64("the data URI is not of the form data:<type>;base64,<data>")
    compact = "".join(text.split()) if any(space in text for space in " \n\r\t") else text
    limit = service().limits.max_bytes
    if len(compact) // 4 * 3 - compact[-2:].count("=") > limit:
        raise UploadTooLarge(f"the image has about {len(compact) // 4 * 3} bytes; allowed: {limit}")
    try:
        data = pybase64.b64decode(compact, validate=True)
    except ValueError as exc:  # binascii.Error is one; other characters than ASCII are another
        raise BadBase64("it holds characters that base64 does not have, or its padding is wrong") from exc
    if not data:
        raise EmptyImage("the base64 text is empty")
    return data


def boolean(name: str, value: object) -> bool:
    """An option's truth value; None and '' are false. Raises `BadOption`."""
    if value is None or value == "":
        return False
    try:
        return parse_truth(value)
    except ValueError as exc:
        raise bad_option(name, value, TRUTHS) from exc


def wants_json() -> bool:
    """Whether JSON is asked for rather than an image: named, and liked better than any image (`*/*` likes both)."""
    accept = request.accept_mimetypes
    return accept.quality("application/json") > max(accept.quality(f.mimetype) for f in usable_formats())


def format_from_accept() -> Format:
    """The result's format where `format` is absent: the best type that `Accept` names, or PNG."""
    accept = request.accept_mimetypes
    named = [f for f in usable_formats() if f.mimetype in accept.values() and accept.quality(f.mimetype) > 0]
    return max([*named, Format.PNG], key=lambda f: accept.quality(f.mimetype))


def _from_form() -> Upload:
    parts = [(name, part) for name, part in request.files.items(multi=True) if part.filename or name in FILE_FIELDS]
    backgrounds = [part for name, part in parts if name == BACKGROUND_IMAGE]
    files = [(name, part) for name, part in parts if name != BACKGROUND_IMAGE]
    for name in (name or "" for name, _ in files if name not in FILE_FIELDS):
        if name in Options.model_fields:
            raise bad_option(name, "a file", allowed(name))
        raise unknown_option(name, also=(*FILE_FIELDS, BACKGROUND_IMAGE))
    as_text = next((name for name in FILE_FIELDS if name in request.form), None)
    if len(files) + (as_text is not None) > 1:
        raise MultipleImages(f"{len(files) + (as_text is not None)} image fields were received")
    if as_text is not None:
        raise MissingImage(f"the field {as_text!r} came as text, not as a file")
    given = _options(request.args, request.form)
    if not files or not (part := files[0][1]).filename:
        raise MissingImage("the form has no file in the field 'file'")
    if len(backgrounds) > 1:
        raise bad_option(BACKGROUND_IMAGE, f"{len(backgrounds)} files", "one file")
    background = _read(backgrounds[0]) if backgrounds else None
    return Upload(_read(part), _stem(part.filename), given, background)


def _from_body() -> Upload:
    limit = service().limits.max_bytes
    if request.content_length and request.content_length > limit:
        raise UploadTooLarge(f"{request.content_length} bytes were announced; allowed: {limit}")
    given = _options(request.args)
    data = request.get_data(cache=False)
    if len(data) < (request.content_length or 0):
        raise BadRequest(f"{request.content_length} bytes were announced, {len(data)} came")
    if not data:
        if request.mimetype.startswith("image/"):
            raise EmptyImage("the body is empty")
        raise MissingImage("the body is empty")
    return Upload(data, "image", given)


def _read(part: FileStorage) -> bytes:
    data = part.stream.read()
    part.close()
    if not data:
        raise EmptyImage(f"the file in the field {part.name!r} has 0 bytes")
    return data


def _options(*sources: Mapping[str, Any], also: Iterable[str] = ()) -> dict[str, object]:
    """Raw options of all sources together. Raises `BadOption` for one given twice, `ForbiddenSource` for a URL."""
    given: dict[str, object] = {}
    for source in sources:
        for name, values in source.lists() if isinstance(source, MultiDict) else source.items():
            present = [v for v in values if v not in ("", None)]
            if len(present) > 1 or (present and name in given):
                raise bad_option(name, [*([given[name]] if name in given else []), *present], "one value")
            if present:
                given[name] = present[0]
    if BACKGROUND_IMAGE in given:
        raise bad_option(BACKGROUND_IMAGE, given[BACKGROUND_IMAGE], "a file of a form, or base64 in JSON")
    if "image_url" in given:
        raise ForbiddenSource("image_url was given")
    for name in given:
        if name not in Options.model_fields:
            raise unknown_option(name, also=(*FILE_FIELDS, BACKGROUND_IMAGE, *also))
    return given


def release_body(_: BaseException | None = None) -> None:
    """At a request's end: its body is no longer held."""
    service().bodies.give_back(g.pop("held_bytes", 0))


def _hold_body() -> None:
    """Count the body that is about to be read; one of unknown length as the largest. Raises `Busy`."""
    most = service().settings.max_encoded_bytes
    size = BODY_COPIES * min(most, most if request.content_length is None else request.content_length)
    service().bodies.take(size)
    g.held_bytes = size


def _refuse_encoded_body() -> None:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedFormat(
            f"the body is declared as Content-Encoding {encoding[:40]}",
            "Send the body without Content-Encoding",
        )


def _stem(filename: str) -> str:
    """A caller's file name made harmless: its last part without ending, no control characters, bounded."""
    name = PurePosixPath(filename.replace("\\", "/").replace("\0", "")).stem
    visible = "".join(c for c in name if unicodedata.category(c)[0] != "C" and (c == " " or not c.isspace()))
    clean = re.sub(r'[<>:"/\\|?*;%]', "_", visible).strip(" .")
    return clean[:MAX_NAME_CHARS] or "image"
