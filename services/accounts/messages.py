"""Makes account emails, in the reader's language; their texts are in `mails.toml`.

Links have their token behind `#`: browsers keep that from servers, logs and other sites.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

Language = Literal["en", "de"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
TEXTS: Final = Path(__file__).with_name("mails.toml")


class Message(NamedTuple):
    """The content of one email."""

    subject: str
    text: str
    language: Language = "en"
    link: str = ""


def confirm(language: Language, base: str, token: str) -> Message:
    """Ask a new user to confirm the address."""
    return _message(language, "confirm", base, f"#confirm={token}")


def known(language: Language, base: str) -> Message:
    """Answer a registration with an address that has an account."""
    return _message(language, "known", base)


def reset(language: Language, base: str, token: str) -> Message:
    """Send a link to choose a new password."""
    return _message(language, "reset", base, f"#reset={token}")


def invite(language: Language, base: str, token: str, *, at_provider: bool = False) -> Message:
    """Invite somebody to choose a password, or to sign in at the provider, who proves the address without a token."""
    if at_provider:
        return _message(language, "invite_to_provider", base)
    return _message(language, "invite", base, f"#invite={token}")


def _message(language: Language, name: str, base: str, fragment: str = "") -> Message:
    found = _texts()[language][name]
    link = f"{base}/account{fragment}"
    return Message(found["subject"], found["text"].format(base=base, link=link), language, link)


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(TEXTS.read_text(encoding="utf-8"))
