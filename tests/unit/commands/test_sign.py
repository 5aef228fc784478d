"""`sign` prints URLs that the service accepts."""

from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner, Result

from commands.sign import sign
from services.net.signed_urls import SignedURLs

KEY = "a key of 16 characters or more"
PHOTO = "https://shop.example/7.jpg"


def run(*words: str, **settings: str) -> Result:
    return CliRunner(env={"URL_SIGNING_KEY": KEY, **settings}).invoke(sign, words)


def test_printed_url_has_options_format_and_end() -> None:
    done = run(
        *(PHOTO, "-O", "format=jpeg", "-O", "crop_margin=5% 10%", "--expires-in", "3600"),
        PUBLIC_URL="https://cut.example/",
    )
    assert done.exit_code == 0, done.output
    url = urlsplit(done.stdout.strip())
    assert (url.scheme, url.netloc) == ("https", "cut.example")
    found = SignedURLs([KEY]).read(*unquote(url.path).removeprefix("/i/").split("/"))
    assert (found.url, found.options, found.ending) == (PHOTO, {"crop_margin": "5% 10%"}, "jpg")
    assert found.seconds is not None
    assert 3590 <= found.seconds <= 3600


def test_format_of_a_preset_becomes_the_ending() -> None:
    assert run(PHOTO, "-O", "preset=amazon").stdout.strip().endswith(".jpg")


@pytest.mark.parametrize(
    ("words", "settings", "text"),
    [
        ((PHOTO,), {"URL_SIGNING_KEY": ""}, "there is no URL_SIGNING_KEY"),
        (("ftp://shop.example/a",), {}, "not a URL that can be fetched"),
        ((PHOTO, "-O", "colour=red"), {}, "no such option"),
        ((PHOTO, "-O", "quality=5"), {}, "quality is '5'"),
        ((PHOTO, "-O", "format=zip"), {}, "neither background_image nor format=zip"),
        ((PHOTO, "-O", "animated=true"), {}, "add -O format=webp, png or gif"),
    ],
)
def test_mistake_is_named(words: tuple[str, ...], settings: dict[str, str], text: str) -> None:
    done = run(*words, **settings)
    assert done.exit_code == 2
    assert text in done.output
