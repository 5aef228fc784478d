"""Signs people in at a provider of OpenID Connect: the authorization code flow with PKCE, state and nonce.

Authlib makes the requests' parameters and checks the ID token's claims; joserfc its signature. The provider is the
operator's choice, so its URLs are trusted, and its answers are not: each is bounded in time and checked.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
import structlog
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.accounts.errors import ProviderRefused, ProviderUnavailable
from services.accounts.signed import SignedTokens

SCOPE: Final = "openid email profile"
TIMEOUT_SECONDS: Final = 10.0
# How long the discovery document and the keys are reused, and how soon an unknown key asks for them again.
KEPT_SECONDS: Final = 3600.0
AGAIN_SECONDS: Final = 30.0
STATE_SECONDS: Final = 600
LEEWAY_SECONDS: Final = 60
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
log = structlog.get_logger("accounts")


@dataclass(frozen=True)
class Person:
    """Whom the provider has identified; `email` is empty where the provider has not verified it."""

    issuer: str
    subject: str
    email: str
    name: str


class Provider:
    """A provider, as one process knows it. Asks for nothing before somebody signs in."""

    def __init__(
        self,
        issuer: str,
        client: tuple[str, str],
        redirect_uri: str,
        signed: SignedTokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`client` is our id and secret at the provider."""
        self._issuer, self._client, self._redirect_uri, self._signed = issuer, client, redirect_uri, signed
        self._clock, self._lock = clock, threading.Lock()
        self._document: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def begin(self, next_path: str) -> tuple[str, str]:
        """Return where the browser goes, and the value of the cookie that proves afterwards that it was this one.

        Raises `ProviderUnavailable`.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._endpoint("authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
            )
        # The verifier is worth nothing without the code, which only the provider and this browser see.
        facts = {"state": state, "nonce": nonce, "verifier": verifier, "next": next_path}
        return url, self._signed.sign("state", facts, STATE_SECONDS)

    def finish(self, query: Mapping[str, str], cookie: str) -> tuple[Person, str]:
        """Return the person whom the provider sends back with `query`, and the path to go on with.

        Raises `ProviderRefused`, `ProviderUnavailable`.
        """
        facts = self._signed.read("state", cookie)
        if facts is None or not hmac.compare_digest(query.get("state", "").encode(), str(facts["state"]).encode()):
            raise ProviderRefused("this browser did not start it, or started it too long ago")
        if query.get("error"):
            # RFC 6749, 4.1.2.1: such a text is the provider's, but anybody can write the URL.
            raise ProviderRefused("the provider refused it")
        # RFC 9207.
        if query.get("iss", self._issuer) != self._issuer:
            raise ProviderRefused("the answer is from another provider")
        claims = self._claims(self._id_token(query.get("code", ""), facts["verifier"]), facts["nonce"])
        verified = claims.get("email_verified") is True and isinstance(claims.get("email"), str)
        email, name = claims["email"] if verified else "", claims.get("name")
        person = Person(self._issuer, claims["sub"], email, name if isinstance(name, str) else "")
        return person, str(facts["next"])

    def _id_token(self, code: str, verifier: str) -> str:
        """Exchange the code for an ID token."""
        with self._session() as session:
            try:
                found = session.fetch_token(
                    self._endpoint("token_endpoint"), code=code, code_verifier=verifier, timeout=TIMEOUT_SECONDS
                )
            except OAuthError as exc:
                raise _refused(str(exc.error)) from exc
            except (requests.RequestException, ValueError) as exc:
                raise _lost(exc) from exc
        token = found.get("id_token")
        if not isinstance(token, str):
            raise _refused("no ID token")
        return token

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token that is signed by the provider, for us, now, and for this sign-in."""
        options = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client[0]},
            "nonce": {"essential": True, "value": nonce},
            "sub": {"essential": True},
        }
        try:
            token = self._decoded(id_token)
            claims = CodeIDToken(token.claims, token.header, options, {"nonce": nonce, "client_id": self._client[0]})
            claims.validate(leeway=LEEWAY_SECONDS)
        # KeyError, TypeError: claims of other types than the standard's.
        except (JoseError, OAuthError, ValueError, KeyError, TypeError) as exc:
            raise _refused(f"ID token: {type(exc).__name__}") from exc
        subject = claims["sub"]
        if not (isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isprintable()):
            raise _refused("ID token: sub")
        return dict(claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._key_set(KEPT_SECONDS), algorithms=list(ALGORITHMS))
        # The provider may have new keys.
        except (JoseError, ValueError):
            return jwt.decode(id_token, self._key_set(AGAIN_SECONDS), algorithms=list(ALGORITHMS))

    def _endpoint(self, name: str) -> str:
        found = self._discovered().get(name)
        if not isinstance(found, str) or not found.startswith(("https://", "http://")):
            raise _lost(ValueError(name))
        return found

    def _discovered(self) -> dict[str, Any]:
        with self._lock:
            if self._document and self._clock() - self._document[0] < KEPT_SECONDS:
                return self._document[1]
            document = _json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            # OpenID Connect Discovery, 4.3.
            if document.get("issuer") != self._issuer:
                raise _lost(ValueError("issuer"))
            self._document = self._clock(), document
            return document

    def _key_set(self, kept_seconds: float) -> KeySet:
        url = self._endpoint("jwks_uri")
        with self._lock:
            if self._keys and self._clock() - self._keys[0] < kept_seconds:
                return self._keys[1]
            try:
                # Symmetric keys have no place here.
                keys = [key for key in _json(url)["keys"] if key.get("kty") != "oct"]
                found = KeySet.import_key_set({"keys": keys})
            except (JoseError, KeyError, TypeError, ValueError, AttributeError) as exc:
                raise _lost(exc) from exc
            self._keys = self._clock(), found
            return found

    def _session(self) -> OAuth2Session:
        client_id, secret = self._client
        return OAuth2Session(
            client_id, secret, scope=SCOPE, redirect_uri=self._redirect_uri, code_challenge_method="S256"
        )


def safe_path(text: str) -> str:
    """Return a path of this server to go on with; the account's page for anything else."""
    plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    return text if plain and text.startswith("/") and not text.startswith("//") and len(text) < 500 else "/account"


def _json(url: str) -> dict[str, Any]:
    """Return the JSON object at the URL. Raises `ProviderUnavailable`."""
    try:
        answer = requests.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as exc:
        raise _lost(exc) from exc
    if not isinstance(found, dict):
        raise _lost(TypeError("not an object"))
    return found


def _refused(why: str) -> ProviderRefused:
    log.warning("sign-in at the provider failed", reason=why[:100])
    return ProviderRefused("its answer does not hold what was agreed")


def _lost(exc: Exception) -> ProviderUnavailable:
    log.warning("provider not usable", kind=type(exc).__name__)
    return ProviderUnavailable()
