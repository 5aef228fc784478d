"""How many requests a caller may make, as a page learns it."""

import pytest

from config import Settings, load_settings
from routes.http.quota_facts import KeyLimit, quotas_of
from routes.studio import StudioFacts
from services.api_keys.limits import parse_limit

ITEMS = "/api/jobs/{job_id}/items/{item_id}"


def settings(*, jobs: bool = True) -> Settings:
    return load_settings(jobs_enabled=jobs)


@pytest.mark.parametrize(
    ("limit", "requests", "seconds", "per_hour"),
    [
        ("100/hour", 100, 3600, 100),
        ("5 per minute", 5, 60, 300),
        ("100 per day", 100, 86400, 4),
        ("2/day", 2, 86400, 1),
    ],
)
def test_limit_of_a_key_is_read_as_it_is_stored(limit: str, requests: int, seconds: int, per_hour: int) -> None:
    found = KeyLimit.parse(parse_limit(limit))
    assert (found.requests, found.seconds, found.per_hour) == (requests, seconds, per_hour)


def test_every_endpoint_of_a_page_has_its_quota() -> None:
    found = quotas_of(settings(), None)
    assert (found["/matte"], found["/compose"], found["/refine"]) == (120, 300, 600)
    assert (found["/api/jobs"], found[ITEMS], found[f"{ITEMS}/mask"]) == (3600, 72000, 300)
    assert not [path for path in quotas_of(settings(jobs=False), None) if path.startswith("/api/")]


def test_own_limit_of_a_key_counts_instead() -> None:
    own = KeyLimit(requests=50, seconds=3600)
    assert set(quotas_of(settings(), own).values()) == {50}
    facts = StudioFacts.of(settings(), [], "build", counted=True, own=own)
    assert facts.key_limit == own
    assert facts.quotas == quotas_of(settings(), own)
    uncounted = StudioFacts.of(settings(), [], "build", counted=False)
    assert (uncounted.quotas, uncounted.key_limit) == (None, None)
