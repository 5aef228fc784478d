"""JSON bodies of responses. Each model is a body and, in the API's description, its schema."""

from typing import Annotated, Literal

import orjson
from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from services.imaging.geometry import Box
from services.imaging.pipeline import Result
from services.observability.health import HealthCheck

Count = Annotated[int, Field(ge=0)]
Verdict = Literal["ok", "error"]


class Body(BaseModel):
    """A JSON object with exactly these keys, in this order."""

    # A field with a default is in every body as well.
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class ErrorBody(Body):
    """The body of every error."""

    error: Annotated[str, Field(description="What went wrong, for people.")]
    code: Annotated[str, Field(description="What went wrong, for programs; stable.")]
    solution: Annotated[str, Field(description="What to do about it.")]
    details: Annotated[str, Field(description="What was found and what is allowed.")]
    request_id: Annotated[str, Field(description="The same as X-Request-ID, and on every log line.")]


class Foreground(Body):
    """px; the subject's box on the result, without its shadow; 0 where there is none"""

    top: Count
    left: Count
    width: Count
    height: Count

    @classmethod
    def of(cls, box: Box) -> "Foreground":
        """Return the body for a box."""
        return cls(top=box.top, left=box.left, width=box.width, height=box.height)


class Optimization(Body):
    format: str
    quality: Annotated[int | None, Field(description="null for PNG")]
    dimensions: Annotated[str, Field(examples=["800x600"])]
    compression_ratio: Annotated[float, Field(description="bytes received / bytes of the result")]
    original_size: Annotated[int, Field(description="bytes received")]
    optimized_size: Annotated[int, Field(description="bytes of the result")]


class ImageAnswer(Body):
    """A result as JSON."""

    success: Literal[True] = True
    image: Annotated[str, Field(description="base64, or a data URI with `data_uri=true`")]
    mimetype: str
    size: Annotated[int, Field(description="bytes")]
    width: Annotated[int, Field(description="px")]
    height: Annotated[int, Field(description="px")]
    foreground: Foreground
    model: str
    confidence: Annotated[float, Field(ge=0, le=1, description="how clear the subject is")]
    frames: Annotated[int, Field(ge=1, description="of an animation; 1 for a still picture")]
    duration_ms: Annotated[int | None, Field(description="of one run of an animation; null for a still picture")]
    optimization: Optimization

    @classmethod
    def of(cls, result: Result, image: str) -> "ImageAnswer":
        """Return the body for a result whose file is the text `image`."""
        size = len(result.data)
        optimization = Optimization(
            format=result.format.value,
            quality=result.quality,
            dimensions=f"{result.width}x{result.height}",
            compression_ratio=round(result.original_bytes / size, 3),
            original_size=result.original_bytes,
            optimized_size=size,
        )
        return cls(
            image=image,
            mimetype=result.format.mimetype,
            size=size,
            width=result.width,
            height=result.height,
            foreground=Foreground.of(result.foreground),
            model=result.model,
            confidence=result.confidence,
            frames=result.frames,
            duration_ms=result.duration_ms,
            optimization=optimization,
        )


class TextFile(Body):
    """A text file of base64 image data."""

    success: Literal[True] = True
    content: Annotated[str, Field(description="base64")]
    size: Annotated[int, Field(description="characters")]


class Alive(Body):
    status: Literal["alive"] = "alive"


class Readiness(Body):
    # `model` is absent when the service is ready.
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    status: Literal["ready", "not ready"]
    model: HealthCheck | None = None


class HealthReport(Body):
    """The state of every part that serving needs or uses."""

    status: Literal["healthy", "unhealthy"]
    checks: Annotated[
        dict[str, bool],
        Field(description="false: it failed or has a warning; not in use is true"),
    ]
    parts: dict[str, HealthCheck]
    name: str
    version: str
    uptime_seconds: float


class DependencyChecks(Body):
    """The API and what it depends on; a dependency that is not in use is ok."""

    api: Verdict
    database: Verdict
    redis: Verdict
    s3: Annotated[Verdict, Field(description="the object storage")]


class DependencyReport(Body):
    """The state of the service in short."""

    status: Literal["healthy", "unhealthy"]
    checks: DependencyChecks


class ModelFacts(Body):
    """A model that this service knows."""

    model_config = ConfigDict(frozen=True, from_attributes=True, populate_by_name=True)

    name: str
    purpose: str
    licence: str
    commercial_use: Annotated[str, Field(validation_alias="commercial")]
    input_size: Annotated[int, Field(description="px")]
    about_mb: int | None
    checksums: dict[str, str | None]
    takes_prompt: bool


class UsableModel(ModelFacts):
    """A model that can be asked for, and how it is loaded in the process that answers."""

    size_bytes: int
    default: bool
    loaded: bool
    engine: str | None
    precision: str | None
    seconds: Annotated[
        float | None,
        Field(description="of one mask: the moving mean of the process that answers; null before its first one"),
    ]


class ModelList(Body):
    models: list[UsableModel]
    tiers: Annotated[dict[str, str], Field(description="names to choose a model by, and the model that each means")]
    not_here: list[ModelFacts]


class QuotaLimits(Body):
    remove_background: Annotated[int, Field(serialization_alias="/remove-background")]
    preview: Annotated[int, Field(serialization_alias="/remove-background-preview")]
    base64: Annotated[int, Field(serialization_alias="/remove-background-base64")]
    read_file: Annotated[int, Field(serialization_alias="/read-file")]


class ServiceLimits(Body):
    max_content_length: int
    max_image_pixels: int
    min_image_side: int
    formats: list[str]
    request_timeout_seconds: float
    per_hour: QuotaLimits


class ServiceDescription(Body):
    """The service's own description."""

    name: str
    version: str
    model: str
    auth_required: bool
    limits: ServiceLimits
    endpoints: list[str]
    docs: str = "/docs"


def json_response(
    body: BaseModel, status: int = 200, *, cacheable: bool = True, absent_if_none: bool = False
) -> Response:
    """Return the body as a JSON response.

    With `cacheable=False` nobody may keep it; with `absent_if_none` keys without a value are left out.
    """
    content = body.model_dump(mode="json", by_alias=True, exclude_none=absent_if_none)
    response = Response(orjson.dumps(content), status=status, mimetype="application/json")
    if not cacheable:
        response.headers["Cache-Control"] = "no-store"
    return response
