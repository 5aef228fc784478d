"""A request becomes an image and its options, once, here. Nothing of a request travels further."""

import io
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import IO, Any, Final

import orjson
import pybase64
from flask import Request, request
from werkzeug.datastructures import FileStorage, MultiDict

from routes.context import service
from services.errors import (
    BadBase64,
    BadJSON,
    BadOption,
    BadRequest,
    BadURL,
    EmptyImage,
    ForbiddenSource,
    MissingImage,
    MultipleImages,
    UnsupportedFormat,
    UploadTooLarge,
)
from services.fetch import Fetched
from services.options import Format, Options, allowed, bad_option, unknown_option
from services.outbound import PSEUDONYM

FILE_FIELDS: Final = ("file", "image")
URL_FIELD: Final = "image_url"
OUTPUT_KEY: Final = "output_key"
TRUE: Final = frozenset({"true", "1", "yes", "on"})
FALSE: Final = frozenset({"false", "0", "no", "off"})
MAX_NAME_CHARS: Final = 100


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: their size is bounded, they are needed whole, and a full or read-only
    disk is nobody's problem."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return io.BytesIO()


@dataclass(frozen=True)
class Upload:
    """The image of a request; `stem` is a harmless file name without ending; `given` the raw options; `timings` what
    getting it took, in ms."""

    data: bytes
    stem: str
    given: Mapping[str, object]
    timings: Mapping[str, float] = field(default_factory=dict)

    def options(self, *, default_format: Format | None = None) -> Options:
        return Options.parse(self.given, default_format=default_format or format_from_accept())


def read_upload(*own: str) -> Upload:
    """The image of a multipart form, of a raw body, or behind `image_url`, with the options beside it.

    `own` names the endpoint's fields that are no options. Raises the 400, 403, 413, 415, 502 and 504 errors of the
    contract.
    """
    _refuse_encoded_body()
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _from_form(own)
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        return _from_body(own)
    if kind == "application/x-www-form-urlencoded":
        given = _options(request.args, request.form, own=own)
        if URL_FIELD in given:
            return _from_url(given)
        raise MissingImage("the body is a form without a file" if given else "the body holds no image")
    if kind == "application/json":
        given = _options(request.args, MultiDict(read_json()), own=own)
        if URL_FIELD in given:
            return _from_url(given)
        raise MissingImage("the key 'image_url' is absent", 'Send {"image_url": "https://…"}, or the image as a file')
    raise UnsupportedFormat(
        f"the body is declared as {kind[:80]}",
        "Send multipart/form-data with a field 'file', or an image/* body",
    )


def read_json() -> dict[str, Any]:
    """The body as a JSON object. Raises `BadJSON`, `UploadTooLarge`."""
    _refuse_encoded_body()
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
    body = read_json()
    text = body.pop("image", None)
    data_uri = boolean("data_uri", body.pop("data_uri", None))
    given = _options(request.args, MultiDict(body), own=("image", "data_uri"))
    if text is None or text == "":
        if URL_FIELD in given:
            return _from_url(given), data_uri
        raise MissingImage("the keys 'image' and 'image_url' are absent", 'Send {"image": "<base64 or data URI>"}')
    if URL_FIELD in given:
        raise MultipleImages("both 'image' and 'image_url' were given")
    if isinstance(text, list):
        raise MultipleImages(f"'image' is a list of {len(text)}")
    if not isinstance(text, str):
        raise BadBase64(f"'image' is not a text but {type(text).__name__}")
    return Upload(decode_base64(text), "image", given), data_uri


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
        data = pybase64.b64decode(compact.encode("ascii"), validate=True)
    except ValueError as exc:  # binascii.Error and UnicodeEncodeError are ValueErrors
        raise BadBase64("it holds characters that base64 does not have, or its padding is wrong") from exc
    if not data:
        raise EmptyImage("the base64 text is empty")
    return data


def boolean(name: str, value: object) -> bool:
    """An option's truth value; None and '' are false. Raises `BadOption`."""
    if isinstance(value, bool):
        return value
    text = "" if value is None else str(value).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE or text == "":
        return False
    raise bad_option(name, value, "true, false, 1, 0, yes, no, on, off")


def wants_json() -> bool:
    """Whether JSON is asked for rather than an image: named, and liked better than any image (`*/*` likes both)."""
    accept = request.accept_mimetypes
    return accept.quality("application/json") > max(accept.quality(f.mimetype) for f in Format)


