"""Views for pages that edit a cut-out: the matte alone, once for each photo, and pictures made with a matte."""

from dataclasses import replace
from typing import Final

from flask import Response

from routes.http.context import request_deadline, service
from routes.http.fields import BACKGROUND_URL, MASK, MATTE_OPTIONS, MODEL_OPTIONS
from routes.http.observe import note_result
from routes.http.requests import read_upload
from routes.removal import as_download, as_image, remove
from services.errors import BadOption
from services.imaging.formats import Format
from services.imaging.options import BACKGROUND_IMAGE, Options, Output, option_names

NOT_OF_THE_MATTE: Final = (
    *(name for name in option_names() if name not in MATTE_OPTIONS),
    *(BACKGROUND_IMAGE, BACKGROUND_URL),
)


def matte() -> Response:
    """Return the photo's matte in its full size, or with `format=zip` the photo and its matte."""
    upload = read_upload(refused=NOT_OF_THE_MATTE)
    result = remove(upload, _matte_options(upload.options(default_format=Format.PNG)))
    return as_image(result, upload.stem, "inline", "matte")


def compose() -> Response:
    """Return the photo without its background, cut out by the caller's mask instead of a model's, as a download."""
    upload = read_upload(MASK, refused=MODEL_OPTIONS)
    result = service().remover.compose(
        upload.data,
        upload.options(),
        mask=upload.mask,
        background=upload.background,
        deadline=request_deadline(),
    )
    result = replace(result, timings={**upload.timings, **result.timings})
    note_result(result)
    return as_download(result, upload.stem)


def _matte_options(options: Options) -> Options:
    """Return the options under which a result is the matte. Raises `BadOption` for a format that may change it."""
    if options.format is Format.ZIP:
        return options.model_copy(update={"decontaminate": False})
    if options.format is not Format.PNG:
        raise BadOption("format", options.format.value, "png, zip")
    return options.model_copy(update={"output": Output.MASK})
