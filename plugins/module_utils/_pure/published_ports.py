# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What podman takes for C(--publish): C([[ip:][hostPort]:]containerPort[/protocol]), ports also as ranges.

Source: podman-run(1), and what podman 4.3.1 and 5.4.2 say to the values of the tests.
"""

from __future__ import annotations

import ipaddress
import re

_PORT = re.compile(r"\+?[0-9]+\Z")
_MOST = 65535
_LONGEST = 16
_PROTOCOLS = ("tcp", "udp", "sctp")
_FORM = "it is not of the form [[IP:]HOSTPORT:]CONTAINERPORT[/PROTOCOL]"


class InvalidPortError(ValueError):
    """podman would refuse the value; the message says why."""


def check_ports(text: str) -> None:
    """One value of C(--publish). podman takes several in it, with commas between them.

    Raises:
        InvalidPortError: podman would refuse it.
    """
    for one in text.split(","):
        _check(one)


def _check(text: str) -> None:
    address, slash, protocol = text.partition("/")
    if slash and protocol.lower() not in _PROTOCOLS:
        raise InvalidPortError(f"{protocol[:_LONGEST]!r} is not one of the protocols {', '.join(_PROTOCOLS)}")
    *before, container = _parts(address)
    if not container:
        raise InvalidPortError("the container's port is missing")
    length = _length(container)
    host = before[-1] if before else ""
    # Without a port of the host's, podman takes free ones.
    if host and (own := _length(host)) != length:
        raise InvalidPortError(f"{host} are {own} ports of the host, {container} are {length} of the container")


def _parts(address: str) -> list[str]:
    """The ports, the container's last, after a look at the IP address that may stand before them."""
    if not address.startswith("["):
        if address.count(":") <= 1:
            return address.split(":")
        ip, *ports = address.rsplit(":", 2)
        if ":" in ip:
            raise InvalidPortError(f"{_FORM}; an IPv6 address is put in brackets")
        _check_ip(ip)
        return ports
    ip, bracket, rest = address[1:].partition("]:")
    if not bracket or rest.count(":") != 1:
        raise InvalidPortError(f"{_FORM}; after an IP address come two ports, of which the host's may be empty")
    _check_ip(ip)
    return rest.split(":")


def _check_ip(text: str) -> None:
    zone = "%" in text  # Python takes one, podman does not.
    try:
        ipaddress.ip_address("" if zone else text)
    except ValueError:
        raise InvalidPortError(f"{text[:64]!r} is not an IP address") from None


def _length(ports: str) -> int:
    """How many ports one port or a range is."""
    first, dash, last = ports.partition("-")
    start = _port(first)
    if not dash:
        return 1
    end = _port(last)
    if end <= start:
        raise InvalidPortError(f"the range {ports} does not end after it begins")
    return end - start + 1


def _port(text: str) -> int:
    if not _PORT.match(text):
        raise InvalidPortError(f"{text[:_LONGEST]!r} is not a port")
    # A longer number is out of range too, and Python refuses to read very long ones.
    number = int(text[:_LONGEST])
    if not 1 <= number <= _MOST:
        free = "; leave the host's port empty for a free one" if number == 0 else ""
        raise InvalidPortError(f"{text[:_LONGEST]} is not a port from 1 to {_MOST}{free}")
    return number
