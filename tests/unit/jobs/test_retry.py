"""How often an item is retried, and how long it waits before."""

import pytest

from services.jobs.retry import JITTER, RetryPolicy, lasting_codes


@pytest.mark.parametrize(("attempts", "interval"), [(1, 10), (2, 60), (3, 60)])
def test_delay_is_the_interval_of_the_attempt_plus_jitter(attempts: int, interval: float) -> None:
    policy = RetryPolicy(3, (10, 60))
    delays = [policy.delay(attempts) or 0 for _ in range(50)]
    assert min(delays) >= interval
    assert max(delays) <= interval * (1 + JITTER)


def test_items_that_failed_together_are_not_retried_together() -> None:
    policy = RetryPolicy(1, (60,))
    assert len({policy.delay(1) for _ in range(20)}) > 1


@pytest.mark.parametrize(("maximum", "attempts"), [(0, 1), (3, 4), (3, 100)])
def test_no_retry_is_left_after_the_maximum(maximum: int, attempts: int) -> None:
    assert RetryPolicy(maximum, (1,)).delay(attempts) is None


def test_errors_of_the_image_or_the_options_last_and_ours_do_not() -> None:
    codes = lasting_codes()
    assert {"corrupt_image", "unsupported_format", "too_many_pixels", "model_not_found", "bad_option"} <= codes
    assert not {"internal_error", "worker_lost", "busy", "deadline_exceeded", "storage_unavailable"} & codes
