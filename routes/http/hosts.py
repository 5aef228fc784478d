"""The name under which a request calls this service: its Host header."""

import socket
from functools import cache

from flask import request

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
