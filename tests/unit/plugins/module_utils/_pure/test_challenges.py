# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Challenges: whatever a registry writes into WWW-Authenticate."""

from __future__ import annotations

import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.challenges import parse_challenges

_Challenges = list[tuple[str, dict[str, str]]]
_REALM = {"realm": "https://auth.example.com/token"}


class Header(t.NamedTuple):
    """A header, and the challenges in it."""

    text: str
    expected: _Challenges


_HEADERS = [
    Header(
        'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"',
        [("bearer", {**_REALM, "service": "registry", "scope": "repository:a/b:pull,push"})],
    ),
    Header('BEARER Realm="https://auth.example.com/token"', [("bearer", _REALM)]),
    Header("Bearer realm=plain", [("bearer", {"realm": "plain"})]),
    Header('bearer realm = "x" , service = y', [("bearer", {"realm": "x", "service": "y"})]),
    Header(r'Basic realm="a \"quoted\" pair, with \\"', [("basic", {"realm": 'a "quoted" pair, with \\'})]),
    Header('Basic realm=""', [("basic", {"realm": ""})]),
    Header(
        'Basic realm="x", Bearer realm="y",service="z"',
        [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "service": "z"})],
    ),
    Header('Bearer realm="one", realm="two"', [("bearer", {"realm": "one"})]),
    Header("Basic", [("basic", {})]),
    Header(', Basic realm="x"', [("basic", {"realm": "x"})]),
    # Two header lines arrive as one, joined by a comma; a scheme may have no parameters (RFC 9110, 11.6.1).
    Header('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
    Header('Basic realm="x", Negotiate', [("basic", {"realm": "x"}), ("negotiate", {})]),
    # Empty elements of a list count for nothing (RFC 9110, 5.6.1).
    Header('Bearer realm="x",,service="y"', [("bearer", {"realm": "x", "service": "y"})]),
    Header(', ,Basic realm="x"', [("basic", {"realm": "x"})]),
    Header("", []),
    Header("   ", []),
    Header('="x"', []),
    Header('"Bearer" realm="x"', []),
    Header('Bearer realm="never closed', [("bearer", {})]),
]


@pytest.mark.parametrize("case", _HEADERS, ids=lambda case: case.text[:50] or "empty")
def test_challenges_are_read_as_the_rfc_writes_them(case: Header) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(case.text)] == case.expected


@given(st.text(max_size=200) | st.text(alphabet='Bearer realm="x",\\= \t', max_size=200))
def test_any_header_is_read_without_an_error(text: str) -> None:
    for challenge in parse_challenges(text):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(name == name.lower() for name in challenge.parameters)


_value = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(st.dictionaries(st.sampled_from(["realm", "service", "scope", "error"]), _value, min_size=1))
def test_quoted_values_come_back_as_they_were(parameters: dict[str, str]) -> None:
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in parameters.items()}
    header = "Bearer " + ",".join(f'{name}="{value}"' for name, value in quoted.items())
    assert [dict(one.parameters) for one in parse_challenges(header)] == [parameters]


@pytest.mark.parametrize("piece", ["a", " ", ",", '"', "\\", "a=", 'a="', "a=b,", "Bearer ", "a ", "= ", ' , a="b"'])
def test_a_hostile_header_costs_no_time(piece: str) -> None:
    started = time.process_time()
    parse_challenges('Bearer realm="x"' + piece * (100_000 // len(piece)) + "\x00")
    assert time.process_time() - started < 2
