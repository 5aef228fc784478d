"""The fields of a request besides its image: options, references to images, flags."""

from collections.abc import Mapping
from typing import Any, Final

from flask import request
from werkzeug.datastructures import MIMEAccept, MultiDict

from routes.http.context import service
from routes.http.incoming import S3_KEY
from services.errors import BadOption, MultipleImages, UnknownOption
from services.imaging.formats import Format, usable_formats
from services.imaging.options import BACKGROUND_IMAGE, Options, option_names, unknown_option
from services.imaging.values import BOOLEAN_WORDS, parse_bool
from services.jobs.tables import OWN_KEY
from services.storage.base import KEYS, is_key

FILE_FIELDS: Final = ("file", "image")
URL_FIELD: Final = "image_url"
BACKGROUND_URL: Final = "background_image_url"
OUTPUT_KEY: Final = "output_key"
CALLBACK_URL: Final = "callback_url"
# Fields that name an image instead of sending it.
IMAGE_REFERENCE_FIELDS: Final = (URL_FIELD, S3_KEY)
# Callers' own keys are below this prefix of the storage.
RESULTS_PREFIX: Final = "results/"
# Names of the image's field elsewhere; at `FILE_FIELDS` endpoints they get a hint instead of the nearest option.
OTHER_FILE_FIELDS: Final = frozenset(
    {"image_file", "image_file_b64", "source_image_file", "files", "files[]", "images", "img", "photo", "upload"}
)
# Options that shape the matte, and those of its file.
MATTE_OPTIONS: Final = (
    *("model", "prompt", "detail", "edges", "feather", "alpha_boost", "threshold", "smooth", "roi"),
    *("format", "quality"),
)
# Options of which a caller's own mask leaves nothing to decide.
MODEL_OPTIONS: Final = ("model", "prompt", "detail", "edges", "roi")
MASK: Final = "mask"
NON_OPTION_FIELDS: Final = (*FILE_FIELDS, URL_FIELD, BACKGROUND_IMAGE, BACKGROUND_URL)


def unknown_field(name: str, *own: str, file_field: str = FILE_FIELDS[0]) -> UnknownOption:
    """Return the error for a field that the endpoint does not have, with a hint at the right one.

    `own` names the endpoint's other fields, `file_field` the one that holds its image.
    """
    if name == file_field or (name in FILE_FIELDS and file_field == FILE_FIELDS[0]):
        return UnknownOption(
            f"{name!r} holds the image: it is a file of a form (curl -F {name}=@photo.jpg), not a text"
        )
    if name in OTHER_FILE_FIELDS or name in FILE_FIELDS:
        return UnknownOption(f"{name!r} is not a field of this endpoint (did you mean {file_field!r}?)")
    return unknown_option(name, also=(*NON_OPTION_FIELDS, *own))


def refused_field(name: str, refused: tuple[str, ...]) -> UnknownOption:
    """Return the error for an option or an image that other endpoints take and this one does not."""
    taken = ", ".join(option for option in option_names() if option not in refused)
    return UnknownOption(f"{name!r} is not an option of this endpoint; its options are {taken}")


def read_options(*own: str, file_field: str = FILE_FIELDS[0]) -> dict[str, object]:
    """Return the raw options of a form and its query; `own` names the endpoint's other fields, `file_field` the one for
    its images.

    Raises `BadOption` and `UnknownOption`.
    """
    given = raw_options(request.args, request.form, own=own, file_field=file_field)
    for name in (URL_FIELD, BACKGROUND_URL):
        if name in given:
            raise unknown_option(name)
    return given


def boolean(name: str, value: object) -> bool:
    """Read a flag; None and '' are false. Raises `BadOption`."""
    if value is None or value == "":
        return False
    try:
        return parse_bool(value)
    except ValueError as exc:
        raise BadOption(name, value, BOOLEAN_WORDS) from exc


def accepted_types() -> MIMEAccept:
    """Return the media types of `Accept` without their parameters: `application/json; charset=utf-8` is JSON."""
    return MIMEAccept([(kind.partition(";")[0].strip().lower(), quality) for kind, quality in request.accept_mimetypes])


def wants_json() -> bool:
    """Return whether `Accept` prefers JSON to every image format (`*/*` prefers neither).

    A list that names HTML is a browser's, or n8n's default; both expect the picture.
    """
    accept = accepted_types()
    if "text/html" in accept.values():
        return False
    return accept.quality("application/json") > max(accept.quality(f.mimetype) for f in usable_formats())


def format_from_accept() -> Format:
    """Return the result's format where `format` is absent: the best type that `Accept` names, or PNG."""
    accept = accepted_types()
    named = [f for f in usable_formats() if f.mimetype in accept.values() and accept.quality(f.mimetype) > 0]
    return max([*named, Format.PNG], key=lambda f: accept.quality(f.mimetype))


def image_reference(given: Mapping[str, object]) -> str:
    """Return the field that names the image instead of sending it, or "". Raises `MultipleImages`."""
    found = [name for name in IMAGE_REFERENCE_FIELDS if name in given]
    if len(found) > 1:
        raise MultipleImages(f"both {found[0]!r} and {found[1]!r} were given")
    return found[0] if found else ""


def result_key(key: object) -> str:
    """Return a result's whole key in storage, "" for None. Raises `BadOption`."""
    if key is None:
        return ""
    if not service().settings.storage_given:
        raise BadOption(OUTPUT_KEY, None, "nothing, because this server has no object storage")
    if not (isinstance(key, str) and is_key(RESULTS_PREFIX + key)):
        raise BadOption(OUTPUT_KEY, key, KEYS)
    if OWN_KEY.fullmatch(RESULTS_PREFIX + key):
        raise BadOption(OUTPUT_KEY, key, "another name: results of jobs are named like this, and are deleted in time")
    return RESULTS_PREFIX + key


def raw_options(
    *sources: Mapping[str, Any],
    own: tuple[str, ...] = (),
    file_field: str = FILE_FIELDS[0],
    refused: tuple[str, ...] = (),
) -> dict[str, object]:
    """Return the raw options of all sources, URLs of images among them.

    `refused` names the options and images that the endpoint does not take.

    Raises `BadOption` and `MultipleImages` for a field that was given twice, and `UnknownOption`.
    """
    given: dict[str, object] = {}
    for source in sources:
        for name, values in source.lists() if isinstance(source, MultiDict) else source.items():
            present = [v for v in values if v not in ("", None)]
            if len(present) > 1 or (present and name in given):
                if name in IMAGE_REFERENCE_FIELDS:
                    raise MultipleImages(f"more than one {name!r} was given")
                if name in (BACKGROUND_URL, CALLBACK_URL):
                    raise BadOption(f"more than one {name}", None, "one")
                raise BadOption(name, [*([given[name]] if name in given else []), *present], "one value")
            if present:
                given[name] = present[0]
    for name in given:
        if name in refused:
            raise refused_field(name, refused)
        if name == BACKGROUND_IMAGE:
            raise BadOption(name, given[name], "a file of a form, or base64 in JSON")
        if name == MASK and name in own:
            raise BadOption(name, given[name], "a file of a form")
        if name == OUTPUT_KEY and name in own:
            result_key(given[name])
        elif name in (CALLBACK_URL, S3_KEY) and name in own:
            continue
        elif name not in Options.model_fields and name not in (URL_FIELD, BACKGROUND_URL):
            raise unknown_field(name, *own, file_field=file_field)
    return given
