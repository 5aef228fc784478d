"""Tiers: how the setting is read, checked against the enabled models, and completed."""

import pytest

from services.inference.tiers import check_tiers, complete_tiers, parse_tiers


def test_setting_names_tiers_and_their_models() -> None:
    assert parse_tiers(" fast=u2netp , best = birefnet-general,") == {"fast": "u2netp", "best": "birefnet-general"}
    assert parse_tiers("") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fastest=u2netp", "'fastest=u2netp' is not a tier and a model"),
        ("fast", "'fast' is not a tier and a model"),
        ("fast=", "'fast=' is not a tier and a model"),
        ("fast=a,fast=b", "the tier fast is given twice"),
    ],
)
def test_wrong_setting_is_refused_with_what_is_allowed(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_tiers(text)


def test_model_of_a_tier_must_be_enabled() -> None:
    check_tiers({"fast": "u2netp"}, ["u2netp"])
    with pytest.raises(ValueError, match=r"the tier best is 'u2net', which is not enabled: .*MODELS_ENABLED.*u2netp"):
        check_tiers({"best": "u2net"}, ["u2netp"])


@pytest.mark.parametrize(
    ("given", "models"),
    [
        ({}, ["default", "default", "default"]),
        ({"good": "a"}, ["default", "a", "a"]),
        ({"fast": "a", "best": "b"}, ["a", "a", "b"]),
    ],
)
def test_tier_without_a_model_has_that_of_the_tier_below(given: dict[str, str], models: list[str]) -> None:
    assert list(complete_tiers(given, "default").items()) == list(zip(("fast", "good", "best"), models, strict=True))
