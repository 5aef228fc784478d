"""Signs webhooks as Standard Webhooks (https://www.standardwebhooks.com) describes.

The signature is a base64 HMAC-SHA256 over `id.timestamp.body`. A receiver compares it in constant time and refuses old
timestamps: nothing can be replayed.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Final

PREFIX: Final = "whsec_"
MIN_KEY_BYTES: Final = 24
MAX_KEY_BYTES: Final = 64
MIN_PLAIN_CHARS: Final = 16
OLD_SIGNATURE: Final = "X-Webhook-Signature"
OLD_ID: Final = "X-Webhook-Id"


def signing_key(secret: str) -> bytes:
    """Return the key of a secret: `whsec_` and 24 to 64 bytes in base64, or plain text of at least 16 characters.

    Raises `ValueError`, whose text never repeats the secret.
    """
    if not secret.startswith(PREFIX):
        if len(secret) < MIN_PLAIN_CHARS:
            raise ValueError(f"Input should be whsec_… or have at least {MIN_PLAIN_CHARS} characters")
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as exc:
        raise ValueError("Input should be base64 after whsec_") from exc
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"Input should hold {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in base64 after whsec_")
    return key


class Signer:
    """Signs with each of its secrets, so that receivers can change from one to the next: the newest first."""

    def __init__(self, secrets: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        """`clock` returns Unix seconds."""
        self._secrets, self._clock = tuple(secrets), clock
        self._keys = [signing_key(secret) for secret in self._secrets]

    def headers(self, message_id: str, body: bytes) -> list[tuple[str, str]]:
        """Return the headers of a message sent now."""
        seconds = int(self._clock())
        signed = b"%s.%d.%s" % (message_id.encode(), seconds, body)
        signatures = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in self._keys]
        return [
            ("webhook-id", message_id),
            ("webhook-timestamp", str(seconds)),
            ("webhook-signature", " ".join(f"v1,{signature}" for signature in signatures)),
            (OLD_SIGNATURE, self._old_signature(seconds, body)),
        ]

    def _old_signature(self, seconds: int, body: bytes) -> str:
        """Sign as version 0.1 did. Its receivers have the oldest secret, as text."""
        key = self._secrets[-1].encode()
        return f"t={seconds},v1={hmac.new(key, b'%d.%s' % (seconds, body), 'sha256').hexdigest()}"
