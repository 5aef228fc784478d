"""The fields of a request besides its image: options, references to images, flags, and what `Accept` prefers."""

from types import SimpleNamespace

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from routes.http.context import EXTENSION
from routes.http.fields import (
    boolean,
    format_from_accept,
    image_reference,
    raw_options,
    read_options,
    result_key,
    wants_json,
)
from services.errors import BadOption, MultipleImages, UnknownOption
from services.imaging.formats import Format


@pytest.fixture
def app() -> Flask:
    """An application whose service has object storage."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(settings=SimpleNamespace(storage_given=True))
    return made


def test_option_given_in_query_and_form_is_refused(app: Flask) -> None:
    with app.test_request_context("/?quality=70", method="POST", data={"format": "webp", "model": ""}):
        assert read_options() == {"quality": "70", "format": "webp"}
    with app.test_request_context("/?quality=70", method="POST", data={"quality": "70"}):
        with pytest.raises(BadOption) as refused:
            read_options()
        assert (refused.value.option, refused.value.value) == ("quality", ["70", "70"])


@pytest.mark.parametrize(
    ("name", "field", "hint"),
    [
        ("file", "file", "'file' holds the image: it is a file of a form (curl -F file=@photo.jpg), not a text"),
        ("image", "file", "(curl -F image=@photo.jpg)"),
        ("image_file", "file", "did you mean 'file'?"),
        ("image_file", "files", "did you mean 'files'?"),
        ("file", "files", "did you mean 'files'?"),
        ("file", "image", "did you mean 'image'?"),
        ("imge_url", "file", "did you mean 'image_url'?"),
        ("qualty", "file", "did you mean 'quality'?"),
    ],
)
def test_hint_names_the_field_that_was_meant(name: str, field: str, hint: str) -> None:
    with pytest.raises(UnknownOption) as refused:
        raw_options(MultiDict({name: "x"}), file_field=field)
    assert hint in refused.value.details
    assert f"did you mean {name!r}" not in refused.value.details


def test_field_of_another_endpoint_is_unknown(app: Flask) -> None:
    for name in ("image_url", "background_image_url", "callback_url", "s3_key"):
        with app.test_request_context("/", query_string={name: "x"}), pytest.raises(UnknownOption, match=name):
            read_options()
    assert raw_options(MultiDict({"callback_url": "x"}), own=("callback_url",)) == {"callback_url": "x"}


def test_second_image_is_refused_without_quoting_its_url() -> None:
    twice = MultiDict([("image_url", "https://secret/1"), ("image_url", "https://secret/2")])
    with pytest.raises(MultipleImages) as refused:
        raw_options(twice)
    assert "secret" not in str(refused.value)
    assert image_reference({"image_url": "x", "quality": 1}) == "image_url"
    with pytest.raises(MultipleImages, match="both 'image_url' and 's3_key'"):
        image_reference({"image_url": "x", "s3_key": "y"})


def test_flag_is_false_when_empty_and_refused_when_no_boolean() -> None:
    assert [boolean("data_uri", value) for value in (None, "", "no", "YES", True)] == [False, False, False, True, True]
    with pytest.raises(BadOption, match="data_uri is 'maybe'; allowed: true, false"):
        boolean("data_uri", "maybe")


@pytest.mark.parametrize(
    ("accept", "json", "form"),
    [
        ("*/*", False, Format.PNG),
        ("application/json", True, Format.PNG),
        ("image/webp", False, Format.WEBP),
        ("image/jpeg;q=0.5, image/webp;q=0.9, */*;q=0.1", False, Format.WEBP),
        ("image/webp;q=0.4, application/json;q=0.5", True, Format.WEBP),
        ("image/webp;q=0", False, Format.PNG),
        ("application/json; charset=utf-8", True, Format.PNG),
        ("Application/JSON;charset=UTF-8", True, Format.PNG),
        ("image/webp; q=1; charset=utf-8", False, Format.WEBP),
        # axios, jQuery, HTTPie, a PHP client made by openapi-generator, and n8n
        ("application/json, text/plain, */*", False, Format.PNG),
        ("application/json, text/javascript, */*; q=0.01", True, Format.PNG),
        ("application/json, */*;q=0.5", True, Format.PNG),
        ("application/json,image/*;q=0.9,*/*;q=0.9", True, Format.PNG),
        (
            "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, image/*;q=0.8, */*;q=0.7",
            False,
            Format.PNG,
        ),
    ],
)
def test_accept_chooses_json_or_the_best_named_format(app: Flask, accept: str, json: bool, form: Format) -> None:
    with app.test_request_context("/", headers={"Accept": accept}):
        assert (wants_json(), format_from_accept()) == (json, form)


def test_result_key_lies_below_its_prefix_and_needs_storage(app: Flask) -> None:
    with app.app_context():
        assert (result_key(None), result_key("a/b.png")) == ("", "results/a/b.png")
        assert result_key(f"{'0a' * 16}/photo.png") == f"results/{'0a' * 16}/photo.png"
        for bad in ("../b.png", 7, "a" * 2000, f"{'0a' * 16}/1.png"):
            with pytest.raises(BadOption, match="output_key"):
                result_key(bad)
        app.extensions[EXTENSION].settings.storage_given = False
        with pytest.raises(BadOption, match="no object storage"):
            result_key("a/b.png")
