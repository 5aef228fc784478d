"""The JSON bodies and headers of remove.bg's API."""

from dataclasses import replace

import pybase64
import pytest

from services.dialects.removebg import parse_options
from services.dialects.removebg_answers import Account, JsonAnswer, headers
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.pipeline import Result


@pytest.fixture
def result() -> Result:
    return Result(
        data=b"\x89PNG", format=Format.PNG, width=500, height=400, foreground=Box(10, 20, 30, 40),
        original_format="jpeg", original_width=1000, original_height=800, original_bytes=9, quality=None,
        max_width=None, max_height=None, max_pixels=250_000, model="u2net_human_seg", confidence=1.0, timings={},
    )  # fmt: skip


def test_json_answer_has_the_file_and_the_subjects_box(result: Result) -> None:
    data = JsonAnswer.of(result).model_dump()["data"]
    assert pybase64.b64decode(data.pop("result_b64")) == b"\x89PNG"
    assert data == {"foreground_top": 20, "foreground_left": 10, "foreground_width": 30, "foreground_height": 40}


def test_headers_have_sizes_box_and_class(result: Result) -> None:
    assert headers(result, parse_options({}, "preview")) == {
        "X-Width": "500", "X-Height": "400", "X-Max-Width": "1000", "X-Max-Height": "800",
        "X-Foreground-Top": "20", "X-Foreground-Left": "10", "X-Foreground-Width": "30", "X-Foreground-Height": "40",
        "X-Credits-Charged": "0", "X-Type": "person",
    }  # fmt: skip


def test_type_level_none_leaves_out_the_class(result: Result) -> None:
    assert "X-Type" not in headers(result, parse_options({"type_level": "none"}, "preview"))


def test_largest_size_is_bounded_to_25_megapixels(result: Result) -> None:
    large = replace(result, original_width=10_000, original_height=10_000)
    found = headers(large, parse_options({}, "preview"))
    assert (found["X-Max-Width"], found["X-Max-Height"]) == ("5000", "5000")


def test_largest_size_of_a_crop_is_its_own(result: Result) -> None:
    found = headers(result, parse_options({"crop": "true"}, "preview"))
    assert (found["X-Max-Width"], found["X-Max-Height"]) == ("500", "400")


def test_account_has_exactly_the_keys_of_the_official_client() -> None:
    assert Account().model_dump() == {
        "data": {
            "attributes": {
                "credits": {"subscription": 99_999, "payg": 99_999, "enterprise": 99_999, "total": 99_999},
                "api": {"free_calls": 99_999, "sizes": "all"},
            }
        }
    }
