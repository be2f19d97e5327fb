# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pulls may go by digest: those that no policy wants a signature for, under either name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.signature_policy import SignaturePolicy

ANYTHING, SIGNED, REJECT = [{"type": "insecureAcceptAnything"}], [{"type": "signedBy"}], [{"type": "reject"}]
DIGEST = "sha256:" + "ab" * 32
REFERENCE = Reference.parse("registry.example.com:5000/team/web:1")

_CASES: dict[str, tuple[object, bool]] = {
    "anything by default": ({"default": ANYTHING}, True),
    "signed by default": ({"default": SIGNED}, False),
    "rejected by default": ({"default": REJECT}, False),
    "another transport": ({"default": SIGNED, "transports": {"atomic": {"": ANYTHING}}}, False),
    "all of docker": ({"default": REJECT, "transports": {"docker": {"": ANYTHING}}}, True),
    "the host": ({"default": ANYTHING, "transports": {"docker": {"registry.example.com:5000": SIGNED}}}, False),
    "the host without its port": (
        {"default": ANYTHING, "transports": {"docker": {"registry.example.com": SIGNED}}},
        True,
    ),
    "a namespace": ({"default": ANYTHING, "transports": {"docker": {"registry.example.com:5000/team": SIGNED}}}, False),
    "a name that only begins so": (
        {"default": ANYTHING, "transports": {"docker": {"registry.example.com:5000/te": SIGNED}}},
        True,
    ),
    "the repository wins over its host": (
        {
            "default": SIGNED,
            "transports": {
                "docker": {"registry.example.com:5000": SIGNED, "registry.example.com:5000/team/web": ANYTHING}
            },
        },
        True,
    ),
    "the tag alone": ({"default": ANYTHING, "transports": {"docker": {REFERENCE.name: SIGNED}}}, False),
    "all but the tag": ({"default": SIGNED, "transports": {"docker": {REFERENCE.name: ANYTHING}}}, False),
    "the digest alone": ({"default": ANYTHING, "transports": {"docker": {REFERENCE.at(DIGEST): SIGNED}}}, False),
    "a wildcard": ({"default": ANYTHING, "transports": {"docker": {"*.example.com": SIGNED}}}, False),
    "a nearer wildcard": (
        {"default": SIGNED, "transports": {"docker": {"*.com": SIGNED, "*.example.com": ANYTHING}}},
        True,
    ),
    "a host wins over a wildcard": (
        {"default": SIGNED, "transports": {"docker": {"*.example.com": SIGNED, "registry.example.com:5000": ANYTHING}}},
        True,
    ),
    "both wanted": ({"default": [*ANYTHING, *SIGNED]}, False),
    "nothing said": ({}, False),
    "an empty list": ({"default": []}, False),
    "no list": ({"default": "junk"}, False),
    "a scope that is junk": ({"default": ANYTHING, "transports": {"docker": {"": "junk"}}}, False),
    "junk": ([], False),
}


@pytest.mark.parametrize("case", _CASES)
def test_who_takes_unsigned_images(case: str) -> None:
    document, unsigned = _CASES[case]
    policy = SignaturePolicy.parse(json.dumps(document).encode())
    assert policy.takes_unsigned(REFERENCE, DIGEST) is unsigned


def test_without_a_file_podman_says_the_rest() -> None:
    assert SignaturePolicy.parse(None).takes_unsigned(REFERENCE, DIGEST)


@given(st.binary())
def test_what_cannot_be_read_wants_signatures(body: bytes) -> None:
    assert not SignaturePolicy.parse(body).takes_unsigned(REFERENCE, DIGEST)
