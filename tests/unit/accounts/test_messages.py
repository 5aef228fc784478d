"""The texts of mails: their links keep the token from servers."""

import pytest

from services.accounts.messages import confirm, known, reset


@pytest.mark.parametrize("make", [confirm, reset])
def test_link_has_its_token_behind_the_hash(make: type) -> None:
    message = make("https://cut.example", "T0KEN")
    assert f"https://cut.example/account#{make.__name__}=T0KEN" in message.text
    assert "T0KEN" not in message.subject


def test_known_address_gets_no_token() -> None:
    assert "https://cut.example/account\n" in known("https://cut.example").text
