"""Writes what options take, and which option a mistyped name may mean."""

import difflib
from collections.abc import Sequence
from typing import Any, Final

from services.errors import UnknownOption, shown
from services.imaging.formats import Format, usable_formats
from services.imaging.prompt import ALLOWED as PROMPT_ALLOWED
from services.imaging.values import BOOLEAN_WORDS, WORDS

# Other services' names, which look more like another option than the one they mean.
MEANT: Final = {"background_color": "background", "background_colour": "background"}


def allowed_values(schema: dict[str, Any], name: str) -> str:
    """Return what the option `name` takes, in words, from the JSON schema of all options."""
    field = schema["properties"][name]
    variants = [v for v in field.get("anyOf", [field]) if v.get("type") != "null"]
    variant = variants[0]
    if "$ref" in variant:
        variant = schema["$defs"][variant["$ref"].rsplit("/", 1)[-1]]
    if name == "format":
        stills = ", ".join("jpeg (or jpg)" if f is Format.JPEG else f.value for f in usable_formats())
        return f"{stills}; with animated=true also gif and auto"
    if name == "prompt":
        return PROMPT_ALLOWED
    if name in WORDS:
        return WORDS[name]
    if variant.get("type") == "boolean":
        return BOOLEAN_WORDS
    if "enum" in variant or "const" in variant:
        return ", ".join(variant.get("enum", [variant.get("const")]))
    if "minimum" in variant:
        kind = "a whole number" if variant["type"] == "integer" else "a number"
        return f"{kind} from {variant['minimum']:.12g} to {variant['maximum']:.12g}"
    return "text of at most 64 characters"


def no_such_option(name: str, known: Sequence[str]) -> UnknownOption:
    """Return the error for an option that does not exist; it names the nearest of `known`."""
    asked = name.lower()[:64]
    near = difflib.get_close_matches(MEANT.get(asked, asked), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(known)}"
    return UnknownOption(f"{shown(name)} is not an option ({hint})")
