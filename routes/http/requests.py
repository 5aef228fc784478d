"""Reads a request into an image and its options. Nothing of a request travels further."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson
from flask import request
from werkzeug.datastructures import MultiDict

from routes.http.bodies import decode_base64, hold_body, read_json, read_part
from routes.http.context import request_deadline, service
from routes.http.fields import (
    BACKGROUND_URL,
    CALLBACK_URL,
    FILE_FIELDS,
    MASK,
    OUTPUT_KEY,
    URL_FIELD,
    boolean,
    format_from_accept,
    image_reference,
    raw_options,
    refused_field,
    result_key,
    unknown_field,
)
from routes.http.incoming import S3_KEY, read_incoming
from services.archives.filenames import harmless_stem
from services.errors import (
    BadBase64,
    BadOption,
    BadRequest,
    ConflictingOptions,
    EmptyImage,
    MissingImage,
    MultipleImages,
    UploadTooLarge,
)
from services.imaging.errors import UnsupportedFormat
from services.imaging.formats import Format
from services.imaging.options import BACKGROUND_IMAGE, Options, allowed
from services.net.client import PSEUDONYM
from services.net.errors import BadURL, ForbiddenSource
from services.net.fetch import Fetched


@dataclass(frozen=True)
class Upload:
    """The image of a request.

    `name` is the file name as it was sent; `given` the raw options; `background` the image behind the subject;
    `mask` the caller's own mask, at endpoints that take one; `timings` the milliseconds it took to get them;
    `output_key` the key under which the result is stored as well, or "".
    """

    data: bytes
    name: str
    given: Mapping[str, object]
    background: bytes | None = None
    mask: bytes | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    output_key: str = ""
    callback_url: object = None

    @property
    def stem(self) -> str:
        """A harmless file name without ending."""
        return harmless_stem(self.name)

    def options(self, *, default_format: Format | None = None) -> Options:
        return Options.parse(self.given, default_format=default_format or format_from_accept())


def read_upload(
    *own: str, waits: bool = False, refused: tuple[str, ...] = (), fields: tuple[str, ...] = FILE_FIELDS
) -> Upload:
    """Read the image of a form, of a raw body, or behind `image_url`, with its options.

    `own` names the endpoint's fields that are not options, `refused` the options that it does not take, `fields` the
    image's own names in a form; with `waits` the image is not worked on now. Raises the contract's 400, 403, 413, 415,
    502 and 504 errors, and `Busy` before the body is read.
    """
    if not waits:
        service().admission.refuse_when_full()
    kind = request.mimetype
    if kind == "application/json":
        given = raw_options(request.args, MultiDict(read_json()), own=own, refused=refused)
        if image_reference(given):
            return _complete(given)
        raise MissingImage("the key 'image_url' is absent", 'Send {"image_url": "https://…"}, or the image as a file')
    hold_body()
    if kind == "multipart/form-data":
        return _from_form(own, refused, fields)
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        return _from_body(own, refused)
    if kind == "application/x-www-form-urlencoded":
        given = raw_options(request.args, request.form, own=own, refused=refused)
        if image_reference(given):
            return _complete(given)
        raise MissingImage("the body is a form without a file" if given else "the body holds no image")
    raise UnsupportedFormat(
        f"the body is declared as {kind[:80]}",
        "Send multipart/form-data with a field 'file', or an image/* body",
    )


def read_base64_upload() -> tuple[Upload, bool]:
    """Read the image and options of the base64 endpoint's JSON, and whether a data URI is wanted back."""
    service().admission.refuse_when_full()
    body = read_json()
    text = body.pop("image", None)
    data_uri = boolean("data_uri", body.pop("data_uri", None))
    if isinstance(body.get("prompt"), list):
        body["prompt"] = orjson.dumps(body["prompt"]).decode()  # one value, not several
    background = _base64_background(body.pop(BACKGROUND_IMAGE, None))
    given = raw_options(request.args, MultiDict(body), own=("image", "data_uri"), file_field="image")
    if text is None or text == "":
        if URL_FIELD in given:
            return _complete(given, background=background), data_uri
        raise MissingImage("the keys 'image' and 'image_url' are absent", 'Send {"image": "<base64 or data URI>"}')
    if URL_FIELD in given:
        raise MultipleImages("both 'image' and 'image_url' were given")
    if isinstance(text, list):
        raise MultipleImages(f"'image' is a list of {len(text)}")
    if not isinstance(text, str):
        raise BadBase64(f"'image' is not a text but {type(text).__name__}")
    return _complete(given, decode_base64(text), background=background), data_uri


