"""Signing in at a real provider on loopback: what it must hold, and what is refused."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.accounts.errors import ProviderRefused, ProviderUnavailable
from services.accounts.oidc import AGAIN_SECONDS, STATE_SECONDS, Person, Provider, safe_path
from services.accounts.signed import SignedTokens
from tests.support.servers.oidc import CLIENT_ID, CLIENT_SECRET, STRANGERS_KEY, OidcProvider
from tests.support.waiting import free_port

BACK = "https://cut.example/api/v1/auth/oidc/callback"


@pytest.fixture
def there() -> Iterator[OidcProvider]:
    with OidcProvider() as provider:
        yield provider


def here(issuer: str, *, secret: str = CLIENT_SECRET, clock: Any = lambda: 1000.0) -> Provider:
    return Provider(issuer, (CLIENT_ID, secret), BACK, SignedTokens("a secret of this test"), clock)


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def signed_in(there: OidcProvider, provider: Provider, **person: Any) -> tuple[Person, str]:
    url, cookie = provider.begin("/#/library")
    back = there.sign_in(url, **person)
    assert back.startswith(BACK)
    return provider.finish(query_of(back), cookie)


def test_person_comes_back_with_the_path(there: OidcProvider) -> None:
    person, path = signed_in(there, here(there.issuer))
    assert person == Person(there.issuer, "7", "ann@example.com", "Ann")
    assert path == "/#/library"


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_address_counts_only_where_the_provider_has_verified_it(there: OidcProvider, verified: object) -> None:
    person, _ = signed_in(there, here(there.issuer), email_verified=verified)
    assert person.email == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"iss": "https://another.example"},
        {"exp": 1_600_000_000},
        {"iat": 4_000_000_000},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\0b"},
        {"exp": "soon"},
    ],
    ids=str,
)
def test_id_token_that_is_not_for_this_sign_in_is_refused(there: OidcProvider, wrong: dict[str, object]) -> None:
    there.change = lambda claims: claims.update(wrong)
    with pytest.raises(ProviderRefused):
        signed_in(there, here(there.issuer))


@pytest.mark.parametrize("missing", ["nonce", "aud", "iss", "exp", "sub"])
def test_id_token_without_a_claim_is_refused(there: OidcProvider, missing: str) -> None:
    there.change = lambda claims: claims.pop(missing)
    with pytest.raises(ProviderRefused):
        signed_in(there, here(there.issuer))


def test_id_token_of_another_key_is_refused(there: OidcProvider) -> None:
    there.signing = STRANGERS_KEY
    with pytest.raises(ProviderRefused):
        signed_in(there, here(there.issuer))


def test_new_keys_are_asked_for(there: OidcProvider) -> None:
    now = [1000.0]
    provider = here(there.issuer, clock=lambda: now[0])
    signed_in(there, provider)
    signed_in(there, provider)
    assert there.key_requests == 1
    there.signing = there.published = STRANGERS_KEY
    now[0] += AGAIN_SECONDS
    assert signed_in(there, provider)
    assert there.key_requests == 2


def test_state_belongs_to_this_browser_and_this_sign_in(there: OidcProvider) -> None:
    provider = here(there.issuer)
    url, cookie = provider.begin("/")
    query = query_of(there.sign_in(url))
    _, others = provider.begin("/")
    for sent, kept in (
        (query, ""),
        (query, others),
        ({**query, "state": "x"}, cookie),
        ({**query, "state": ""}, cookie),
    ):
        with pytest.raises(ProviderRefused, match="did not start it"):
            provider.finish(sent, kept)
    late = SignedTokens("a secret of this test", lambda: 0.0).sign("state", {"state": query["state"]}, STATE_SECONDS)
    with pytest.raises(ProviderRefused, match="too long ago"):
        provider.finish(query, late)
    provider.finish(query, cookie)
    # The provider has given the code's token already.
    with pytest.raises(ProviderRefused):
        provider.finish(query, cookie)


def test_answer_from_another_provider_and_a_refusal_fail(there: OidcProvider) -> None:
    provider = here(there.issuer)
    url, cookie = provider.begin("/")
    query = query_of(there.sign_in(url))
    with pytest.raises(ProviderRefused, match="another provider"):
        provider.finish({**query, "iss": "https://another.example"}, cookie)
    with pytest.raises(ProviderRefused, match="the provider refused it"):
        provider.finish({"state": query["state"], "error": "access_denied"}, cookie)


def test_code_of_another_sign_in_is_refused(there: OidcProvider) -> None:
    """A stolen code is worth nothing without the verifier (PKCE)."""
    provider = here(there.issuer)
    stolen = query_of(there.sign_in(provider.begin("/")[0]))["code"]
    url, cookie = provider.begin("/")
    with pytest.raises(ProviderRefused):
        provider.finish({**query_of(there.sign_in(url)), "code": stolen}, cookie)


def test_wrong_secret_is_refused_and_another_issuer_is_not_used(there: OidcProvider) -> None:
    with pytest.raises(ProviderRefused):
        signed_in(there, here(there.issuer, secret="wrong"))
    there.issuer = "https://another.example"
    with pytest.raises(ProviderUnavailable):
        here(there.url).begin("/")


def test_lost_provider_is_unavailable() -> None:
    with pytest.raises(ProviderUnavailable):
        here(f"http://127.0.0.1:{free_port()}").begin("/")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/#/library?x=1", "/#/library?x=1"),
        ("", "/account"),
        ("//evil.example", "/account"),
        ("/\\evil.example", "/account"),
        ("https://evil.example", "/account"),
        ("javascript:alert(1)", "/account"),
        ("/\t/evil.example", "/account"),
        ("/\r\nSet-Cookie: a=b", "/account"),
        ("/ä", "/account"),
        (f"/{'x' * 500}", "/account"),
    ],
)
def test_only_a_path_of_this_server_is_gone_on_with(text: str, path: str) -> None:
    assert safe_path(text) == path
