"""Errors of fetching a URL: what they say, and that they survive the way between processes."""

import copy
import pickle

import pytest

from services.net.errors import SourceFailed


@pytest.mark.parametrize(
    ("error", "details", "status"),
    [
        (SourceFailed(status=404), "it answered with status 404", 404),
        (SourceFailed("it is empty", status=200), "it is empty", 200),
        (SourceFailed("the connection failed"), "the connection failed", None),
        (SourceFailed(), "", None),
    ],
)
def test_failed_source_keeps_its_details_and_status(error: SourceFailed, details: str, status: int | None) -> None:
    for same in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (same.details, same.source_status, same.status) == (details, status, 502)
        assert str(same) == (f"{SourceFailed.message}: {details}" if details else SourceFailed.message)