def fetch(name: str, url: object, max_bytes: int | None = None) -> Fetched:
    """Fetch the URL in the field `name`, at most `max_bytes`.

    Raises `BadURL` and the errors of `services.net.fetch`.
    """
    if not isinstance(url, str):
        raise BadURL(f"{name} is not a string but {type(url).__name__}")
    # A URL of ours that leads to us, and so on.
    if PSEUDONYM in request.headers.get("Via", ""):
        raise ForbiddenSource("this request came from a fetch of this service")
    return service().fetcher.fetch(url, request_deadline(), max_bytes)


def _base64_background(text: object) -> bytes | None:
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise BadOption(BACKGROUND_IMAGE, text, "base64 or a data URI of an image")
    return decode_base64(text)


def _from_form(own: tuple[str, ...], refused: tuple[str, ...], fields: tuple[str, ...]) -> Upload:
    parts = [(name, part) for name, part in request.files.items(multi=True) if part.filename or name in fields]
    backgrounds = [part for name, part in parts if name == BACKGROUND_IMAGE]
    masks = [part for name, part in parts if name == MASK and MASK in own]
    files = [(name, part) for name, part in parts if name != BACKGROUND_IMAGE and part not in masks]
    for name in (name or "" for name, _ in files if name not in fields):
        if name in Options.model_fields:
            raise BadOption(name, "a file", allowed(name))
        raise unknown_field(name, file_field=fields[0])
    as_text = next((name for name in fields if name in request.form), None)
    if len(files) + (as_text is not None) > 1:
        raise MultipleImages(f"{len(files) + (as_text is not None)} image fields were received")
    if as_text is not None:
        raise MissingImage(f"the field {as_text!r} came as text, not as a file")
    given = raw_options(request.args, request.form, own=own, file_field=fields[0], refused=refused)
    if backgrounds and BACKGROUND_IMAGE in refused:
        raise refused_field(BACKGROUND_IMAGE, refused)
    if len(backgrounds) > 1:
        raise BadOption(BACKGROUND_IMAGE, f"{len(backgrounds)} files", "one file")
    if len(masks) > 1:
        raise BadOption(MASK, f"{len(masks)} files", "one file")
    background = read_part(backgrounds[0]) if backgrounds else None
    mask = read_part(masks[0]) if masks else None
    if name := image_reference(given):
        if any(part.filename for _, part in files):
            raise MultipleImages(f"both a file and {name!r} were given")
        return replace(_complete(given, background=background), mask=mask)
    if not files or not (part := files[0][1]).filename:
        raise MissingImage(f"the form has no file in the field {fields[0]!r}")
    return replace(_complete(given, read_part(part), part.filename, background), mask=mask)


def _from_body(own: tuple[str, ...], refused: tuple[str, ...]) -> Upload:
    limit = service().limits.max_bytes
    if request.content_length and request.content_length > limit:
        raise UploadTooLarge(f"{request.content_length} bytes were announced; allowed: {limit}")
    given = raw_options(request.args, own=own, refused=refused)
    data = request.get_data(cache=False)
    if len(data) < (request.content_length or 0):
        raise BadRequest(f"{request.content_length} bytes were announced, {len(data)} came")
    if name := image_reference(given):
        if data:
            raise MultipleImages(f"both a body and {name!r} were given")
        return _complete(given)
    if not data:
        if request.mimetype.startswith("image/"):
            raise EmptyImage("the body is empty")
        raise MissingImage("the body is empty")
    return _complete(given, data)


def _complete(
    given: dict[str, object], data: bytes = b"", name: str = "image", background: bytes | None = None
) -> Upload:
    """Complete the upload by fetching its URLs and its storage key, which are taken out of `given`.

    The options are checked before anything is fetched.
    """
    url, behind, stored = (given.pop(field, None) for field in (URL_FIELD, BACKGROUND_URL, S3_KEY))
    key, callback = result_key(given.pop(OUTPUT_KEY, None)), given.pop(CALLBACK_URL, None)
    upload = Upload(data, name, given, background, output_key=key, callback_url=callback)
    if background is not None and behind is not None:
        raise ConflictingOptions(BACKGROUND_URL, BACKGROUND_IMAGE)
    if url is None and behind is None and stored is None:
        return upload
    upload.options()
    milliseconds = 0.0
    if stored is not None:
        upload = replace(upload, data=read_incoming(stored), name=str(stored))
    if url is not None:
        fetched = fetch(URL_FIELD, url)
        milliseconds += fetched.milliseconds
        upload = replace(upload, data=fetched.data, name=fetched.name)
    if behind is not None:
        fetched = fetch(BACKGROUND_URL, behind)
        milliseconds += fetched.milliseconds
        upload = replace(upload, background=fetched.data)
    return replace(upload, timings={"fetch": milliseconds})