def format_from_accept() -> Format:
    """The result's format where `format` is absent: the best image type that `Accept` names, or PNG."""
    accept = request.accept_mimetypes
    named = [f for f in Format if f.mimetype in accept.values() and accept.quality(f.mimetype) > 0]
    return max([*named, Format.PNG], key=lambda f: accept.quality(f.mimetype))


def _from_form(own: tuple[str, ...]) -> Upload:
    files = [(name, part) for name, part in request.files.items(multi=True) if part.filename or name in FILE_FIELDS]
    for name in (name or "" for name, _ in files if name not in FILE_FIELDS):
        if name in Options.model_fields:
            raise bad_option(name, "a file", allowed(name))
        raise unknown_option(name, also=FILE_FIELDS)
    as_text = next((name for name in FILE_FIELDS if name in request.form), None)
    if len(files) + (as_text is not None) > 1:
        raise MultipleImages(f"{len(files) + (as_text is not None)} image fields were received")
    if as_text is not None:
        raise MissingImage(f"the field {as_text!r} came as text, not as a file")
    given = _options(request.args, request.form, own=own)
    if URL_FIELD in given:
        if any(part.filename for _, part in files):
            raise MultipleImages("both a file and 'image_url' were given")
        return _from_url(given)
    if not files or not (part := files[0][1]).filename:
        raise MissingImage("the form has no file in the field 'file'")
    return Upload(_read(part), _stem(part.filename), given)


def _from_body(own: tuple[str, ...]) -> Upload:
    limit = service().limits.max_bytes
    if request.content_length and request.content_length > limit:
        raise UploadTooLarge(f"{request.content_length} bytes were announced; allowed: {limit}")
    given = _options(request.args, own=own)
    data = request.get_data(cache=False)
    if len(data) < (request.content_length or 0):
        raise BadRequest(f"{request.content_length} bytes were announced, {len(data)} came")
    if URL_FIELD in given:
        if data:
            raise MultipleImages("both a body and 'image_url' were given")
        return _from_url(given)
    if not data:
        if request.mimetype.startswith("image/"):
            raise EmptyImage("the body is empty")
        raise MissingImage("the body is empty")
    return Upload(data, "image", given)


def _from_url(given: dict[str, object]) -> Upload:
    """The image behind `image_url`, which is taken out of `given`. What is wrong with the options is said first."""
    url = given.pop(URL_FIELD)
    upload = Upload(b"", "image", given)
    upload.options()
    fetched = fetch(URL_FIELD, url)
    return replace(upload, data=fetched.data, stem=_stem(fetched.name), timings={"fetch": fetched.milliseconds})


def fetch(name: str, url: object) -> Fetched:
    """What is behind the URL in the field `name`. Raises `BadURL` and the errors of `services.fetch`."""
    if not isinstance(url, str):
        raise BadURL(f"{name} is not a text but {type(url).__name__}")
    if PSEUDONYM in request.headers.get("Via", ""):  # a URL of ours that leads to us, and so on
        raise ForbiddenSource("this request came from a fetch of this service")
    return service().fetch(url)


def _read(part: FileStorage) -> bytes:
    data = part.stream.read()
    part.close()
    if not data:
        raise EmptyImage(f"the file in the field {part.name!r} has 0 bytes")
    return data


def _options(*sources: Mapping[str, Any], own: tuple[str, ...] = ()) -> dict[str, object]:
    """Raw options of all sources together, `image_url` among them. Raises `BadOption` for one given twice."""
    given: dict[str, object] = {}
    for source in sources:
        for name, values in source.lists() if isinstance(source, MultiDict) else source.items():
            present = [v for v in values if v not in ("", None)]
            if len(present) > 1 or (present and name in given):
                if name == URL_FIELD:
                    raise MultipleImages("more than one 'image_url' was given")
                raise bad_option(name, [*([given[name]] if name in given else []), *present], "one value")
            if present:
                given[name] = present[0]
    for name in given:
        if name == OUTPUT_KEY and name in own:
            raise BadOption("output_key was given; allowed: nothing, for this server has no object storage")
        if name not in Options.model_fields and name != URL_FIELD:
            raise unknown_option(name, also=(*FILE_FIELDS, URL_FIELD, *own))
    return given


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
