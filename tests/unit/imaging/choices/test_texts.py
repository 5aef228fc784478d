"""The texts about options: what one takes, and which one a mistyped name may mean."""

import pytest

from services.imaging.choices.texts import allowed_values, no_such_option
from services.imaging.options import Options


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quality", "a whole number from 10 to 100"),
        ("feather", "a number from 0 to 100"),
        ("crop", "true, false, 1, 0, yes, no, on, off"),
        ("shadow", "none, drop, contact"),
        ("model", "text of at most 64 characters"),
        ("scale", "10% to 100%, or original"),
    ],
)
def test_text_follows_from_the_options_type(name: str, text: str) -> None:
    assert allowed_values(Options.model_json_schema(), name) == text


def test_error_names_the_nearest_option_or_all_of_them() -> None:
    near = no_such_option("qualty", ["quality", "crop"]).details
    assert near == "'qualty' is not an option (did you mean 'quality'?)"
    assert no_such_option("zzz", ["quality", "crop"]).details.endswith("(the options are quality, crop)")
