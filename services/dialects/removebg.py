"""remove.bg's API, version 1.0: its parameters in our options.

The format is described by that service's own documentation; where it is silent, comments say what was chosen.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from services.capacity.deadline import Deadline
from services.containers.sniff import sniff
from services.dialects.removebg_errors import RemoveBgError
from services.errors import BadOption
from services.imaging.errors import UnsupportedFormat
from services.imaging.options import Options
from services.imaging.values import parse_bool
from services.removal import Remover

SIZES: Final[Mapping[str, int]] = {  # pixels of the result, at most
    "preview": 250_000, "small": 250_000, "regular": 250_000,
    "medium": 1_500_000,
    "hd": 4_000_000,
    "full": 25_000_000, "4k": 25_000_000, "auto": 25_000_000,
    "50mp": 50_000_000,
}  # fmt: skip
LARGEST: Final = SIZES["full"]
FORMATS: Final[Mapping[str, str]] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp", "zip": "zip"}
CHANNELS: Final[Mapping[str, str]] = {"rgba": "cutout", "alpha": "mask"}
# The class that a client names, and its name at each level of detail.
CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "person": ("person", "person"),
    "product": ("product", "product"),
    "animal": ("animal", "animal"),
    "car": ("car", "car"),
    "car_interior": ("car", "car_interior"),
    "car_part": ("car", "car_part"),
    "transportation": ("other", "transportation"),
    "graphic": ("other", "graphics"),
    "graphics": ("other", "graphics"),
    "other": ("other", "other"),
}
LEVELS: Final = ("none", "1", "2", "latest")
PEOPLE: Final = frozenset({"u2net_human_seg", "u2net_cloth_seg", "birefnet-portrait"})  # models that see nothing else
SHADOWS: Final = ("none", "auto", "car", "3d", "drop")
BY_CLASS: Final[Mapping[str, str]] = {"car": "car", "person": "3d", "transportation": "3d"}  # auto; others: drop
OURS: Final[Mapping[str, str]] = {"none": "none", "drop": "drop", "car": "contact", "3d": "contact"}  # the nearest
CAR_OPACITY, OPACITY = 90, 50  # shadow_opacity=auto
# Parameter: our option, with the same meaning and the same way to write it.
SAME: Final[Mapping[str, str]] = {
    "roi": "roi", "crop": "crop", "crop_margin": "crop_margin", "scale": "scale", "position": "position",
    "bg_color": "background",
}  # fmt: skip
SOURCES: Final = ("image_file", "image_file_b64", "image_base64", "image_url")  # the third is a client's mistake
BACKGROUNDS: Final = ("bg_color", "bg_image_url", "bg_image_file")
NO_IMAGE: Final = "Please provide the source image in the image_url, image_file or image_file_b64 parameter."
TWO_IMAGES: Final = (
    "Multiple image sources given: Please provide either the image_url, image_file or image_file_b64 parameter."
)
TWO_BACKGROUNDS: Final = (
    "Multiple background sources given: Please provide either the bg_color, the bg_image_url or the bg_image_file "
    "parameter."
)
# Lengths that clients send without a unit.
UNITS: Final[Mapping[str, str]] = {"crop_margin": "px", "position": "%"}
_NUMBER: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_BRACKETS: Final = re.compile(r"(shadow_type|shadow_opacity)\[(\w{1,40})\]", re.ASCII)


@dataclass(frozen=True)
class RemoveBgOptions:
    """A client's parameters.

    `auto_format`: the service chooses the format. `subject`: the subject's class as the client names it, or "".
    `level`: how fine the class in the response is; with "none" the response has no class.
    """

    options: Options
    auto_format: bool
    subject: str
    level: str


def present(raw: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that are not empty: the official command line sends each unset one as an empty text."""
    return {name: value for name, value in raw.items() if value is not None and value != ""}


def check_sources(given: Mapping[str, object], note: str = "") -> str:
    """Return the name of the one field that holds the image or its URL.

    Raises `RemoveBgError`; where there is none, `note` says why.
    """
    named = [name for name in SOURCES if name in given]
    if not named:
        raise RemoveBgError("missing_source", "No image given", f"{NO_IMAGE} {note}".rstrip())
    if len(named) > 1:
        raise RemoveBgError("multiple_sources", TWO_IMAGES, f"{', '.join(named)} were given")
    return named[0]


def parse_options(given: Mapping[str, object], default_size: str) -> RemoveBgOptions:
    """Return the options that the fields mean; unknown fields are ignored. Raises `RemoveBgError`."""
    backgrounds = [name for name in BACKGROUNDS if name in given]
    if len(backgrounds) > 1:
        detail = f"{', '.join(backgrounds)} were given; at most one of them is allowed"
        raise RemoveBgError("multiple_bg_sources", TWO_BACKGROUNDS, detail)
    size = _one_of(given, "size", SIZES, default_size)
    subject = _one_of(given, "type", ("auto", *CLASSES), "auto").replace("auto", "")
    level = _one_of(given, "type_level", LEVELS, "1")
    channels = _one_of(given, "channels", CHANNELS, "rgba")
    # It is about car windows, which no model here knows.
    _bool(given, "semitransparency")
    raw: dict[str, object] = {"max_pixels": SIZES[size], "output": CHANNELS[channels]}
    for name, option in SAME.items():
        if name in given and not (name == "crop_margin" and _is_truth(given[name])):
            raw[option] = _checked(name, option, _with_unit(name, given[name]))
    raw |= _shadow(given, CLASSES[subject][1] if subject else "other")
    asked = _one_of(given, "format", ("auto", *FORMATS), "auto")
    auto = asked == "auto" and channels == "rgba"
    options = Options.parse({**raw, "format": FORMATS.get(asked, "png")})
    return RemoveBgOptions(options, auto, subject, level)


