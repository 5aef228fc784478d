"""Which addresses are the public internet's: every special range, and every disguise of an IPv4 address."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.net.addresses import is_public

_CLOSED = (
    "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254 "
    "168.63.129.16 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9 192.0.0.10 192.0.0.192 192.0.2.1 "
    "192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 "
    "255.255.255.255 "
    ":: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 "
    "64:ff9b:1::a9fe:a9fe 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:20::1 2001:db8::1 "
    "2002:7f00:1:: 2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 "
    "ff0e::1 fe80::5efe:10.0.0.1 2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:10.0.0.1"
)
_OPEN = (
    "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 128.0.0.1 168.63.129.15 "
    "169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255 "
    "2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450::1 2003::1"
)
CLOSED, OPEN = _CLOSED.split(), _OPEN.split()


@pytest.mark.parametrize("text", CLOSED)
def test_a_special_address_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_public_in_disguise(address: ipaddress.IPv4Address) -> None:
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
def test_what_python_holds_for_private_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    special = (address.is_private, address.is_loopback, address.is_link_local, address.is_multicast)
    assert not (is_public(address) and any((*special, address.is_reserved, address.is_unspecified)))
