"""withoutBG's APIs: its inference service's `/v1/remove-background`, and its cloud's alpha channel as base64."""

from collections.abc import Mapping
from typing import Annotated, Final

import pybase64
from pydantic import BaseModel, Field

from services.errors import BadOption, MethodNotAllowed, NotFound, ServiceError
from services.imaging.options import Options, Output
from services.imaging.pipeline import Result

OUTPUTS: Final[Mapping[str, Output]] = {
    "cutout": Output.CUTOUT,
    "processed": Output.CUTOUT,
    "matte": Output.MASK,
}
# The web framework of the original answers these, with another key than its views.
OF_THE_FRAMEWORK: Final = (NotFound, MethodNotAllowed)


class Processed(BaseModel):
    """The cut-out and its matte as data URIs, both from one run of the model."""

    processed: str
    alpha_matte: Annotated[str, Field(serialization_alias="alphaMatte")]
    latency_ms: Annotated[int, Field(serialization_alias="latencyMs")]


class AlphaChannel(BaseModel):
    """The cloud's answer: a grey PNG as base64."""

    alpha_base64: str

    @classmethod
    def of(cls, matte: Result) -> "AlphaChannel":
        """Return the body for a matte."""
        return cls(alpha_base64=pybase64.b64encode(matte.data).decode("ascii"))


class ErrorAnswer(BaseModel):
    error: str


class Detail(BaseModel):
    detail: str


class CloudError(BaseModel):
    """The cloud's error body. Its documentation has `detail`, its Python SDK reads `error`."""

    detail: str
    error: str


class Credit(BaseModel):
    """What is left of the month; without a quota a balance that never ends."""

    credit: int = 99_999
    expiration_date: str = "9999-12-31"


def parse_options(given: Mapping[str, str]) -> Options:
    """Return the options that the query means; unknown parameters are ignored. Raises `BadOption`."""
    output = given.get("output") or "cutout"
    if output not in OUTPUTS:
        raise BadOption("output", output, ", ".join(OUTPUTS))
    return Options(output=OUTPUTS[output])


def processed(cutout: Result, matte: bytes) -> Processed:
    """Return the JSON body for a cut-out and the PNG of its matte."""
    return Processed(processed=data_uri(cutout.data), alpha_matte=data_uri(matte), latency_ms=latency_ms(cutout))


def latency_ms(result: Result) -> int:
    """Return the milliseconds that the steps of a removal took together."""
    return round(sum(result.timings.values()))


def data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{pybase64.b64encode(png).decode('ascii')}"


def error_body(error: ServiceError, _max_bytes: int) -> tuple[int, BaseModel]:
    """Return the HTTP status and the inference service's body for one of our errors."""
    if isinstance(error, OF_THE_FRAMEWORK):
        return error.status, Detail(detail=str(error))
    return error.status, ErrorAnswer(error=str(error))


def cloud_error_body(error: ServiceError, _max_bytes: int) -> tuple[int, CloudError]:
    """Return the HTTP status and the cloud's body for one of our errors."""
    return error.status, CloudError(detail=str(error), error=str(error))
