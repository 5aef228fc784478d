"""The texts of emails: in each language, with links that keep the token from servers."""

import string
import tomllib
from collections.abc import Callable

import pytest

from services.accounts.messages import LANGUAGES, TEXTS, Language, Message, confirm, invite, known, reset

BASE = "https://cut.example"
Make = Callable[[Language, str, str], Message]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("make", "name"), [(confirm, "confirm"), (reset, "reset"), (invite, "invite")])
def test_link_has_its_token_behind_the_hash(make: Make, name: str, language: Language) -> None:
    message = make(language, BASE, "T0KEN")
    assert message.link == f"{BASE}/account#{name}=T0KEN"
    assert f"{message.link}\n" in message.text
    assert "T0KEN" not in message.subject
    assert message.language == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_mail_without_a_token_leads_to_the_page(language: Language) -> None:
    for message in (known(language, BASE), invite(language, BASE, "T0KEN", at_provider=True)):
        assert f"{BASE}/account\n" in message.text
        assert "T0KEN" not in message.text


def test_languages_have_the_same_texts_and_each_its_own_words() -> None:
    found = tomllib.loads(TEXTS.read_text())
    assert set(found) == set(LANGUAGES)
    english = found["en"]
    for language in set(LANGUAGES) - {"en"}:
        assert set(found[language]) == set(english)
        for name, mail in found[language].items():
            assert mail["subject"] != english[name]["subject"]
            assert mail["text"] != english[name]["text"]
            assert fields(mail["text"]) == fields(english[name]["text"]) == {"base", "link"}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
