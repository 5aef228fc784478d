"""Parses a caller's URL once and strictly, to one scheme, one host, one port and one path.

Parsers of URLs disagree about odd ones (user names, backslashes, tabs, `127.1`): these are refused, not repaired.
Nothing is parsed twice: the host that is checked is the host that is asked.
"""

import ipaddress
import re
import string
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import idna

from services.net.errors import BadURL

MAX_URL_CHARS: Final = 4096
MAX_NAME_CHARS: Final = 253
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_AUTHORITY: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[^\[\]:@%]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]|\s")
_ASCII: Final = string.ascii_letters + string.digits + string.punctuation


@dataclass(frozen=True)
class Target:
    """The target of a request. `host` is a lower-case ASCII name or a canonical IP address; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return host and port, as in a `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL without its fragment. It may contain a secret (a signature): never log it."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str) -> Target:
    """Return the target of a URL. Raises `BadURL`, whose details never repeat the URL: signed ones are secrets."""
    if len(text) > MAX_URL_CHARS:
        raise BadURL(f"it has {len(text)} characters; allowed: {MAX_URL_CHARS}")
    if _UNPRINTABLE.search(text):
        raise BadURL("it holds a space, a control character or a backslash")
    try:
        parts = urlsplit(text)
        path = quote(parts.path or "/", safe=_ASCII) + (f"?{quote(parts.query, safe=_ASCII)}" if parts.query else "")
    except ValueError as exc:
        raise BadURL("it is not a URL") from exc
    if parts.scheme not in DEFAULT_PORTS:
        raise BadURL("it does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise BadURL("it holds a user name or password")
    host, port = parse_authority(parts.netloc)
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path)


def join_url(base: Target, location: str) -> Target:
    """Return the target of a redirect from `base`. Raises `BadURL`."""
    if _UNPRINTABLE.search(location):
        raise BadURL("it holds a space, a control character or a backslash")
    try:
        joined = urljoin(base.url, location)
    except ValueError as exc:
        raise BadURL("it is not a URL") from exc
    return parse_url(joined)


def parse_authority(text: str) -> tuple[str, int | None]:
    """Return host (a lower-case ASCII name or a canonical IP address) and port of `host`, `host:port` or `[v6]:port`.

    Raises `BadURL`.
    """
    found = _AUTHORITY.fullmatch(text)
    if not found:
        raise BadURL("its host or port is missing or malformed")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise BadURL("its port is not one of 1 to 65535")
    return _address(found["v6"]) if found["v6"] else _name(found["name"]), port


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as exc:
        raise BadURL("its host is not an IPv6 address") from exc


def _name(text: str) -> str:
    """Return the host as it is looked up. IDNA (UTS 46) also turns `①②⑦。0` into digits and dots, so it comes first."""
    name = text.lower()
    if len(name) > MAX_NAME_CHARS + 1:
        raise BadURL("its host is not a valid name")
    try:
        if not name.isascii() or "xn--" in name:
            name = idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as exc:
        raise BadURL("its host is not a valid international name") from exc
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_NAME_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadURL("its host is not a valid name")
    # Such a name is read as an IPv4 address (WHATWG), `2130706433` and `0x7f.1` too.
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError as exc:
            raise BadURL("its host is a number but no IPv4 address of four decimal parts") from exc
    return name
