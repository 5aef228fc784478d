"""Every value that an option refuses, on the one parser that all ways in share."""

from typing import Any, Final

import pytest
from werkzeug.datastructures import MultiDict

from routes.http.fields import raw_options
from services.errors import BadOption, UnknownOption
from services.imaging.choices.presets import PRESETS
from services.imaging.options import Options, option_names

NO_NUMBERS: Final = (
    "abc", "NaN", "nan", "Infinity", "-inf", "1e400", "1e2", "0x50", "８０", "٨٠", "1_0", "80%", "80px", "--80", "8 0",
    "80\0", "None", "null", "true", "[80]", "80;DROP", "+", ".", "99999999999999999999",
)  # fmt: skip
SOME: Final = ("abc", "NaN", "Infinity", "1e400", "８０", "1_0", "80\0", "99999999999999999999")
LENGTHS: Final = ("abc", "-5px", "5em", "1e2%", "５%", "5 px", "5px,5px", "NaN%", "%", "10%\0", "auto", "calc(1px)")
BAD: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "format": (
        ("svg", "gif", "auto", "../png", "png%00", "png\0", "ｐｎｇ", "image/png", "png,webp", "bmp", "0"),
        "png, webp, jpeg",
    ),
    "quality": ((*NO_NUMBERS, "9", "101", "0", "-1", "80.5"), "from 10 to 100"),
    "dpi": ((*NO_NUMBERS, "71", "1201", "0", "-300", "300.5", "300dpi"), "a whole number from 72 to 1200"),
    "max_width": ((*SOME, "0", "-1", "16385", "99.5"), "from 1 to 16384"),
    "max_height": ((*SOME, "0", "-1", "16385", "99.5"), "from 1 to 16384"),
    "preset": (("Web2", "none", "__class__", "web\0", "web,print", "0"), ", ".join(PRESETS)),
    "prompt": (
        ("here", "[]", "{}", "[{}]", "null", "1", '[{"type": "point", "data": [1]}]', "[" * 190,
         '[{"type": "circle", "data": [1, 2]}]', '[{"type": "point", "data": [1, NaN]}]',
         '[{"type": "point", "data": [1, 1e400]}]'),
        "a JSON list of 1 to 32 marks",
    ),
    "output": (("alpha", "foreground", "cutout,mask", "1"), "cutout, mask"),
    "edges": (("hard", "none", "soft\0", "1"), "soft, refined, matting"),
    "decontaminate": (("2", "ja", "-1", "yes\0", "null"), "true, false, 1, 0, yes, no, on, off"),
    "animated": (("2", "ja", "-1", "yes\0", "null", "gif"), "true, false, 1, 0, yes, no, on, off"),
    "smooth": (("2", "ja", "-1", "yes\0", "null"), "true, false, 1, 0, yes, no, on, off"),
    "keep_alpha": (("2", "ja", "-1", "yes\0", "null"), "true, false, 1, 0, yes, no, on, off"),
    "max_pixels": ((*SOME, "0", "-1", "99.5"), "a whole number from 256 to 500000000"),
    "feather": ((*SOME, "-1", "-0.1", "100.1", "101"), "from 0 to 100"),
    "alpha_boost": ((*SOME, "0", "0.09", "5.1", "-1"), "from 0.1 to 5"),
    "threshold": ((*SOME, "-1", "256", "0.5"), "from 0 to 255"),
    "background": (
        ("#12345", "#1", "12", "#1234567", "#123456789", "rgb(", "rgb(1,2,3)", "hsl(0,1%,1%)", "url(http://127.0.0.1/)",
         "#ggg", "＃fff", "#ff٠", "whitee", "-1", "##fff", "#fff;", "var(--x)", "red blue", "#fff\0"),
        "hex of 3, 4, 6 or 8 digits",
    ),
    "background_gradient": (
        ("90", "#fff #ddd", "90 #fff", "90 #fff #ddd #ccc", "361 #fff #ddd", "-1 red blue", "90 red bluee",
         "NaN red blue", "1e2 red blue", "９0 red blue", "90 red #0000ff80", "90 red transparent",
         "90,red,blue", "90 red blue\0"),
        "two opaque colours",
    ),
    "background_blur": ((*SOME, "-1", "-0.1", "100.1", "101"), "a number from 0 to 100"),
    "crop": (("2", "ja", "tru", "-1", "yes\0", "null", "box"), "true, false, 1, 0, yes, no, on, off"),
    "crop_margin": ((*LENGTHS, "5", "1px 2px 3px", "1px 2px 3px 4px 5px"), "one, two or four of 30px, 10% or 0"),
    "scale": ((*LENGTHS, "9%", "101%", "50px", "center", "50% 50%"), "10% to 100%, or original"),
    "position": ((*LENGTHS, "left", "50", "50px", "101%", "0 0 0", "center center"), "original, center, 'n%'"),
    "canvas": (
        ("abc", "1000", "1000 1000 1000", "0 1000", "1000x0", "16385 10", "10x16385", "-1 10", "1e3 1e3", "1000.5 1000",
         "１０ 10", "10%", "50% 50%", "1000,1000", "10x10\0", "0:1", "1:0", "1:11", "11:1", "1:", ":", "1:1:1", "NaN:1",
         "-1:1", "1/1", "auto"),
        "'width height' in px, as '1000 1000' or 1000x1000, each from 1 to 16384; or a ratio from 1:10 to 10:1",
    ),
    "detail": (("sometimes", "true", "1", "always\0", "auto,off"), "auto, off, always"),
    "enlarge": (("sometimes", "true", "1", "always\0", "never,always"), "never, always"),
    "roi": ((*LENGTHS, "0", "0 0 100%", "0 0 1 1", "0 0 100% 100% 0"), "inside the image and not empty"),
    "shadow": (("car", "3D", "true", "drop,contact", "0"), "none, drop, contact"),
    "shadow_opacity": ((*SOME, "-1", "101", "0.5"), "from 0 to 100"),
}  # fmt: skip


