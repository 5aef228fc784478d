"""Options that exclude each other, and a canvas beyond the server's limit."""

import itertools
from typing import Any, Final

import pytest

from services.errors import BadOption, ConflictingOptions
from services.imaging.choices.checks import check_background, check_canvas
from services.imaging.options import Options

BACKGROUNDS: Final[dict[str, Any]] = {
    "background": "red",
    "background_gradient": "90 red blue",
    "background_blur": 30,
    "background_image": b"image",
}


@pytest.mark.parametrize("pair", list(itertools.combinations(BACKGROUNDS, 2)), ids="+".join)
def test_only_one_kind_of_background_is_taken(pair: tuple[str, str]) -> None:
    raw = {name: value for name, value in BACKGROUNDS.items() if name in pair and name != "background_image"}
    with pytest.raises(ConflictingOptions, match=f"{pair[0]} and {pair[1]} were both given"):
        check_background(Options.parse(raw), b"image" if "background_image" in pair else None)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_each_kind_of_background_is_taken_alone(name: str) -> None:
    check_background(Options.parse({} if name == "background_image" else {name: BACKGROUNDS[name]}), None)
    check_background(Options(), b"image")


def test_background_image_takes_the_place_of_a_presets_colour() -> None:
    check_background(Options.parse({"preset": "amazon"}), b"image")
    with pytest.raises(ConflictingOptions):
        check_background(Options.parse({"preset": "amazon", "background": "red"}), b"image")
    with pytest.raises(ConflictingOptions):
        check_background(Options.parse({"preset": "amazon", "background": "red", "background_blur": 3}), None)


def test_canvas_has_no_more_pixels_than_a_photo_may_have() -> None:
    check_canvas(Options.parse({"canvas": "1000 1000"}), 1_000_000)
    check_canvas(Options.parse({"canvas": "10:1"}), 1)
    check_canvas(Options(), 1)
    with pytest.raises(BadOption, match=r"canvas is '1000 1001'; allowed: at most 1000000 px in all"):
        check_canvas(Options.parse({"canvas": "1000x1001"}), 1_000_000)
