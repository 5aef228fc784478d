"""rembg's arguments: each has its meaning here, and the signature is rembg's own."""

import ast
import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bgremove import remove
from library.keywords import AllOptions, RembgKeywords, SharedOptions
from library.rembg_arguments import translate
from services.errors import BadOption
from services.imaging.options import BACKGROUND_IMAGE, Options, option_names

NONE: dict[str, Any] = dict.fromkeys(
    ("alpha_matting", "only_mask", "post_process_mask", "decontaminate", "vitmatte", "bgcolor")
)


def meant(**rembg: Any) -> dict[str, Any]:
    options = {name: rembg.pop(name) for name in list(rembg) if name not in NONE}
    found = translate({**NONE, **rembg}, options)
    return {name: value for name, value in found.items() if value is not None}


def test_signature_is_that_of_rembg() -> None:
    """Its source is read: importing it compiles Numba's functions for 40 s, once on each machine."""
    found = find_spec("rembg")
    assert found
    assert found.origin
    source = Path(found.origin).with_name("bg.py").read_text()
    named = next(
        node.args for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "remove"
    )
    names = [argument.arg for argument in named.args]
    ours = inspect.signature(remove).parameters
    assert names == [p.name for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    given = zip(names[-len(named.defaults) :], named.defaults, strict=True)
    defaults = {name: ast.literal_eval(value) for name, value in given}
    assert len(defaults) == len(names) - 1
    # Colours of edges are cleaned unless a caller forbids it.
    assert {name: (value, ours[name].default) for name, value in defaults.items() if value != ours[name].default} == {
        "decontaminate": (False, None)
    }


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
