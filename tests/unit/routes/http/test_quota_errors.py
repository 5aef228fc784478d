"""What a 429 says."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from limits import parse

from routes.http.quota_errors import in_words, quota_exceeded


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "1 second"),
        (0.2, "1 second"),
        (1.5, "2 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (2581, "44 minutes"),
        (7200, "2 hours"),
        (86400, "24 hours"),
        (172_801, "3 days"),
    ],
)
def test_duration_has_the_largest_unit_that_is_exact_enough(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def limit(text: str, seconds: int) -> Any:
    # Just under a second earlier, since time passes.
    return SimpleNamespace(limit=parse(text), reset_at=int(time.time()) + seconds)


def test_error_names_limit_and_time() -> None:
    with Flask(__name__).test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.9"}):
        error = quota_exceeded(limit("10 per hour", 2400), setting="THE_SETTING")
    assert error.details == "allowed: 10 per 1 hour; it is free again in 40 minutes"
    assert error.solution == "Wait 40 minutes"


def test_batch_that_never_fits_is_not_sent_to_wait() -> None:
    with Flask(__name__).test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.9"}):
        assert quota_exceeded(limit("10 per hour", 600), images=11).solution == "Send at most 10 images at a time"
        fits = quota_exceeded(limit("10 per hour", 600), images=10)
    assert fits.solution == "Wait 10 minutes"
    assert "this batch counts as 10" in fits.details
