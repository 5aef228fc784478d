"""The name under which a request calls this service, in its Host header, and which names are answered.

A page may give its own name the address of a server on loopback or in a private network (DNS rebinding), and would then
read the answers as its own. So only names that are this server's are answered.
"""

import socket
from functools import cache
from urllib.parse import urlsplit

from flask import Flask, request

from config import Settings
from services.errors import HostNotAllowed, shown
from services.net.addresses import parse_address, parse_host_address


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
