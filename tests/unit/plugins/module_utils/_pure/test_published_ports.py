# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports are refused as podman 4.3.1 and 5.4.2 refuse them, and only those: both were asked (podman passes over an empty one)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.published_ports import (
    InvalidPortError,
    check_ports,
)


@pytest.mark.parametrize(
    "text",
    [
        *("80", ":80", "080:80", "+80:80", "8080:+80", "80-85", ":80-85", "65530-65535:65530-65535", "1-65535:1-65535"),
        *("8080:80/tcp", "8080:80/TCP", "8080:80/sctp", "53:53/udp", "80,8080:80/udp"),
        *("127.0.0.1::80", "0.0.0.0:8080:80", "[127.0.0.1]:80:80"),
        *("[::1]:8080:80", "[::1]::80", "[::ffff:1.2.3.4]:80:80", "[::]:80:80"),
    ],
)
def test_what_podman_takes_is_taken(text: str) -> None:
    check_ports(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "0 is not a port from 1 to 65535"),
        ("8080:0", "0 is not a port from 1 to 65535"),
        ("0:80", "leave the host's port empty for a free one"),
        ("127.0.0.1:0:80", "leave the host's port empty for a free one"),
        ("0-5:80-85", "0 is not a port"),
        ("0:80-85", "0 is not a port"),
        ("0-10", "0 is not a port"),
        ("65536", "65536 is not a port from 1 to 65535"),
        ("70000:80", "70000 is not a port from 1 to 65535"),
        ("9" * 5000, "9 is not a port from 1 to 65535"),
        ("8000-8002:9000-9001", "8000-8002 are 3 ports of the host, 9000-9001 are 2 of the container"),
        ("8000-8005:80", "8000-8005 are 6 ports of the host, 80 are 1 of the container"),
        ("8000:80-85", "8000 are 1 ports of the host"),
        ("8002-8000:80-82", "the range 8002-8000 does not end after it begins"),
        ("80-80", "the range 80-80 does not end after it begins"),
        ("8080-8080:80", "does not end after it begins"),
        ("-80:80", "'' is not a port"),
        ("80-:80", "'' is not a port"),
        ("80-81-82", "'81-82' is not a port"),
        ("http:80", "'http' is not a port"),
        (" 80:80", "' 80' is not a port"),
        ("8_0", "'8_0' is not a port"),
        ("٨٠", "is not a port"),
        ("", "the container's port is missing"),
        ("8080:", "the container's port is missing"),
        ("8080:80,", "the container's port is missing"),
        (":8080:80", "'' is not an IP address"),
        ("::80", "'' is not an IP address"),
        ("localhost:8080:80", "'localhost' is not an IP address"),
        ("[fe80::1%eth0]:80:80", "is not an IP address"),
        ("127.0.0.01:80:80", "'127.0.0.01' is not an IP address"),
        ("[]:80:80", "'' is not an IP address"),
        ("::1:8080:80", "an IPv6 address is put in brackets"),
        ("[::1]:80", "after an IP address come two ports"),
        ("[1::2:3:80]:80", "after an IP address come two ports"),
        ("[::1]8080:80", "after an IP address come two ports"),
        ("[::1]:80:80:80", "after an IP address come two ports"),
        ("8080:80/xyz", "'xyz' is not one of the protocols tcp, udp, sctp"),
        ("8080:80/", "'' is not one of the protocols"),
        ("8080:80/tcp,udp", "'udp' is not a port"),
        ("8080/tcp:80", "'tcp:80' is not one of the protocols"),
        ("8080/tcp:80/tcp", "is not one of the protocols"),
    ],
)
def test_what_podman_refuses_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(InvalidPortError) as told:
        check_ports(text)
    assert message in str(told.value)
    assert len(str(told.value)) < 200


@given(
    st.integers(1, 65535),
    st.integers(1, 65535),
    st.integers(0, 300),
    st.sampled_from(["", "1.2.3.4:", "[2001:db8::7]:"]),
)
def test_ranges_of_one_length_are_taken_and_others_refused(host: int, container: int, more: int, ip: str) -> None:
    end = f"-{container + more}" if more else ""
    text = f"{ip}{host}{f'-{host + more}' if more else ''}:{container}{end}"
    if max(host, container) + more <= 65535:
        check_ports(text)
        check_ports(f"{ip}:{container}{end}")
        with pytest.raises(InvalidPortError):
            check_ports(f"{ip}{host}-{host + more + 1}:{container}{end}")
    else:
        with pytest.raises(InvalidPortError):
            check_ports(text)


@given(st.text(alphabet="0189:-/[].,+tcpud \n", max_size=30) | st.text(max_size=30))
def test_anything_else_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        check_ports(text)
    except InvalidPortError:
        return
    assert set(text.lower()) <= set("0123456789abcdef:-/[].,+tcpuds")
