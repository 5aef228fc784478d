"""Options: the settings of one removal, with their names, ranges and defaults in one place.

A new option is a field here, its use in one step, a test, and `make reference`: form fields, query parameters, JSON
keys, the command line and the OpenAPI document follow from the field.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.errors import BadOption, UnknownOption
from services.imaging.choices.presets import PresetName, preset_options
from services.imaging.choices.texts import allowed_values, no_such_option
from services.imaging.formats import Format
from services.imaging.geometry import Corners, Margin, Shares, parse_corners, parse_margin, parse_position, parse_scale
from services.imaging.prompt import Prompt, parse_prompt
from services.imaging.values import (
    Bool,
    CanvasSize,
    Colour,
    Detail,
    Edges,
    Enlarge,
    Gradient,
    Number,
    Output,
    Shadow,
    parse_canvas,
    parse_colour,
    parse_format,
    parse_gradient,
    parse_word,
    read_with,
    text_examples,
)

__all__ = ["Edges", "Options", "Output", "Shadow", "allowed", "option_names", "unknown_option"]
MAX_SIDE: Final = 16384
MAX_PIXELS: Final = 500_000_000
# A file sent with the options, named like one of them.
BACKGROUND_IMAGE: Final = "background_image"
# Options of which one at most may be given.
BACKGROUNDS: Final = ("background", "background_gradient", "background_blur")


Side = Annotated[int, Field(ge=1, le=MAX_SIDE), Number]


class Options(BaseModel):
    """The options of one removal: frozen, complete, and valid by construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    format: Annotated[
        Format, BeforeValidator(parse_format), Field(description="Encoding of the result. `jpg` means `jpeg`.")
    ] = Format.PNG
    quality: Annotated[int, Field(ge=10, le=100, description="For lossy formats."), Number] = 80
    dpi: Annotated[
        Annotated[int, Field(ge=72, le=1200), Number] | None,
        Field(description="Written into the file for printing; changes no pixel."),
    ] = None
    max_width: Annotated[Side | None, Field(description="px; keeps the aspect ratio, never enlarges.")] = None
    max_height: Annotated[Side | None, Field(description="px; keeps the aspect ratio, never enlarges.")] = None
    max_pixels: Annotated[
        Annotated[int, Field(ge=256, le=MAX_PIXELS), Number] | None,
        Field(description="Maximum number of pixels of the result; keeps the aspect ratio, never enlarges."),
    ] = None
    preset: Annotated[
        PresetName | None,
        BeforeValidator(parse_word),
        Field(description="A set of options for a use; an option that is also given overrides it."),
    ] = None
    model: Annotated[
        str | None,
        Field(max_length=64, description="One of `GET /models`, or a tier: `fast`, `good`, `best`."),
    ] = None
    prompt: Annotated[
        Prompt | None,
        BeforeValidator(lambda v: v if v is None else parse_prompt(v), json_schema_input_type=str),
        Field(description="For the model `sam`: points and a box, as JSON; its default is the image's centre."),
    ] = None
    detail: Annotated[
        Detail,
        BeforeValidator(parse_word),
        Field(description="A second look of the model at its subject: `auto` at small ones, `always`, or `off`."),
    ] = Detail.AUTO
    output: Annotated[Output, BeforeValidator(parse_word), Field(description="The subject, or its mask in grey.")] = (
        Output.CUTOUT
    )
    edges: Annotated[
        Edges,
        BeforeValidator(parse_word),
        Field(
            description="`soft`: the model's mask, resized. `refined`: guided by the photo at full resolution. "
            "`matting`: the same with more effort, for hair and fur; slow."
        ),
    ] = Edges.REFINED
    decontaminate: Annotated[
        bool,
        Bool,
        Field(description="Removes the background's colour from half-transparent pixels."),
    ] = True
    feather: Annotated[
        float, Field(ge=0, le=100, allow_inf_nan=False, description="px; blurs the mask's edge."), Number
    ] = 0.0
    alpha_boost: Annotated[
        float,
        Field(ge=0.1, le=5, allow_inf_nan=False, description="A gain on the mask's contrast around one half."),
        Number,
    ] = 1.0
    threshold: Annotated[
        Annotated[int, Field(ge=0, le=255), Number] | None,
        Field(description="A hard mask: opaque where the mask is at least this, transparent elsewhere."),
    ] = None
    smooth: Annotated[
        bool, Bool, Field(description="A hard mask with a smooth outline: specks and threads of a pixel vanish.")
    ] = False
    background: Annotated[
        Colour | None,
        read_with(parse_colour),
        Field(
            description="A colour behind the subject: hex of 3, 4, 6 or 8 digits with or without `#`, or a CSS name.",
            json_schema_extra=text_examples("ffffff", "#ff8800", "steelblue"),
        ),
    ] = None
    background_gradient: Annotated[
        Gradient | None,
        read_with(parse_gradient),
        Field(
            description="Two colours behind the subject, and where they run in degrees: 90 is to the right, 180 down.",
            json_schema_extra=text_examples("180 #ffffff #dddddd", "90 steelblue white"),
        ),
    ] = None
    background_blur: Annotated[
        Annotated[float, Field(ge=0, le=100, allow_inf_nan=False), Number] | None,
        Field(
            description="The photo itself behind its subject, from sharp (0) to blurred; looks the same at every size."
        ),
    ] = None
    keep_alpha: Annotated[
        bool, Bool, Field(description="The result has an alpha channel even where a background makes it opaque.")
    ] = False
    crop: Annotated[bool, Bool, Field(description="Crop to the subject; overrides `scale` and `position`.")] = False
    crop_margin: Annotated[
        Margin | None,
        read_with(parse_margin),
        Field(
            description="Around a crop, one, two or four lengths as in CSS; `%` of the subject; "
            "each side at most 50% of the subject and 500px.",
            json_schema_extra=text_examples("30px", "10%", "5% 10%", "0 0 20px 0"),
        ),
    ] = None
    scale: Annotated[
        float | None,
        read_with(parse_scale),
        Field(
            description="The share of the canvas that the subject fits in: `10%` to `100%`, or `original`; centres it.",
            json_schema_extra=text_examples("80%", "original"),
        ),
    ] = None
    position: Annotated[
        Shares | Literal["original"] | None,
        read_with(parse_position),
        Field(
            description="Where the subject goes: `original`, `center`, `n%` or `x% y%` of the free space.",
            json_schema_extra=text_examples("center", "50%", "0% 100%", "original"),
        ),
    ] = None
    canvas: Annotated[
        CanvasSize | None,
        read_with(parse_canvas),
        Field(
            description="The result's size in px, or its ratio; `scale`, `crop`, `position` place the subject in it.",
            json_schema_extra=text_examples("1000 1000", "2000x1500", "4:5"),
        ),
    ] = None
    enlarge: Annotated[
        Enlarge,
        BeforeValidator(parse_word),
        Field(description="Whether `scale` and `canvas` enlarge a subject or photo that is smaller than its share."),
    ] = Enlarge.ALWAYS
    roi: Annotated[
        Corners | None,
        read_with(parse_corners),
        Field(
            description="`x1 y1 x2 y2` in px or %: the subject is searched only there; the rest is background.",
            json_schema_extra=text_examples("10% 10% 90% 90%", "0 0 640px 480px"),
        ),
    ] = None
    shadow: Annotated[
        Shadow,
        BeforeValidator(parse_word),
        Field(description="`drop`: a soft copy behind the subject; `contact`: darkness where it touches the ground."),
    ] = Shadow.NONE
    shadow_opacity: Annotated[int, Field(ge=0, le=100, description="%"), Number] = 50
    animated: Annotated[
        bool, Bool, Field(description="All frames of a GIF, APNG or animated WebP, not only the first; see the guide.")
    ] = False

    @classmethod
    def parse(cls, raw: Mapping[str, object], *, default_format: Format = Format.PNG) -> Self:
        """Return the options that a caller sent: names to texts, numbers or None; an empty text is the same as absent.

        A preset fills in absent options; `default_format` is used when neither gives a format, or with `animated` AUTO
        instead of PNG. Raises `UnknownOption` (with the nearest known name) or `BadOption` (with the value and what is
        allowed).
        """
        given = {name: value for name, value in raw.items() if value is not None and value != ""}
        given = preset_options(parse_word(given.get("preset")), given, BACKGROUNDS) | given
        try:
            chosen = cls.model_validate({"format": default_format, **given})
        except ValidationError as exc:
            raise _as_option_error(exc, given) from exc
        if not chosen.animated and chosen.format in (Format.GIF, Format.AUTO):
            raise BadOption("format", given.get("format"), allowed("format"))
        auto = chosen.animated and "format" not in given and default_format is Format.PNG
        return chosen.model_copy(update={"format": Format.AUTO}) if auto else chosen

    def bounded_by(self, side: int) -> Self:
        """Return the same options with both sides of the result bounded by `side` px."""
        return self.model_copy(update={n: min(getattr(self, n) or side, side) for n in ("max_width", "max_height")})


def option_names() -> tuple[str, ...]:
    """Return the names of all options."""
    return tuple(Options.model_fields)


def _as_option_error(exc: ValidationError, given: Mapping[str, object]) -> BadOption | UnknownOption:
    errors = exc.errors(include_url=False, include_context=False)
    for error in errors:
        if error["type"] == "extra_forbidden":
            return unknown_option(str(error["loc"][0]))
    name = str(errors[0]["loc"][0])
    return BadOption(name, given.get(name), allowed(name))


def unknown_option(name: str, also: tuple[str, ...] = ()) -> UnknownOption:
    """Return the error for an option that does not exist; it names the nearest one that does."""
    return no_such_option(name, [*Options.model_fields, *also])


options_schema: Final = cache(Options.model_json_schema)  # not to be changed


def allowed(name: str) -> str:
    """Return what an option takes, in words, from its type."""
    return allowed_values(options_schema(), name)
