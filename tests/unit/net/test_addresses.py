"""Which addresses are the public internet's: every special range, and every disguise of an IPv4 address."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.net.addresses import is_public
from tests.support.addresses import CLOSED, OPEN


@pytest.mark.parametrize("text", CLOSED)
def test_a_special_address_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_ipv4_address_wrapped_in_ipv6_is_not_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        number,  # compatible
        0xFFFF << 32 | number,  # mapped
        0xFFFF << 48 | number,  # translated
        0x64FF9B << 96 | number,  # NAT64
        0x64FF9B0001 << 80 | number,  # NAT64, local
        0x2002 << 112 | number << 80,  # 6to4
        0x20010000 << 96 | number ^ 0xFFFFFFFF,  # Teredo
        0x260647 << 104 | 0x5EFE << 32 | number,  # ISATAP
    ]
    assert not any(is_public(ipaddress.IPv6Address(value)) for value in wrapped)


@given(st.ip_addresses())
def test_address_that_python_calls_private_is_not_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    special = (address.is_private, address.is_loopback, address.is_link_local, address.is_multicast)
    assert not (is_public(address) and any((*special, address.is_reserved, address.is_unspecified)))
