"""Download links: only this server makes them, they name one object, and they expire."""

import base64

import pytest

from services.errors import Forbidden
from services.storage.errors import ResultExpired
from services.storage.links import ARCHIVES, DownloadLinks

KEY = "results/3f2a/1.png"


def test_a_token_returns_its_key_and_file_name() -> None:
    links = DownloadLinks("secret")
    assert links.read(links.token(KEY, 60, "ü ☃\n.png")) == (KEY, "ü ☃\n.png")
    assert links.token(KEY, 60, "x.png").replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_expired_token_is_refused(seconds: int) -> None:
    links = DownloadLinks("secret")
    with pytest.raises(ResultExpired):
        links.read(links.token(KEY, seconds, "x.png"))


def test_a_token_of_another_secret_or_purpose_is_refused() -> None:
    with pytest.raises(Forbidden):
        DownloadLinks("secret").read(DownloadLinks("secret", ARCHIVES).token(KEY, 60, "x.png"))
    with pytest.raises(Forbidden):
        DownloadLinks("secret").read(DownloadLinks("other").token(KEY, 60, "x.png"))


def test_a_changed_token_is_refused() -> None:
    links = DownloadLinks("secret")
    token = links.token(KEY, 60, "x.png")
    signed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for position in range(len(signed)):
        changed = bytearray(signed)
        changed[position] ^= 1
        with pytest.raises(Forbidden):
            links.read(base64.urlsafe_b64encode(bytes(changed)).decode())


@pytest.mark.parametrize("token", ["", "x", "é", "////", "A" * 43, "A" * 200, "a b"])
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(Forbidden):
        DownloadLinks("secret").read(token)
