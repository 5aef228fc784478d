"""The JSON bodies of responses."""

import orjson
import pytest
from pydantic import ValidationError

from routes.http.answers import ImageAnswer, QuotaLimits, Readiness, json_response
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.pipeline import Result
from services.observability.health import HealthCheck


@pytest.fixture
def result() -> Result:
    return Result(
        data=b"x" * 300, format=Format.PNG, width=50, height=40, foreground=Box(1, 2, 3, 4),
        original_format="jpeg", original_width=100, original_height=80, original_bytes=1000, quality=None,
        max_width=None, max_height=None, max_pixels=None, model="u2net", confidence=0.5, timings={},
    )  # fmt: skip


def test_image_answer_has_the_facts_of_its_result(result: Result) -> None:
    assert ImageAnswer.of(result, "eHg=").model_dump() == {
        "success": True,
        "image": "eHg=",
        "mimetype": "image/png",
        "size": 300,
        "width": 50,
        "height": 40,
        "foreground": {"top": 2, "left": 1, "width": 3, "height": 4},
        "model": "u2net",
        "confidence": 0.5,
        "frames": 1,
        "duration_ms": None,
        "optimization": {
            "format": "png",
            "quality": None,
            "dimensions": "50x40",
            "compression_ratio": 3.333,
            "original_size": 1000,
            "optimized_size": 300,
        },
    }


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        Readiness.model_validate({"status": "ready", "surprise": 1})


def test_response_uses_the_public_names_of_fields() -> None:
    response = json_response(QuotaLimits(remove_background=1, preview=2, base64=3, read_file=4))
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert orjson.loads(response.data) == {
        "/remove-background": 1, "/remove-background-preview": 2, "/remove-background-base64": 3, "/read-file": 4,
    }  # fmt: skip


def test_keys_without_a_value_are_null_unless_left_out() -> None:
    body = Readiness(status="not ready", model=HealthCheck(status="failed", details="loading"))
    assert orjson.loads(json_response(body, absent_if_none=True).data) == {
        "status": "not ready",
        "model": {"status": "failed", "details": "loading"},
    }
    assert orjson.loads(json_response(Readiness(status="ready")).data) == {"status": "ready", "model": None}


def test_uncacheable_response_may_not_be_stored() -> None:
    body = Readiness(status="ready")
    assert json_response(body, 503, cacheable=False).headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in json_response(body).headers
