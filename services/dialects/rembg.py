"""rembg's own server (`rembg s`, 2.0.86): its parameters in our options.

What rembg's parameters mean is done by this service's own steps. Fields that rembg does not know are ignored, as its
server ignores them.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final

import orjson
from pydantic import BaseModel, Field, ValidationError

from services.errors import BadOption, ModelNotFound
from services.imaging.options import Edges, Options, Output
from services.imaging.prompt import ALLOWED as PROMPT_ALLOWED
from services.imaging.values import BOOLEAN_WORDS, Colour

# These send images to another company.
REMOTE_MODELS: Final = frozenset({"withoutbg", "atlascloud"})
LEVEL: Final = "a whole number from 0 to 255"
ALLOWED: Final = {
    "model": "one of GET /models",
    "af": LEVEL,
    "ab": LEVEL,
    "ae": "a whole number, at least 0",
    "bgc": "red,green,blue,alpha, each 0 to 255, as 255,255,255,255; alpha may be left out",
    "vm": "false: this server has no ViTMatte; a=true is its finest matting",
    "extras": 'for the model sam {"sam_prompt": …}: ' + PROMPT_ALLOWED,
}


class RembgParameters(BaseModel):
    """rembg's parameters, with its names, ranges and defaults; only the default of `model` is this server's."""

    model: Annotated[str | None, Field(max_length=64, description="One of `GET /models`.")] = None
    a: Annotated[bool, Field(description="Alpha matting: the finest edges, slow (`edges=matting`).")] = False
    af: Annotated[int, Field(ge=0, le=255, description="Accepted; this matting finds its threshold itself.")] = 240
    ab: Annotated[int, Field(ge=0, le=255, description="Accepted; this matting finds its threshold itself.")] = 10
    ae: Annotated[int, Field(ge=0, description="Accepted; this matting finds its band itself.")] = 10
    om: Annotated[bool, Field(description="Only the mask, in grey.")] = False
    ppm: Annotated[bool, Field(description="A hard mask with a smooth outline; with `a` the matte stays soft.")] = False
    dc: Annotated[bool, Field(description="Accepted; edges are always decontaminated.")] = False
    vm: Annotated[bool, Field(description="Only false: there is no ViTMatte here.")] = False
    bgc: Annotated[
        str | None, Field(description="`red,green,blue,alpha`, each 0 to 255.", examples=["255,255,255,255"])
    ] = None
    extras: Annotated[
        str | None, Field(description="JSON: for `sam` its `sam_prompt`; anything else is ignored.", examples=["{}"])
    ] = None

    def options(self) -> Options:
        """Return the same as our options. Raises `BadOption` and `ModelNotFound`."""
        if self.vm:
            raise BadOption("vm", "true", ALLOWED["vm"])
        if self.model in REMOTE_MODELS:
            raise ModelNotFound(f"{self.model} sends images to another company's servers, which this one never does")
        asked: dict[str, object] = {
            "model": self.model,
            "output": Output.MASK if self.om else Output.CUTOUT,
            "edges": Edges.MATTING if self.a else None,
            "smooth": self.ppm and (self.om or not self.a),
            "background": _colour(self.bgc) if self.bgc else None,
            "keep_alpha": True,
            "prompt": _prompt(self.extras) if self.extras else None,
        }
        try:
            return Options.parse(asked)
        except BadOption as exc:
            if exc.option == "prompt":
                raise BadOption("extras", self.extras, ALLOWED["extras"]) from exc
            raise


def parse_options(raw: Mapping[str, str]) -> Options:
    """Return the options that rembg's parameters in `raw` mean; an empty text is the same as an absent one.

    Raises `BadOption` and `ModelNotFound`.
    """
    given = {name: value for name, value in raw.items() if value != "" and name in RembgParameters.model_fields}
    try:
        parameters = RembgParameters.model_validate(given)
    except ValidationError as exc:
        name = str(exc.errors()[0]["loc"][0])
        raise BadOption(name, given[name], ALLOWED.get(name, BOOLEAN_WORDS)) from exc
    return parameters.options()


def _colour(text: str) -> Colour:
    """Read `r,g,b` or `r,g,b,a`, with spaces or without. Raises `BadOption`."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (3, 4) or not all(re.fullmatch("[0-9]{1,3}", part) and int(part) <= 255 for part in parts):
        raise BadOption("bgc", text, ALLOWED["bgc"])
    red, green, blue, alpha = [*map(int, parts), 255][:4]
    return red, green, blue, alpha


def _prompt(extras: str) -> str | None:
    """Return the option `prompt` that rembg's `extras` mean, or None. Raises `BadOption`.

    rembg passes `extras` to the constructor of a session (files to load, keys of other companies). Here only the prompt
    of `sam` counts. Everything else is ignored, as rembg ignores anything that is not a JSON object.
    """
    try:
        found = orjson.loads(extras)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or "sam_prompt" not in found:
        return None
    if not isinstance(found["sam_prompt"], list):
        raise BadOption("extras", extras, ALLOWED["extras"])
    marks = [
        # A rectangle's: rembg takes it and does nothing with it.
        {k: v for k, v in mark.items() if k != "label"}
        if isinstance(mark, dict) and mark.get("type") == "rectangle"
        else mark
        for mark in found["sam_prompt"]
    ]
    return orjson.dumps(marks).decode()
