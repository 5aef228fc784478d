"""The facts of a result, for tests that only need some."""

from typing import Final

from services.jobs.facts import ResultFacts

FACTS: Final = ResultFacts(
    format="png",
    mimetype="image/png",
    width=64,
    height=48,
    bytes=1234,
    original_format="jpeg",
    original_width=640,
    original_height=480,
    original_bytes=5678,
    model="u2netp",
    confidence=0.987,
    timings_ms={"decode": 1.5, "segment": 20.0},
)
