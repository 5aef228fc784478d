"""The descriptions of the endpoints for pages that edit a cut-out."""

from typing import Final

from routes.http.fields import MATTE_OPTIONS
from routes.openapi.docs import IMAGE_URL, Operation, option_schemas
from routes.openapi.operations import BINARY, IMAGE_FAILURES, body_object
from routes.openapi.schemas import Schema
from services import errors as e
from services.imaging.formats import Format


def _image_bodies(options: dict[str, Schema], **files: Schema) -> dict[str, Schema]:
    """Return the bodies of an endpoint that takes one photo, these options and these further files."""
    by_url = body_object(["image_url"], image_url=IMAGE_URL, **options)
    photo = {"file": BINARY, "image": {**BINARY, "description": "Another name for `file`."}, "image_url": IMAGE_URL}
    return {
        "multipart/form-data": {
            **body_object([], **photo, **files, **options),
            "oneOf": [{"required": [name]} for name in photo],
        },
        "image/*": {},
        "application/octet-stream": {},
        "application/x-www-form-urlencoded": by_url,
        "application/json": by_url,
    }


_MATTE_FORMATS: Final = (Format.PNG, Format.ZIP)
_MATTE_OPTIONS: Final = {
    name: {**schema, "enum": [f.value for f in _MATTE_FORMATS]} if name == "format" else schema
    for name, schema in option_schemas().items()
    if name in MATTE_OPTIONS
}
MATTE: Final = Operation(
    "removal",
    "Find the matte of a photo",
    "For pages that compose in the browser: 8-bit grey, in the upright photo's size, 255 where the subject is. "
    "`format=zip` has the photo as well: `color.jpg`, upright and in sRGB, and `alpha.png`, for photos that browsers "
    "can't open. Takes only the options of the matte; `Accept` does not count.",
    _image_bodies(_MATTE_OPTIONS), {f.mimetype: {} for f in _MATTE_FORMATS}, (*IMAGE_FAILURES, e.BadJSON),
    body_required=False, parameters={"image_url": IMAGE_URL, **_MATTE_OPTIONS},
)  # fmt: skip
