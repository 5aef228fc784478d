"""Signed tokens: whose they are, for what, and until when."""

import base64
import json

import pytest

from services.accounts.signed import MAX_CHARS, SignedTokens

NOW = 1_800_000_000.0


def signer(secret: str = "a secret of this test", now: float = NOW) -> SignedTokens:
    return SignedTokens(secret, lambda: now)


def test_claims_come_back_for_the_same_purpose_and_secret() -> None:
    token = signer().sign("session", {"sub": "u1", "epoch": 3}, 60)
    claims = signer().read("session", token)
    assert claims == {"sub": "u1", "epoch": 3, "iat": int(NOW), "exp": int(NOW) + 60}
    assert signer().read("access", token) is None
    assert signer("another secret").read("session", token) is None


def test_token_ends_with_its_time() -> None:
    token = signer().sign("access", {"sub": "u1"}, 60)
    assert signer(now=NOW + 59).read("access", token)
    assert signer(now=NOW + 61).read("access", token) is None
    assert signer(now=NOW + 61).read("access", token, expired=True)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        "é.é.é",
        f"{_part({'alg': 'none'})}.{_part({'sub': 'u1', 'exp': NOW + 60})}.",
        f"{_part({'alg': 'HS512'})}.{_part({'sub': 'u1', 'exp': NOW + 60})}.AAAA",
        f"{_part([])}.{_part([])}.AAAA",
        f"{_part({'alg': 'HS256', 'crit': 5})}.{_part({'sub': 'u1', 'exp': NOW + 60})}.AAAA",
        "x" * (MAX_CHARS + 1),
    ],
)
def test_other_texts_are_not_tokens(text: str) -> None:
    assert signer().read("session", text) is None


def test_changed_claims_are_noticed() -> None:
    head, _, signature = signer().sign("session", {"sub": "u1"}, 60).split(".")
    assert signer().read("session", f"{head}.{_part({'sub': 'u2', 'exp': NOW + 60})}.{signature}") is None
