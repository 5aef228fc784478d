"""rembg's own server, spoken here: `GET` and `POST /api/remove` as `rembg s` (2.0.86) has them.

A thin translation into `Options`: what rembg's parameters mean is done by this service's own steps. Fields that rembg
does not know are ignored, as its server ignores them.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from flask import Response, request
from pydantic import BaseModel, Field, ValidationError

from routes.http.bodies import hold_body, read_part
from routes.http.context import service
from routes.http.requests import Upload, fetch
from routes.removal import as_image, remove
from services.archives.filenames import harmless_stem
from services.errors import BadOption, MissingImage, ModelNotFound, MultipleImages
from services.imaging.errors import UnsupportedFormat
from services.imaging.options import Edges, Options, Output
from services.imaging.prompt import ALLOWED as PROMPT_ALLOWED
from services.imaging.values import TRUTHS, Colour

FILE: Final = "file"
REMOTE: Final = frozenset({"withoutbg", "atlascloud"})
LEVEL: Final = "a whole number from 0 to 255"
ALLOWED: Final = {
    "model": "one of GET /models",
    "af": LEVEL,
    "ab": LEVEL,
    "ae": "a whole number, at least 0",
    "bgc": "red,green,blue,alpha, each 0 to 255, as 255,255,255,255; alpha may be left out",
    "vm": "false: this server has no ViTMatte; a=true is its finest matting",
    "extras": '{}, or for the model sam {"sam_prompt": …}: ' + PROMPT_ALLOWED,
}


class Parameters(BaseModel):
    """rembg's parameters, by its names and with its ranges and defaults; only `model` has this server's."""

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
    extras: Annotated[str | None, Field(description="JSON: empty, or for `sam` its `sam_prompt`.", examples=["{}"])] = (
        None
    )

    @classmethod
    def parse(cls, raw: Mapping[str, str]) -> "Parameters":
        """From texts; an empty one is the same as none. Raises `BadOption`."""
        given = {name: value for name, value in raw.items() if value != "" and name in cls.model_fields}
        try:
            return cls.model_validate(given)
        except ValidationError as exc:
            name = str(exc.errors()[0]["loc"][0])
            raise BadOption(name, given[name], ALLOWED.get(name, TRUTHS)) from exc

    def options(self) -> Options:
        """The same in this service's words. Raises `BadOption` and `ModelNotFound`."""
        if self.vm:
            raise BadOption("vm", "true", ALLOWED["vm"])
        if self.model in REMOTE:
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


def remove_url() -> Response:
    """The image behind `url` without background."""
    service().admission.refuse_when_full()
    options = parameters().options()
    # rembg's fetcher takes what was not encoded twice.
    url = request.args.get("url", "").replace(" ", "%20")
    if not url:
        raise MissingImage("the parameter 'url' is absent", "Send GET /api/remove?url=https://…")
    fetched = fetch("url", url)
    upload = Upload(fetched.data, harmless_stem(fetched.name), {}, timings={"fetch": fetched.milliseconds})
    return as_image(remove(upload, options), upload.stem, "inline")


def remove_file() -> Response:
    """The image in the form's `file` without background."""
    service().admission.refuse_when_full()
    need_form()
    hold_body()
    options = parameters().options()
    parts = request.files.getlist(FILE)
    if len(parts) > 1:
        raise MultipleImages(f"{len(parts)} files were received")
    if not parts or not parts[0].filename:
        raise MissingImage(f"the form has no file in the field {FILE!r}", "Send it as curl -F file=@photo.jpg does")
    upload = Upload(read_part(parts[0]), harmless_stem(parts[0].filename), {})
    return as_image(remove(upload, options), upload.stem, "inline")


def parameters() -> Parameters:
    """rembg's parameters from the query and the form, which wins: rembg's own server reads `bgc` and `extras` from the
    query and the others from the form; here each may stand in either."""
    return Parameters.parse({**_last(request.args), **_last(request.form)})


def need_form() -> None:
    """Raises `MissingImage` and `UnsupportedFormat` for a body that is no multipart form."""
    if request.mimetype == "multipart/form-data":
        return
    solution = "Send multipart/form-data, as curl -F does"
    if request.mimetype in ("", "application/x-www-form-urlencoded"):
        raise MissingImage("the body is no form with a file", solution)
    raise UnsupportedFormat(f"the body is declared as {request.mimetype[:80]}", solution)


def _last(source: Any) -> dict[str, str]:
    return {name: values[-1] for name, values in source.lists() if values[-1] != ""}


def _colour(text: str) -> Colour:
    """`r,g,b` or `r,g,b,a`, with spaces or without. Raises `BadOption`."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (3, 4) or not all(re.fullmatch("[0-9]{1,3}", part) and int(part) <= 255 for part in parts):
        raise BadOption("bgc", text, ALLOWED["bgc"])
    red, green, blue, alpha = [*map(int, parts), 255][:4]
    return red, green, blue, alpha


def _prompt(extras: str) -> str | None:
    """The option `prompt` that rembg's `extras` mean; None for `{}`. Raises `BadOption`.

    rembg gives whatever stands there to the constructor of a session (files to load, keys of other companies): here it
    is the prompt of `sam`, or nothing.
    """
    try:
        found = orjson.loads(extras)
    except orjson.JSONDecodeError as exc:
        raise BadOption("extras", extras, ALLOWED["extras"]) from exc
    if found == {}:
        return None
    if not isinstance(found, dict) or set(found) != {"sam_prompt"} or not isinstance(found["sam_prompt"], list):
        raise BadOption("extras", extras, ALLOWED["extras"])
    marks = [
        # A rectangle's: rembg takes it and does nothing with it.
        {k: v for k, v in mark.items() if k != "label"}
        if isinstance(mark, dict) and mark.get("type") == "rectangle"
        else mark
        for mark in found["sam_prompt"]
    ]
    return orjson.dumps(marks).decode()
