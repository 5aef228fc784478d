"""Signs and reads download links, of a local folder's objects and of archives."""

import base64
import hashlib
import hmac
import time
from typing import Final

from services.errors import Forbidden
from services.storage.errors import ResultExpired

# What links are for: a link for one purpose is not valid for another.
LOCAL_FILES: Final = b"download links of local storage"
ARCHIVES: Final = b"download links of archives"
DIGEST_BYTES: Final = hashlib.sha256().digest_size


class DownloadLinks:
    """Signed tokens. Each allows the download of one object under a file name, until a time."""

    def __init__(self, secret: str, purpose: bytes = LOCAL_FILES) -> None:
        self._key = hmac.digest(secret.encode(), purpose, "sha256")

    def token(self, key: str, seconds: int, filename: str) -> str:
        """Return a URL-safe token that is valid for `seconds`."""
        text = "\n".join([str(int(time.time()) + seconds), key, filename]).encode()
        return base64.urlsafe_b64encode(self._signature(text) + text).decode().rstrip("=")

    def read(self, token: str) -> tuple[str, str]:
        """Return the key and the file name of a token. Raises `Forbidden`, `ResultExpired`."""
        try:
            signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError as exc:
            raise Forbidden("this link was not made by this server", "Request a new link") from exc
        signature, text = signed[:DIGEST_BYTES], signed[DIGEST_BYTES:]
        if not hmac.compare_digest(signature, self._signature(text)):
            raise Forbidden("this link was not made by this server", "Request a new link")
        end, key, filename = text.decode().split("\n", 2)
        if time.time() >= int(end):
            raise ResultExpired("this link has expired", "Request a new link")
        return key, filename

    def _signature(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")