def test_every_option_but_the_model_has_bad_values() -> None:
    assert set(BAD) | {"model"} == set(option_names())


@pytest.mark.parametrize("option", BAD)
def test_bad_value_is_named_with_its_option_and_the_allowed_values(option: str) -> None:
    values, allowed = BAD[option]
    for value in values:
        with pytest.raises(BadOption) as refused:
            Options.parse({option: value})
        assert (refused.value.option, refused.value.value) == (option, value)
        assert refused.value.details.startswith(f"{option} is {value!r}; allowed: ")
        assert allowed in refused.value.allowed


# A list of one value counts as the value: a form or a query can't distinguish the two.
TAKEN: Final[list[tuple[str, object]]] = [
    ("feather", 5.5), ("feather", [80]), ("quality", [80]), ("max_width", [80]),
]  # fmt: skip


@pytest.mark.parametrize("option", ["quality", "format", "background", "preset", "feather", "model", "max_width"])
def test_json_value_of_another_type_is_refused(option: str) -> None:
    values: list[Any] = [True, False, 5.5, -1, 10**30, 1.5e300, [80], [80, 90], {}, {"a": 1}, [[80]]]
    for value in values:
        if (option, value) in TAKEN:
            Options.parse(raw_options(MultiDict({option: value})))
            continue
        with pytest.raises(BadOption) as refused:
            Options.parse(raw_options(MultiDict({option: value})))
        assert refused.value.details.startswith(f"{option} is ")


@pytest.mark.parametrize("option", ["quality", "format", "model"])
def test_empty_json_list_is_the_same_as_absent(option: str) -> None:
    assert Options.parse(raw_options(MultiDict({option: []}))) == Options()


@pytest.mark.parametrize("option", sorted(option_names()))
def test_long_value_is_cut_in_the_message(option: str) -> None:
    with pytest.raises(BadOption) as refused:
        Options.parse({option: "x" * 10_000})
    assert "x" * 100 in refused.value.details
    assert len(refused.value.details) < 600


UNKNOWN: Final = {
    "qualty": "quality",
    "Quality": "quality",
    "FORMAT": "format",
    "max-width": "max_width",
    "maxwidth": "max_width",
    "modle": "model",
    "backgroud": "background",
    "background_color": "background",
    "treshold": "threshold",
    "alphaboost": "alpha_boost",
    "fether": "feather",
    "edge": "edges",
    "zzzzzz": None,
    "__class__": None,
    "quality\0": "quality",
    "": None,
    "k" * 3000: None,
}


@pytest.mark.parametrize("name", UNKNOWN, ids=lambda name: repr(name[:20]))
def test_unknown_option_is_named_with_the_nearest_known(name: str) -> None:
    given: MultiDict[str, Any] = MultiDict({name: "80"})
    for read in (raw_options, Options.parse):
        with pytest.raises(UnknownOption) as refused:
            read(given)
        assert refused.value.details.startswith(repr(name)[:100])
        if near := UNKNOWN[name]:
            assert f"did you mean {near!r}?" in refused.value.details
        else:
            assert all(known in refused.value.details for known in option_names())
        assert len(refused.value.details) < 800


@pytest.mark.parametrize("option", sorted(option_names()))
def test_option_given_twice_is_refused_even_with_the_same_value(option: str) -> None:
    twice = MultiDict([(option, "50"), (option, "50")])
    once = MultiDict([(option, "50")])
    for sources in ((twice,), (once, once), (once, {option: ["50"]})):
        with pytest.raises(BadOption) as refused:
            raw_options(*sources)
        assert refused.value.details.startswith(f"{option} is ")
        assert refused.value.allowed == "one value"


def test_empty_value_beside_another_does_not_count() -> None:
    given = raw_options(MultiDict([("format", ""), ("format", "webp"), ("quality", "")]))
    assert given == {"format": "webp"}