def classification(asked: RemoveBgOptions, model: str) -> str:
    """Return the subject's class for the response.

    There is no classifier: the class is the client's, else `person` for a model that finds only people, else `other`.
    """
    subject = asked.subject or ("person" if model in PEOPLE else "other")
    return CLASSES[subject][0 if asked.level == "1" else 1]


def inspect_image(data: bytes, remover: Remover, deadline: Deadline) -> float:
    """Return an image's megapixels, from its header.

    Raises what `Remover.inspect` does, two of its errors in remove.bg's words.
    """
    limits = remover.limits
    if 0 < len(data) <= limits.max_bytes and (kind := sniff(data)).name not in limits.formats:
        accepted = "/".join(limits.formats).replace("jpeg", "jpg")
        raise UnsupportedFormat(f"Expected {accepted}, received {kind.label}")
    # No limit on pixels: remove.bg has an error of its own for that.
    source = replace(remover, limits=replace(limits, max_pixels=1 << 62)).inspect(data, deadline)
    source.image.close()
    most = limits.max_pixels / 1e6
    if source.megapixels > most:
        detail = (
            f"Input image has {math.ceil(source.megapixels)} megapixels, "
            f"maximum supported input resolution is {most:g} megapixels"
        )
        raise RemoveBgError("resolution_too_high", "Image resolution too high", detail)
    return source.megapixels


def _one_of(given: Mapping[str, object], name: str, values: object, default: str) -> str:
    value = given.get(name, default)
    text = str(value).strip().lower()
    if not isinstance(value, str | int) or isinstance(value, bool) or text not in values:  # type: ignore[operator]
        raise _invalid(name, value, ", ".join(map(str, values)))  # type: ignore[call-overload]
    return text


def _bool(given: Mapping[str, object], name: str) -> bool | None:
    if name not in given:
        return None
    try:
        # PHP sends booleans as 1 and 0.
        return parse_bool(given[name])
    except ValueError as exc:
        raise _invalid(name, given[name], "true, false, 1 or 0") from exc


def _is_truth(value: object) -> bool:
    """Return whether the value is a boolean in words; 0 and 1 are lengths."""
    try:
        parse_bool(value)
    except ValueError:
        return False
    return str(value).strip() not in ("0", "1")


def _with_unit(name: str, value: object) -> object:
    """Return the lengths of `crop_margin` or `position` as a text with units: `10 20%` means `10px 20%`."""
    if name not in UNITS or isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    words = str(value).split(" ")
    return " ".join(word + UNITS[name] if _NUMBER.fullmatch(word) else word for word in words)


def _checked(name: str, option: str, value: object) -> object:
    """Return the value if our option of the same meaning takes it. Raises `RemoveBgError`."""
    try:
        Options.parse({option: value})
    except BadOption as exc:
        raise _invalid(name, value, exc.allowed) from exc
    return value


def _invalid(name: str, value: object, allowed: str) -> RemoveBgError:
    """Return the error in one of the two wordings that remove.bg has."""
    words = f"Invalid {name} parameter given"
    if name in ("size", "channels"):
        words = f"Invalid value for parameter '{name}'"
    return RemoveBgError(f"invalid_{name}", words, f"{repr(value)[:100]} was given; allowed: {allowed}")


def _shadow(given: Mapping[str, object], subject: str) -> dict[str, object]:
    """Return our shadow options for a subject of that class; a subject without a class counts as `other`."""
    kinds, opacities = _by_class(given, "shadow_type"), _by_class(given, "shadow_opacity")
    if not kinds and _bool(given, "add_shadow"):
        kinds = {"car": "car"}
    for kind in kinds.values():
        _one_of({"shadow_type": kind}, "shadow_type", SHADOWS, "none")
    for opacity in opacities.values():
        if str(opacity).strip().lower() != "auto":
            _checked("shadow_opacity", "shadow_opacity", opacity)
    kind = str(kinds.get(subject, kinds.get("", "none"))).strip().lower()
    if kind == "auto":
        kind = BY_CLASS.get(subject, "drop")
    opacity = opacities.get(subject, opacities.get("", "auto"))
    if str(opacity).strip().lower() == "auto":
        opacity = CAR_OPACITY if subject == "car" else OPACITY
    return {"shadow": OURS[kind], "shadow_opacity": opacity}


def _by_class(given: Mapping[str, object], name: str) -> dict[str, object]:
    """Read `name=x` as {"": x}, and `name[car]=x` or JSON's {"car": x} as {"car": x}."""
    found: dict[str, object] = {}
    plain = given.get(name)
    if isinstance(plain, Mapping):
        found |= {str(key): value for key, value in plain.items()}
    elif plain is not None:
        found[""] = plain
    for key, value in given.items():
        match = _BRACKETS.fullmatch(key)
        if match and match[1] == name:
            found[match[2]] = value
    return {key: value for key, value in found.items() if value is not None and value != ""}
