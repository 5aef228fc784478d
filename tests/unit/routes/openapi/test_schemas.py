"""Schemas of answers: self-contained, without pydantic's own titles, nullable as OpenAPI 3.1 writes it."""

from typing import Literal

import jsonschema
import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field

from routes.http.jobs.job_answers import encoded
from routes.http.jobs.job_views import JobView
from routes.openapi.schemas import schema_of
from services.jobs.queries import JobSnapshot
from tests.support.jobs import new_records


class Inner(BaseModel):
    """An inner object."""

    model_config = ConfigDict(extra="forbid")

    size: int = Field(ge=0)
    title: str


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: Literal["a", "b"]
    text: str | None
    inner: Inner | None = Field(description="Why.")
    inners: list[Inner]


INNER = {
    "type": "object",
    "required": ["size", "title"],
    "properties": {"size": {"type": "integer", "minimum": 0}, "title": {"type": "string"}},
    "additionalProperties": False,
    "description": "An inner object.",
}


def test_a_schema_has_its_parts_inlined_and_null_as_a_type() -> None:
    assert schema_of(Outer) == {
        "type": "object",
        "required": ["state", "text", "inner", "inners"],
        "additionalProperties": False,
        "properties": {
            "state": {"type": "string", "enum": ["a", "b"]},
            "text": {"type": ["string", "null"]},
            "inner": {**INNER, "type": ["object", "null"], "description": "Why."},
            "inners": {"type": "array", "items": INNER},
        },
    }


def test_a_body_is_valid_by_the_schema_of_its_model() -> None:
    body = orjson.loads(encoded(JobView.of(JobSnapshot(*new_records(2), 1.5), "")))
    schema = schema_of(JobView)
    jsonschema.validate(body, schema)
    for key in body:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: value for name, value in body.items() if name != key}, schema)
