"""The descriptions of the endpoints for pages that edit a cut-out."""

from typing import Final

from routes.http.fields import MASK, MATTE_OPTIONS, MODEL_OPTIONS
from routes.openapi.docs import BACKGROUND_URL, IMAGE_URL, Operation, option_schemas
from routes.openapi.operations import BEHIND, BINARY, IMAGE_ANSWERS, IMAGE_FAILURES, body_object
from routes.openapi.schemas import Schema, schema_of
from routes.studio import StudioFacts
from services import errors as e
from services.imaging.edges.guided import PASSES
from services.imaging.errors import MaskMismatch, NoSubject
from services.imaging.formats import Format
from services.imaging.options import BACKGROUND_IMAGE
from services.net.errors import BadURL, ForbiddenSource, SourceFailed, SourceTimeout


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


_OF_MODELS: Final = (e.ModelNotFound, e.EngineUnavailable, NoSubject)
_OF_URLS: Final = (BadURL, ForbiddenSource, SourceFailed, SourceTimeout)
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
COMPOSE_OPTIONS: Final = {
    "background_image_url": BACKGROUND_URL,
    **{name: schema for name, schema in option_schemas().items() if name not in MODEL_OPTIONS},
}
COMPOSE_FAILURES: Final = (*(f for f in IMAGE_FAILURES if f not in _OF_MODELS), MaskMismatch)
COMPOSE: Final = Operation(
    "removal",
    "Cut out a photo with your own mask",
    "As `/remove-background`, with your mask instead of a model's: 255 is the subject, 0 the background, what is "
    "between is half transparent. The mask that `/matte` gives makes the same bytes as `/remove-background`; give the "
    "options of the matte only to `/matte`. Without a mask the whole photo is kept. The photo's own "
    "transparency stays.",
    _image_bodies(
        COMPOSE_OPTIONS,
        **{
            MASK: {**BINARY, "description": "PNG or WebP: grey, opaque, as large as the upright photo."},
            BACKGROUND_IMAGE: {**BINARY, "description": BEHIND},
        },
    ),
    IMAGE_ANSWERS,
    (*COMPOSE_FAILURES, e.BadJSON),
    body_required=False, parameters={"image_url": IMAGE_URL, **COMPOSE_OPTIONS},
)  # fmt: skip
_REFINE_OPTIONS: Final = {"edges": {**option_schemas()["edges"], "enum": [*PASSES]}}
REFINE: Final = Operation(
    "removal",
    "Refine a part of a mask",
    "For editors: the mask's known pixels stay as they are; the unknown ones get the alpha that the photo's colours "
    "suggest. 0 and 255 are known, 128 is unknown. Any other value is unknown too, but a guess: it pulls the answer "
    "towards itself, more strongly near 0 or 255. `file` is the photo's part around a stroke, at most 4 "
    "megapixels, without loss (PNG or WebP): a JPEG's blocks would look like edges. The answer is 8-bit grey, of "
    "the same size. No model runs.",
    {
        "multipart/form-data": body_object(
            ["file", MASK],
            file=BINARY,
            **{MASK: {**BINARY, "description": "PNG or WebP, lossless: grey, opaque, as large as `file`."}},
            **_REFINE_OPTIONS,
        )
    },
    {Format.PNG.mimetype: {}},
    (*(f for f in IMAGE_FAILURES if f not in (*_OF_MODELS, *_OF_URLS)), MaskMismatch, e.BadJSON),
    parameters=_REFINE_OPTIONS,
)
STUDIO: Final = Operation(
    "service", "What a page needs to know",
    "Limits, models, formats, presets and quotas, to check photos before they are sent. No quota counts it; `ETag` and "
    "`If-None-Match` (304) save the bytes.",
    answers={"application/json": schema_of(StudioFacts)},
)  # fmt: skip
