"""Views for pages that edit a cut-out: the matte alone, once for each photo."""

from typing import Final

from flask import Response

from routes.http.fields import BACKGROUND_URL, MATTE_OPTIONS
from routes.http.requests import read_upload
from routes.removal import as_image, remove
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


def _matte_options(options: Options) -> Options:
    """Return the options under which a result is the matte. Raises `BadOption` for a format that may change it."""
    if options.format is Format.ZIP:
        return options.model_copy(update={"decontaminate": False})
    if options.format is not Format.PNG:
        raise BadOption("format", options.format.value, "png, zip")
    return options.model_copy(update={"output": Output.MASK})
