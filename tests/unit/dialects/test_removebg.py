"""remove.bg's API 1.0: its parameters in our options, and its words for what is wrong."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from flask import Flask, g

from routes.http.context import EXTENSION
from routes.http.errors import handle_errors
from services.dialects.removebg import (
    TWO_BACKGROUNDS,
    TWO_IMAGES,
    check_sources,
    classification,
    parse_options,
    present,
)
from services.dialects.removebg_errors import RemoveBgError, download_error, error_body
from services.errors import Busy, ServiceError, all_errors
from services.imaging.formats import Format
from services.imaging.layout import fitted_size
from services.imaging.options import Options, Output, Shadow
from services.net.errors import SourceFailed, SourceTimeout
from tests.support.samples import sample


def options(**given: object) -> Options:
    return parse_options(given, "preview").options


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ("preview", 250_000), ("small", 250_000), ("regular", 250_000), ("medium", 1_500_000), ("hd", 4_000_000),
        ("full", 25_000_000), ("4k", 25_000_000), ("auto", 25_000_000), ("50MP", 50_000_000), ("Preview", 250_000),
    ],
)  # fmt: skip
def test_every_size_and_alias_is_a_bound_of_pixels(size: str, pixels: int) -> None:
    assert options(size=size).max_pixels == pixels


def test_operator_chooses_the_default_size() -> None:
    assert parse_options({}, "auto").options.max_pixels == 25_000_000
    assert parse_options({"size": "hd"}, "auto").options.max_pixels == 4_000_000


def test_a_bound_of_pixels_rounds_down_and_never_enlarges() -> None:
    bound = Options(max_pixels=250_000)
    assert fitted_size(4000, 3000, bound) == (577, 433)
    assert fitted_size(1000, 1000, bound) == (500, 500)
    assert fitted_size(500, 500, bound) == (500, 500)
    assert fitted_size(300, 200, bound) == (300, 200)
    assert fitted_size(3000, 3000, Options(max_pixels=4_000_000)) == (2000, 2000)
    assert fitted_size(1000, 1000, Options(max_pixels=250_000, max_width=100)) == (100, 100)
    for width in range(501, 1500, 7):
        for height in range(499, 1500, 11):
            new = fitted_size(width, height, bound)
            assert new[0] * new[1] <= 250_000


@pytest.mark.parametrize(
    ("given", "code", "title"),
    [
        ({"size": "huge"}, "invalid_size", "Invalid value for parameter 'size'"),
        ({"channels": "rgb"}, "invalid_channels", "Invalid value for parameter 'channels'"),
        ({"format": "gif"}, "invalid_format", "Invalid format parameter given"),
        ({"format": ["png"]}, "invalid_format", "Invalid format parameter given"),
        ({"type": "ghost"}, "invalid_type", "Invalid type parameter given"),
        ({"type_level": "3"}, "invalid_type_level", "Invalid type_level parameter given"),
        ({"type_level": True}, "invalid_type_level", "Invalid type_level parameter given"),
        ({"roi": "1 2 3"}, "invalid_roi", "Invalid roi parameter given"),
        ({"roi": "0 0 -5px 5px"}, "invalid_roi", "Invalid roi parameter given"),
        ({"roi": "0 0 100 100"}, "invalid_roi", "Invalid roi parameter given"),
        ({"crop": "perhaps"}, "invalid_crop", "Invalid crop parameter given"),
        ({"crop_margin": "1em"}, "invalid_crop_margin", "Invalid crop_margin parameter given"),
        ({"crop_margin": "10em 1"}, "invalid_crop_margin", "Invalid crop_margin parameter given"),
        ({"crop_margin": "1px 2px 3px"}, "invalid_crop_margin", "Invalid crop_margin parameter given"),
        ({"scale": "5%"}, "invalid_scale", "Invalid scale parameter given"),
        ({"scale": "101%"}, "invalid_scale", "Invalid scale parameter given"),
        ({"position": "left"}, "invalid_position", "Invalid position parameter given"),
        ({"position": "120%"}, "invalid_position", "Invalid position parameter given"),
        ({"bg_color": "blurple"}, "invalid_bg_color", "Invalid bg_color parameter given"),
        ({"bg_color": "12345"}, "invalid_bg_color", "Invalid bg_color parameter given"),
        ({"semitransparency": "x"}, "invalid_semitransparency", "Invalid semitransparency parameter given"),
        ({"add_shadow": "x"}, "invalid_add_shadow", "Invalid add_shadow parameter given"),
        ({"shadow_type": "long"}, "invalid_shadow_type", "Invalid shadow_type parameter given"),
        ({"shadow_type[dog]": "long"}, "invalid_shadow_type", "Invalid shadow_type parameter given"),
        ({"shadow_opacity": "101"}, "invalid_shadow_opacity", "Invalid shadow_opacity parameter given"),
        ({"shadow_opacity[car]": "dark"}, "invalid_shadow_opacity", "Invalid shadow_opacity parameter given"),
        ({"bg_color": "fff", "bg_image_file": object()}, "multiple_bg_sources", TWO_BACKGROUNDS),
    ],
)
def test_a_wrong_parameter_has_its_code_and_words(given: dict[str, object], code: str, title: str) -> None:
    with pytest.raises(RemoveBgError) as refused:
        parse_options(given, "preview")
    status, body = error_body(refused.value, 1)
    assert (status, body.errors[0].code, body.errors[0].title) == (400, code, title)
    assert body.errors[0].detail


def test_alternative_spellings_give_the_same_options() -> None:
    assert options(roi="0 0 100% 100%").roi is not None
    assert options(bg_color="#81d4fa77").background == options(bg_color="81d4fa77").background
    assert options(crop="True", crop_margin="10% 20px").crop is True
    assert options(crop=True).crop is True
    for odd in (True, False, "true", "False"):
        assert options(crop_margin=odd).crop_margin is None
    assert options(crop_margin="0").crop_margin is not None
    assert options(scale=80).scale == options(scale="80%").scale == 80
    assert options(channels="alpha").output is Output.MASK
    assert options(format="jpg").format is options(format="jpeg").format is Format.JPEG
    assert options(unknown="x", shadow_method="legacy") == options()


def test_booleans_may_be_1_and_0_as_php_sends_them() -> None:
    for name in ("add_shadow", "semitransparency", "crop"):
        for value in ("1", "0", 1, 0, "true", False):
            options(**{name: value})
    assert options(add_shadow="1", type="car").shadow is Shadow.CONTACT
    assert options(add_shadow="0", type="car").shadow is Shadow.NONE
    assert options(crop=1).crop is True


def test_lengths_without_a_unit_are_px_of_a_margin_and_percent_of_a_position() -> None:
    for value in ("10", 10):
        assert options(crop_margin=value).crop_margin == options(crop_margin="10px").crop_margin
    assert options(crop_margin="10 20% 0 5").crop_margin == options(crop_margin="10px 20% 0 5px").crop_margin
    assert options(crop_margin="1").crop_margin == options(crop_margin="1px").crop_margin
    for position in ("50", 50, "50 50"):
        assert options(position=position).position == (50.0, 50.0)


def test_class_graphics_is_written_as_that_api_writes_it() -> None:
    for name in ("graphic", "graphics"):
        assert classification(parse_options({"type": name, "type_level": "2"}, "preview"), "u2netp") == "graphics"


def test_service_chooses_the_format_unless_it_is_named_or_a_mask() -> None:
    assert parse_options({}, "preview").auto_format
    assert parse_options({"format": "auto"}, "preview").auto_format
    assert not parse_options({"format": "png"}, "preview").auto_format
    assert not parse_options({"channels": "alpha"}, "preview").auto_format


@pytest.mark.parametrize(
    ("given", "shadow", "opacity"),
    [
        ({}, Shadow.NONE, 50),
        ({"add_shadow": True}, Shadow.NONE, 50),
        ({"add_shadow": True, "type": "car"}, Shadow.CONTACT, 90),
        ({"add_shadow": True, "shadow_type": "none", "type": "car"}, Shadow.NONE, 90),
        ({"shadow_type": "drop"}, Shadow.DROP, 50),
        ({"shadow_type": "3D"}, Shadow.CONTACT, 50),
        ({"shadow_type": "car", "shadow_opacity": "30"}, Shadow.CONTACT, 30),
        ({"shadow_type": "auto"}, Shadow.DROP, 50),
        ({"shadow_type": "auto", "type": "person"}, Shadow.CONTACT, 50),
        ({"shadow_type": "auto", "type": "car", "shadow_opacity": "auto"}, Shadow.CONTACT, 90),
        ({"shadow_type[car]": "car"}, Shadow.NONE, 50),
        ({"shadow_type[car]": "car", "type": "person"}, Shadow.NONE, 50),
        ({"shadow_type[other]": "drop"}, Shadow.DROP, 50),
        ({"shadow_type": {"product": "auto"}, "type": "product", "shadow_opacity": {"product": 7}}, Shadow.DROP, 7),
    ],
)
def test_shadows_go_by_kind_and_class(given: dict[str, object], shadow: Shadow, opacity: int) -> None:
    found = options(**given)
    assert (found.shadow, found.shadow_opacity) == (shadow, opacity)


def test_class_comes_from_the_client_or_the_model() -> None:
    assert classification(parse_options({}, "preview"), "u2netp") == "other"
    assert classification(parse_options({}, "preview"), "u2net_human_seg") == "person"
    assert classification(parse_options({"type": "animal"}, "preview"), "u2net_human_seg") == "animal"
    assert classification(parse_options({"type": "car_interior"}, "preview"), "u2netp") == "car"
    assert (
        classification(parse_options({"type": "car_interior", "type_level": 2}, "preview"), "u2netp") == "car_interior"
    )


def test_exactly_one_source_is_needed() -> None:
    for name in ("image_file", "image_file_b64", "image_url", "image_base64"):
        assert check_sources(present({name: "x", "image": "", "image_url ": None})) == name
    for given, code in (({}, "missing_source"), ({"image_url": "a", "image_file_b64": "b"}, "multiple_sources")):
        with pytest.raises(RemoveBgError) as refused:
            check_sources(given)
        assert refused.value.removebg_code == code
    assert refused.value.title == TWO_IMAGES


def test_every_error_becomes_texts_that_clients_can_join() -> None:
    for error in all_errors():
        status, body = error_body(sample(error), 22 << 20)
        (only,) = body.errors
        assert " - ".join(only.model_dump().values())
        assert status not in (401, 413, 415, 422)


def test_failed_fetch_becomes_an_error_of_its_field() -> None:
    for error in (SourceFailed(status=404), SourceTimeout("10 s")):
        assert download_error(error, "image_url").removebg_code == "failed_image_download"  # type: ignore[attr-defined]
        assert download_error(error, "bg_image_url").removebg_code == "failed_bg_download"  # type: ignore[attr-defined]
    busy = Busy("full")
    assert download_error(busy, "image_url") is busy


def test_bug_becomes_a_500_in_the_apis_envelope_without_details() -> None:
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.extensions[EXTENSION] = SimpleNamespace(settings=SimpleNamespace(removebg_max_content_length=1))
    handle_errors(app)

    @app.before_request
    def begin() -> None:
        g.request_id = "x"

    @app.route("/v1.0/removebg")
    @app.route("/v1.0x")
    def bug() -> Any:
        raise RuntimeError("secret")

    answered = app.test_client().get("/v1.0/removebg")
    assert (answered.status_code, orjson.loads(answered.data)["errors"][0]["code"]) == (500, "internal_error")
    assert b"secret" not in answered.data
    assert orjson.loads(app.test_client().get("/v1.0x").data)["code"] == ServiceError.code
