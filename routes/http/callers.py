"""Where a request comes from (address, proxies, the site whose page sent it), and which host name it uses.

A page may give its own name the address of a server on loopback or in a private network (DNS rebinding), and would then
read the answers as its own. So only names that are this server's are answered.
"""

import socket
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, request

from config import Settings
from routes.http.context import service
from services.errors import HostNotAllowed, shown
from services.net.addresses import parse_address, parse_host_address

# A proxy adds at least one of these, unless it hides that it is there.
FORWARDING: Final = (
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "Via",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
)


def client_address() -> str:
    """Return the caller's IP address, through exactly `TRUSTED_PROXIES` hops of `X-Forwarded-For`.

    Each trusted proxy appends the address that it saw, so the caller's is that many entries from the right; entries
    further left are the caller's own claim. Where that entry is missing or not an address, the peer's counts.
    """
    return _forwarded_address() or request.remote_addr or "0.0.0.0"


def proven_address() -> str | None:
    """Return the caller's address as `client_address`, but None where a proxy passed the request on without saying it.

    A request without forwarding headers is the peer's own, also behind trusted proxies: Prometheus does not use them.
    """
    if service().settings.trusted_proxies and "X-Forwarded-For" in request.headers:
        return _forwarded_address()
    return None if is_forwarded() else request.remote_addr


def _forwarded_address() -> str | None:
    hops = service().settings.trusted_proxies
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    if not 0 < hops <= len(chain):
        return None
    address = parse_host_address(chain[-hops])
    return str(address) if address else None


def is_forwarded() -> bool:
    """Return whether a proxy says that it passed this request on."""
    return any(name in request.headers for name in FORWARDING)


def is_encrypted() -> bool:
    """Return whether the browser's connection is encrypted, as the first trusted proxy saw it."""
    settings = service().settings
    public = urlsplit(settings.public_url)
    # A proxy between the one that ends TLS and this server says http.
    if public.scheme == "https" and request.headers.get("Host", "").strip().lower() == public.netloc.lower():
        return True
    hops = settings.trusted_proxies
    if not hops:
        return request.is_secure
    chain = [part.strip().lower() for part in request.headers.get("X-Forwarded-Proto", "").split(",")]
    # Most proxies replace the header; some add to it. Entries further left are the caller's own claim.
    return chain[-min(hops, len(chain))] == "https"


def is_cross_site() -> bool:
    """Return whether a page of another site sent this request: the browser says so in `Sec-Fetch-Site` or `Origin`."""
    if request.headers.get("Sec-Fetch-Site", "").strip().lower() == "cross-site":
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin.strip()).hostname != host_name()
    # Not a URL, such as `http://[`.
    except ValueError:
        return True


def is_from_this_machine() -> bool:
    """Return whether the owner of this machine sent the request.

    It came over loopback, under a name of this machine, through no proxy, and no page of another site sent it. The name
    excludes pages whose own name leads to loopback (DNS rebinding).
    """
    peer = parse_address(request.remote_addr or "")
    if peer is None or not peer.is_loopback or is_forwarded() or is_cross_site():
        return False
    name = host_name()
    return not name or is_own_name(name)


def host_name() -> str:
    """Return the Host header's name or address, in lower case and without port; empty where there is none."""
    sent = request.headers.get("Host", "").strip().lower()
    if sent.startswith("["):
        return sent[1:].partition("]")[0]
    return sent.partition(":")[0].removesuffix(".")


@cache
def own_names() -> frozenset[str]:
    """Return the names of this machine: `localhost`, its host name, the first part of it, and that with `.local`."""
    full = socket.gethostname().lower()
    short = full.partition(".")[0]
    return frozenset({"localhost", full, short, f"{short}.local"})


def is_address(name: str) -> bool:
    """Return whether the name is an IPv4 or IPv6 address."""
    return parse_host_address(name) is not None


def is_own_name(name: str) -> bool:
    """Return whether only this machine is called so: its names, `*.localhost`, and loopback addresses."""
    address = parse_address(name)
    if address is not None:
        return address.is_loopback
    return name in own_names() or name.endswith(".localhost")


def check_host(app: Flask, settings: Settings) -> None:
    """Refuse requests to `app` whose host is none of this server's, with `HostNotAllowed`."""
    if "*" in settings.allowed_hosts:
        return
    named = {settings.host.lower(), urlsplit(settings.public_url).hostname or "", *settings.allowed_hosts}

    @app.before_request
    def refuse_other_hosts() -> None:
        name = host_name()
        # HTTP/1.0 has no Host; browsers always send one.
        if not name or name in named or is_address(name) or is_own_name(name):
            return
        raise HostNotAllowed(
            f"the Host header is {shown(name)}; allowed: addresses, localhost, this machine's own name, and the hosts "
            "in PUBLIC_URL and ALLOWED_HOSTS"
        )
