"""Photoroom's API, version 1: its parameters in our options, its JSON and its error body."""

from collections.abc import Mapping
from typing import Final

import pybase64
from pydantic import BaseModel

from services.errors import BadOption, ServiceError
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.imaging.values import BOOLEAN_WORDS, parse_bool

FILE: Final = "image_file"
FORMATS: Final[Mapping[str, str]] = {"png": "png", "jpg": "jpeg", "webp": "webp"}
CHANNELS: Final[Mapping[str, str]] = {"rgba": "cutout", "alpha": "mask"}
# Pixels of the result, at most; the same numbers as remove.bg's.
SIZES: Final[Mapping[str, int | None]] = {"preview": 250_000, "medium": 1_500_000, "hd": 4_000_000, "full": None}


class JsonAnswer(BaseModel):
    """A result as base64 in JSON."""

    base64img: str

    @classmethod
    def of(cls, result: Result) -> "JsonAnswer":
        """Return the body for a result."""
        return cls(base64img=pybase64.b64encode(result.data).decode("ascii"))


class ErrorAnswer(BaseModel):
    """Photoroom's error body; `type` is our code, and `missing_image` is theirs too."""

    detail: str
    status_code: int
    type: str


def parse_options(given: Mapping[str, str]) -> Options:
    """Return the options that the fields mean; empty fields count as absent, unknown ones are ignored.

    Raises `BadOption` under Photoroom's names.
    """
    # Edges never keep the colour of the old background here.
    _truth(given, "despill")
    options = {
        "format": FORMATS[_one_of(given, "format", FORMATS, "png")],
        "output": CHANNELS[_one_of(given, "channels", CHANNELS, "rgba")],
        "max_pixels": SIZES[_one_of(given, "size", SIZES, "full")],
        "background": given.get("bg_color"),
        "crop": _truth(given, "crop"),
    }
    try:
        return Options.parse(options)
    except BadOption as exc:
        raise BadOption("bg_color", exc.value, exc.allowed) from exc


def uncertainty(result: Result) -> str:
    """Return `x-uncertainty-score`: 0 where the subject is clear, 1 where anything might be it."""
    return f"{1 - result.confidence:.3f}"


def error_body(error: ServiceError, _max_bytes: int) -> tuple[int, ErrorAnswer]:
    """Return the HTTP status and the body for one of our errors."""
    return error.status, ErrorAnswer(detail=str(error), status_code=error.status, type=error.code)


def _one_of(given: Mapping[str, str], name: str, values: Mapping[str, object], default: str) -> str:
    text = (given.get(name) or default).strip().lower()
    if text not in values:
        raise BadOption(name, given[name], ", ".join(values))
    return text


def _truth(given: Mapping[str, str], name: str) -> bool:
    try:
        return parse_bool(given.get(name) or "false")
    except ValueError as exc:
        raise BadOption(name, given[name], BOOLEAN_WORDS) from exc
