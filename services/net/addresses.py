"""Decides which addresses may be connected to on a caller's behalf: those of the public internet only.

The ranges are IANA's special-purpose registries (RFC 6890), which Python's `ipaddress` knows only in part and
differently from version to version: `is_global` is asked as well, never alone.
"""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV4_CLOSED: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        # Carrier-grade NAT; clouds put their own services there.
        "100.64.0.0/10",
        "127.0.0.0/8",
        # Azure's own services, behind an address that looks public.
        "168.63.129.16/32",
        "169.254.0.0/16",  # link-local; the clouds' metadata
        "172.16.0.0/12",
        # Protocol assignments; ipaddress takes two of them for public.
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Of IPv6 only global unicast is open. That excludes wrapped IPv4 addresses (::/96, ::ffff:0:0/96,
# ::ffff:0:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48), fc00::/7, fe80::/10, fec0::/10 and ff00::/8. These parts are closed:
_IPV6_OPEN: Final = ipaddress.IPv6Network("2000::/3")
_IPV6_CLOSED: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        # Protocol assignments: Teredo, which wraps an IPv4 address, ORCHID and more.
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",  # 6to4, which wraps an IPv4 address
        "3fff::/20",
    )
)
# Before an IPv4 address in the interface's half (RFC 5214).
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def is_public(address: Address) -> bool:
    """Return whether the address is a host's on the public internet, and not another address in disguise."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _IPV4_CLOSED)
    if address.scope_id is not None or address not in _IPV6_OPEN:
        return False
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return False
    return not any(address in network for network in _IPV6_CLOSED)


def parse_address(text: str) -> Address | None:
    """Return the address that a text names, an IPv4 address that came over IPv6 as IPv4; None for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_host_address(text: str) -> Address | None:
    """Return the address of `1.2.3.4`, `1.2.3.4:567`, `::1` or `[::1]:567`; None for anything else, and for a zone."""
    if "%" in text:
        return None
    if text.startswith("[") and "]" in text:
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return parse_address(text)
