"""rembg's arguments: each has its meaning here, and the signature is rembg's own."""

import inspect
from typing import Any

import pytest

from bgremove import remove
from library.keywords import AllOptions, RembgKeywords, SharedOptions
from library.rembg_arguments import translate
from services.errors import BadOption
from services.imaging.options import BACKGROUND_IMAGE, Options, option_names
from services.inference.runtime import import_rembg

NONE: dict[str, Any] = dict.fromkeys(
    ("alpha_matting", "only_mask", "post_process_mask", "decontaminate", "vitmatte", "bgcolor")
)


def meant(**rembg: Any) -> dict[str, Any]:
    options = {name: rembg.pop(name) for name in list(rembg) if name not in NONE}
    found = translate({**NONE, **rembg}, options)
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.slow
def test_signature_is_that_of_rembg() -> None:
    import_rembg()
    import rembg.bg

    named = [p for p in inspect.signature(rembg.bg.remove).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    ours = list(inspect.signature(remove).parameters.values())
    assert [p.name for p in named] == [p.name for p in ours if p.kind is p.POSITIONAL_OR_KEYWORD]
    defaults = {p.name: (p.default, o.default) for p, o in zip(named, ours, strict=False) if p.default != o.default}
    # Colours of edges are cleaned unless a caller forbids it.
    assert defaults == {"decontaminate": (False, None)}


def test_keywords_are_the_options() -> None:
    assert set(AllOptions.__annotations__) == {*option_names(), BACKGROUND_IMAGE}
    assert set(SharedOptions.__annotations__) == set(AllOptions.__annotations__) - {"decontaminate"}
    named = inspect.signature(remove).parameters
    assert set(RembgKeywords.__annotations__) >= set(named) - {"data", "options", "force_return_bytes"}


@pytest.mark.parametrize(
    ("rembg", "options"),
    [
        ({}, {}),
        ({"alpha_matting": True}, {"edges": "matting"}),
        ({"only_mask": True}, {"output": "mask"}),
        ({"post_process_mask": True}, {"smooth": True}),
        ({"post_process_mask": True, "alpha_matting": True}, {"edges": "matting"}),
        (
            {"post_process_mask": True, "alpha_matting": True, "only_mask": True},
            {"edges": "matting", "output": "mask", "smooth": True},
        ),
        ({"decontaminate": False}, {"decontaminate": False}),
        ({"putalpha": True}, {"decontaminate": False}),
        ({"bgcolor": (1, 2, 3, 4)}, {"background": (1, 2, 3, 4), "keep_alpha": True}),
        ({"bgcolor": [1, 2, 3]}, {"background": (1, 2, 3, 255), "keep_alpha": True}),
        ({"bgcolor": (1, 2, 3, 4), "only_mask": True}, {"output": "mask"}),
        ({"alpha_matting": True, "edges": "soft"}, {"edges": "soft"}),
        (
            {"sam_prompt": [{"type": "rectangle", "data": [0, 0, 9, 9], "label": 1}]},
            {"prompt": [{"type": "rectangle", "data": [0, 0, 9, 9]}]},
        ),
    ],
)
def test_argument_becomes_options(rembg: dict[str, Any], options: dict[str, Any]) -> None:
    assert meant(**rembg) == options
    Options.parse(options)


@pytest.mark.parametrize("value", ["red", (1, 2), (1, 2, 3, 256), (1.0, 2, 3)])
def test_bad_colour_says_what_is_allowed(value: object) -> None:
    with pytest.raises(BadOption, match=r"bgcolor is .*allowed: red, green, blue, alpha"):
        meant(bgcolor=value)


def test_vitmatte_is_refused() -> None:
    with pytest.raises(BadOption, match="there is no ViTMatte here"):
        meant(vitmatte=True)
