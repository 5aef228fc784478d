"""Options are parsed once, strictly, and say what is wrong in a way that helps."""

import pytest
from PIL import ImageColor

from services import errors
from services.imaging.formats import Format
from services.imaging.options import Options, allowed, option_names
from services.imaging.values import parse_colour
from tests.support.samples import sample


def test_an_empty_text_is_the_same_as_absent() -> None:
    assert Options.parse(dict.fromkeys(option_names(), "")) == Options()


def test_texts_and_numbers_mean_the_same() -> None:
    text = Options.parse({"quality": "55", "max_width": "640", "feather": "2.5", "threshold": "128"})
    assert text == Options.parse({"quality": 55, "max_width": 640, "feather": 2.5, "threshold": 128})


@pytest.mark.parametrize("name", ["quality", "max_width", "max_height", "feather", "alpha_boost", "threshold"])
def test_value_that_is_not_a_number_in_range_is_refused(name: str) -> None:
    values: list[object] = ["x", "４", "1_0", "nan", "inf", "1e3", "0x10", "-", True, [], {}, "9" * 400, 1e9, -1]
    for value in values:
        with pytest.raises(errors.BadOption) as caught:
            Options.parse({name: value})
        assert caught.value.details.startswith(f"{name} is ")
        assert caught.value.details.endswith(f"allowed: {allowed(name)}")
        assert len(caught.value.details) < 400


def test_bounds_are_inclusive() -> None:
    for name, low, high in (
        ("quality", 10, 100),
        ("max_width", 1, 16384),
        ("feather", 0, 100),
        ("alpha_boost", 0.1, 5),
    ):
        Options.parse({name: low})
        Options.parse({name: high})
        for beyond in (low - 0.05 if name == "alpha_boost" else low - 1, high + 1):
            with pytest.raises(errors.BadOption):
                Options.parse({name: beyond})


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#f80", (255, 136, 0, 255)),
        ("f80", (255, 136, 0, 255)),
        ("f808", (255, 136, 0, 136)),
        ("#FF8800", (255, 136, 0, 255)),
        ("ff880080", (255, 136, 0, 128)),
        ("SteelBlue", (70, 130, 180, 255)),
        ("white", (255, 255, 255, 255)),
        ("transparent", (0, 0, 0, 0)),
    ],
)
def test_colours_are_hex_or_css_names(text: str, colour: tuple[int, int, int, int]) -> None:
    assert parse_colour(text) == colour
    assert Options.parse({"background": text}).background == colour
    if text.lower() in ImageColor.colormap:
        ImageColor.getrgb(text)  # Pillow changes its table of names then
        assert parse_colour(text) == colour


@pytest.mark.parametrize(
    "text", ["#12345", "rgb(1,2,3)", "url(http://x)", "#gggggg", "１２３", "notacolour", "#", "fff" * 3000]
)
def test_malformed_colour_is_refused(text: str) -> None:
    with pytest.raises(errors.BadOption, match=r"background is .*allowed: hex"):
        Options.parse({"background": text})


def test_an_unknown_option_names_the_nearest_known_one() -> None:
    with pytest.raises(errors.UnknownOption, match=r"'qualty' is not an option \(did you mean 'quality'\?\)"):
        Options.parse({"qualty": 3})
    with pytest.raises(errors.UnknownOption, match="the options are format, quality"):
        Options.parse({"zzzzzzzz": 3})


def test_words_may_come_in_any_case_and_jpg_means_jpeg() -> None:
    options = Options.parse({"format": "JPG", "output": "Mask", "edges": "SOFT", "preset": "Web"})
    assert (options.format, options.output.value, options.edges.value) == (Format.JPEG, "mask", "soft")


def test_an_explicit_option_wins_over_the_presets() -> None:
    assert Options.parse({"preset": "web"}).quality == 80
    mixed = Options.parse({"preset": "web", "quality": "33", "format": "png"})
    assert (mixed.quality, mixed.format, mixed.max_width) == (33, Format.PNG, 800)
    assert Options.parse({"preset": "web"}, default_format=Format.WEBP).format is Format.JPEG
    assert Options.parse({}, default_format=Format.WEBP).format is Format.WEBP


def test_gif_and_auto_are_for_animations() -> None:
    for name in ("gif", "auto"):
        with pytest.raises(
            errors.BadOption, match=rf"format is '{name}'; allowed: .*; with animated=true also gif and auto"
        ):
            Options.parse({"format": name})
        assert Options.parse({"format": name, "animated": "true"}).format == name


def test_animation_is_auto_unless_a_format_was_asked_for() -> None:
    assert Options.parse({"animated": "1"}).format is Format.AUTO
    assert Options.parse({"animated": "1", "format": "png"}).format is Format.PNG
    assert Options.parse({"animated": "1", "preset": "web"}).format is Format.JPEG
    assert Options.parse({"animated": "1"}, default_format=Format.WEBP).format is Format.WEBP
    assert Options.parse({"animated": "0"}).format is Format.PNG


def test_options_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Options().quality = 5  # type: ignore[misc]


def test_errors_survive_a_trip_between_processes() -> None:
    import pickle

    for error in errors.all_errors():
        original = sample(error)
        copy = pickle.loads(pickle.dumps(original))
        assert type(copy) is error
        assert vars(copy) == vars(original)


def test_every_error_has_its_own_code_and_says_what_to_do() -> None:
    found = list(errors.all_errors())
    # A subclass may share the code of its base class.
    own = [error.code for error in found if "code" in vars(error)]
    assert len(set(own)) == len(own)
    assert all(error.message and error.solution for error in found)
    assert all(error.retryable == (error.status in (429, 503, 504)) for error in found if error.status != 500)
