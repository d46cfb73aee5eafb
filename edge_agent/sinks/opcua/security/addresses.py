"""This computer's names and addresses, as clients may write them in an endpoint's URL."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

_MOST_ADDRESSES = 16
_SIOCGIFADDR = 0x8915
_NAME_BYTES = 15
_IPV6 = Path("/proc/net/if_inet6")
_LOOPBACK = ipaddress.ip_address("127.0.0.1")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def names(hostname: str) -> list[x509.GeneralName]:
    """What a certificate says of where its owner is: names first, then the addresses of all interfaces now."""
    own = socket.gethostname()
    hosts: list[str] = []
    addresses: list[Address] = []
    for host in (hostname, own, f"{own.partition('.')[0]}.local", "localhost"):
        try:
            addresses.append(ipaddress.ip_address(host))
        except ValueError:
            if host.isascii():
                hosts.append(host)
    found = dict.fromkeys((*addresses, *_of_interfaces()))
    return [
        *(x509.DNSName(host) for host in dict.fromkeys(hosts)),
        *(x509.IPAddress(address) for address in list(dict.fromkeys((*list(found)[:_MOST_ADDRESSES], _LOOPBACK)))),
    ]


def _of_interfaces() -> Iterator[Address]:
    """Without loopback, and without addresses that need the name of an interface beside them."""
    found: list[Address] = [*_ipv4(), *_ipv6()]
    return (address for address in found if not address.is_loopback and not address.is_link_local)


def _ipv4() -> Iterator[ipaddress.IPv4Address]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:_NAME_BYTES]))
            except OSError:
                continue  # it has none
            yield ipaddress.IPv4Address(answer[20:24])


def _ipv6() -> Iterator[ipaddress.IPv6Address]:
    try:
        lines = _IPV6.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        yield ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))
