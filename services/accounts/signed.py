"""Signs and reads the tokens of sessions: JSON Web Tokens with HS256, each purpose with its own key."""

import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

# A session's cookie, the tokens of a program, and the state of a sign-in at a provider.
Purpose = Literal["session", "access", "refresh", "state"]
ALGORITHM: Final = "HS256"
MAX_CHARS: Final = 4096


class SignedTokens:
    """Signs with keys that are derived from the service's secret."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._clock = secret.encode(), clock

    def sign(self, purpose: Purpose, claims: Mapping[str, Any], seconds: int) -> str:
        """Return a token with these claims, valid for `seconds`."""
        now = int(self._clock())
        return jwt.encode({"alg": ALGORITHM}, {**claims, "iat": now, "exp": now + seconds}, self._key(purpose))

    def read(self, purpose: Purpose, text: str, *, expired: bool = False) -> dict[str, Any] | None:
        """Return the claims of a token that we have signed for this purpose, and that has not expired.

        `expired`: also of one that has.
        """
        if len(text) > MAX_CHARS:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(text, self._key(purpose), algorithms=[ALGORITHM]).claims
            times = jwt.JWTClaimsRegistry(now=lambda: int(self._clock()), leeway=0, exp={"essential": True})
            if not expired:
                times.validate(claims)
        # ValueError: not base64, not JSON, not UTF-8. TypeError: a header of another type than the standard's.
        except (JoseError, ValueError, TypeError):
            return None
        return claims

    def _key(self, purpose: Purpose) -> OctKey:
        return OctKey.import_key(hmac.digest(self._secret, f"accounts: {purpose}".encode(), "sha256"))
