"""Signed URLs: nothing in them can be changed, they end, and keys rotate."""

import hmac
from base64 import urlsafe_b64encode
from urllib.parse import unquote

import pytest

from services.errors import BadOption
from services.net.errors import BadSignature, BadURL, LinkExpired
from services.net.signed_urls import SignedSource, SignedURLs

KEY = "a key of 16 characters or more"
NOW = 1_800_000_000
URLS = SignedURLs([KEY], lambda: NOW)
PHOTO = "https://shop.example/ü.jpg?a=1&b=2"


def parts(path: str) -> tuple[str, str, str]:
    """The parts of a path as the router gives them: decoded."""
    signature, options, name = unquote(path.removeprefix("/i/")).split("/")
    return signature, options, name


def signed(text: str) -> tuple[str, str, str]:
    """A signed path with any content."""
    signature = urlsafe_b64encode(hmac.digest(KEY.encode(), text.encode(), "sha256")).decode().rstrip("=")
    options, name = text.split("/")
    return signature, options, name


def test_path_gives_back_what_was_signed() -> None:
    options = {"crop_margin": "5% 10%", "background": "#ff8800", "scale": "80%"}
    path = URLS.path(PHOTO, options, "webp", NOW + 60)
    assert path.isascii()
    assert not set(path) & set(" #?&\"<>'")
    assert URLS.read(*parts(path)) == SignedSource(PHOTO, options, "webp", 60)


def test_path_without_options_and_end_is_valid_for_ever() -> None:
    path = URLS.path(PHOTO, {}, "png")
    assert "/-/" in path
    assert URLS.read(*parts(path)) == SignedSource(PHOTO, {}, "png", None)


def test_any_change_is_refused() -> None:
    good = "/".join(parts(URLS.path(PHOTO, {"crop": "yes"}, "png", NOW + 60)))
    for place, character in enumerate(good):
        if character != "/":
            changed = good[:place] + ("A" if character != "A" else "B") + good[place + 1 :]
            with pytest.raises(BadSignature):
                URLS.read(*changed.split("/"))
    for signature in ("", "ü", "\udcff", "="):
        with pytest.raises(BadSignature):
            URLS.read(signature, "-", "aa.png")


def test_end_is_exact() -> None:
    given = parts(URLS.path(PHOTO, {}, "png", NOW + 60))
    assert SignedURLs([KEY], lambda: NOW + 59.9).read(*given).seconds == 1
    with pytest.raises(LinkExpired):
        SignedURLs([KEY], lambda: NOW + 60).read(*given)


def test_signature_is_checked_before_the_end() -> None:
    _, options, name = parts(URLS.path(PHOTO, {}, "png", NOW - 60))
    with pytest.raises(BadSignature):
        URLS.read("guessed", options, name)


def test_previous_key_is_accepted_and_the_new_one_signs() -> None:
    old = parts(URLS.path(PHOTO, {}, "png"))
    both = SignedURLs(["the new key of the service", KEY])
    assert both.read(*old).url == PHOTO
    assert SignedURLs(["the new key of the service"]).read(*parts(both.path(PHOTO, {}, "png"))).url == PHOTO
    with pytest.raises(BadSignature):
        SignedURLs(["the new key of the service"]).read(*old)


def test_nothing_is_accepted_without_a_key() -> None:
    with pytest.raises(BadSignature):
        SignedURLs([]).read(*signed("-/aa.png"))


@pytest.mark.parametrize("value", ["a;crop=yes", "a/b", "a\nb"])
def test_value_that_would_be_read_otherwise_is_not_signed(value: str) -> None:
    with pytest.raises(BadOption, match="without ';' and '/'"):
        URLS.path(PHOTO, {"background": value}, "png")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("crop/aHR0cDovL2E.png", BadOption),
        ("crop=yes;crop=no/aHR0cDovL2E.png", BadOption),
        ("expires=soon/aHR0cDovL2E.png", BadOption),
        ("expires=9999999999999/aHR0cDovL2E.png", BadOption),
        ("-/a.png", BadURL),
        ("-/_w.png", BadURL),
    ],
)
def test_signed_mistake_is_named(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        URLS.read(*signed(text))
