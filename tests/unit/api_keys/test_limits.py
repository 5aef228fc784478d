"""Limits of API keys: how they are written, and which are refused."""

import pytest

from services.api_keys.limits import MAX_QUOTA, checked_limits, parse_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [("1000/hour", "1000/hour"), (" 5 per MINUTE ", "5/minute"), ("1/seconds", "1/second"), ("7/day", "7/day")],
)
def test_a_quota_is_normalized(text: str, limit: str) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    "text", ["", "0/hour", "-1/hour", "1000", "hour", "1/week", "1/hour/day", "9999999999/hour", "٣/hour"]
)
def test_an_invalid_quota_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1000/hour"):
        parse_limit(text)


def test_absent_limits_are_none() -> None:
    assert checked_limits(None, None) == (None, None)
    assert checked_limits(None, MAX_QUOTA) == (None, MAX_QUOTA)
    # As an unset variable of a script: that must not take a limit away.
    with pytest.raises(ValueError, match="1000/hour"):
        checked_limits("", None)


@pytest.mark.parametrize("quota", [-1, MAX_QUOTA + 1])
def test_monthly_quota_outside_its_range_is_refused(quota: int) -> None:
    with pytest.raises(ValueError, match="allowed are 0 to"):
        checked_limits(None, quota)
