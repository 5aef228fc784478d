"""Signs and reads URLs that a web page uses as `<img src>`: the options, the source and the end are inside the path.

A path is `/i/<signature>/<options>/<source>.<ending>`. The signature is the HMAC-SHA256 of the rest
(`<options>/<source>.<ending>`), before percent-encoding, in URL-safe base64 without padding. The options are
`name=value` joined by `;`, or `-` for none; `expires` among them is the end in Unix seconds. The source is a URL in
URL-safe base64 without padding.
"""

import base64
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from services.errors import BadOption
from services.net.errors import BadSignature, BadURL, LinkExpired

FOLDER: Final = "/i"
EXPIRES: Final = "expires"
NONE: Final = "-"
# These keep their meaning in a path (RFC 3986).
PLAIN: Final = ";=:,@"
MAX_DIGITS: Final = 12


@dataclass(frozen=True)
class SignedSource:
    """What a signed path asks for: the source's URL, options as texts, the result's ending, the seconds left.

    `seconds` is None for a path without an end.
    """

    url: str
    options: Mapping[str, str]
    ending: str
    seconds: int | None


class SignedURLs:
    """Signs with the first of its keys, and accepts the signatures of all. Without a key nothing is accepted."""

    def __init__(self, keys: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        """`clock` returns Unix seconds."""
        self._keys = [key.encode() for key in keys]
        self._clock = clock

    def path(self, url: str, options: Mapping[str, str], ending: str, expires: int | None = None) -> str:
        """Return the signed path, percent-encoded. Raises `BadOption` for a value that a path can't hold."""
        asked = {**options, **({EXPIRES: str(expires)} if expires is not None else {})}
        for name, value in asked.items():
            if set(value) & {";", "/"} or not value.isprintable():
                raise BadOption(name, value, "a value without ';' and '/' in a signed URL")
        chosen = ";".join(f"{name}={value}" for name, value in asked.items()) or NONE
        source = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
        signature = _signature(self._keys[0], f"{chosen}/{source}.{ending}")
        return f"{FOLDER}/{signature}/{quote(chosen, safe=PLAIN)}/{source}.{ending}"

    def read(self, signature: str, options: str, name: str) -> SignedSource:
        """Return what the parts of a path ask for.

        Raises `BadSignature`, `LinkExpired`, and for a signed mistake `BadOption` or `BadURL`.
        """
        given = signature.encode(errors="replace")
        right = [hmac.compare_digest(given, _signature(key, f"{options}/{name}").encode()) for key in self._keys]
        if not any(right):
            raise BadSignature("it does not belong to the rest of the path")
        asked = _options(options)
        end = asked.pop(EXPIRES, None)
        seconds = None if end is None else self._seconds(end)
        source, _, ending = name.partition(".")
        return SignedSource(_url(source), asked, ending, seconds)

    def _seconds(self, end: str) -> int:
        if not (end.isascii() and end.isdigit() and len(end) <= MAX_DIGITS):
            raise BadOption(EXPIRES, end, "Unix seconds")
        left = int(end) - int(self._clock())
        if left <= 0:
            raise LinkExpired()
        return left


def _signature(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode(errors="replace"), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in text.split(";") if text != NONE else ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadOption(name, None, "name=value, joined by ';'")
        if name in found:
            raise BadOption(name, [found[name], value], "one value")
        found[name] = value
    return found


def _url(source: str) -> str:
    try:
        return base64.b64decode(source + "=" * (-len(source) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as exc:
        raise BadURL("the source is not URL-safe base64 of a URL") from exc
