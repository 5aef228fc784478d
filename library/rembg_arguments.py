"""rembg's arguments in the service's options."""

from collections.abc import Mapping
from typing import Any

from services.errors import BadOption


def translate(rembg: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that rembg's arguments mean, and those that were given as options, which win.

    `sam_prompt` and `putalpha`, which rembg takes as further keywords, are translated too. Raises `BadOption`.
    """
    if rembg["vitmatte"]:
        raise BadOption("vitmatte", True, "False: there is no ViTMatte here; alpha_matting=True has the finest edges")
    given = dict(options)
    meant: dict[str, Any] = {
        "edges": "matting" if rembg["alpha_matting"] else None,
        "output": "mask" if rembg["only_mask"] else None,
        "smooth": (rembg["post_process_mask"] and (rembg["only_mask"] or not rembg["alpha_matting"])) or None,
        "decontaminate": False if given.pop("putalpha", False) else rembg["decontaminate"],
        "prompt": _prompt(given.pop("sam_prompt", None)),
    }
    if rembg["bgcolor"] is not None and not rembg["only_mask"]:
        meant |= {"background": colour(rembg["bgcolor"]), "keep_alpha": True}
    return {**meant, **{name: value for name, value in given.items() if value is not None}}


def colour(value: object) -> tuple[int, ...]:
    """Return the colour, whose alpha may be left out. Raises `BadOption`."""
    parts = tuple(value) if isinstance(value, tuple | list) else ()
    if len(parts) not in (3, 4) or not all(isinstance(part, int) and 0 <= part <= 255 for part in parts):
        raise BadOption("bgcolor", value, "red, green, blue, alpha, each 0 to 255; alpha may be left out")
    return (*parts, 255)[:4]


def _prompt(marks: object) -> object:
    """Return the marks without the label of a rectangle, which rembg takes and does nothing with."""
    if not isinstance(marks, list):
        return marks
    return [
        {name: value for name, value in mark.items() if name != "label"}
        if isinstance(mark, dict) and mark.get("type") == "rectangle"
        else mark
        for mark in marks
    ]
