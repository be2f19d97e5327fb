# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registries.conf: where a reference is really asked for. The rules are those of containers-registries.conf(5)."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import Endpoint, RegistriesConf

#: What podman 4.3.1 and 5.4.2 print for these tables; keys that are not read are left out.
_INFO = {
    "search": ["docker.io"],
    "plain.example.com:5000": {
        "Prefix": "plain.example.com:5000",
        "Location": "plain.example.com:5000",
        "Insecure": True,
    },
    "blocked.example.org": {"Prefix": "blocked.example.org", "Location": "blocked.example.org", "Blocked": True},
    "quay.io": {"Prefix": "quay.io", "Location": "mirror.example.org:5000/quay"},
    "quay.io/team": {"Prefix": "quay.io/team", "Location": "team.example.org"},
    "quay.io/team/app": {"Prefix": "quay.io/team/app", "Location": "app.example.org/only"},
    "docker.io/library": {"Prefix": "docker.io/library", "Location": "hub.example.org/library"},
    "*.example.com": {"Prefix": "*.example.com", "Location": "", "Insecure": True},
    "*.blocked.example.com": {"Prefix": "*.blocked.example.com", "Location": "", "Blocked": True},
    "*.moved.example.net": {"Prefix": "*.moved.example.net", "Location": "mirror.example.org/there"},
}
_CONF = RegistriesConf.from_podman_info(_INFO)


class Asked(t.NamedTuple):
    """A reference, and where it is asked for."""

    reference: str
    host: str
    repository: str
    insecure: bool = False
    blocked: bool = False


_ASKED = [
    Asked("ghcr.io/team/app", "ghcr.io", "team/app"),
    Asked("localhost:5000/app", "localhost:5000", "app"),
    Asked("docker.io/team/app", "registry-1.docker.io", "team/app"),
    Asked("docker.io/nginx", "hub.example.org", "library/nginx"),
    Asked("plain.example.com:5000/app", "plain.example.com:5000", "app", insecure=True),
    Asked("blocked.example.org/app", "blocked.example.org", "app", blocked=True),
    # The longest prefix wins, and ends where a component ends.
    Asked("quay.io/other/app:1", "mirror.example.org:5000", "quay/other/app"),
    Asked("quay.io/teams/app", "mirror.example.org:5000", "quay/teams/app"),
    Asked("quay.io/team/web", "team.example.org", "web"),
    Asked("quay.io/team/app:2", "app.example.org", "only"),
    Asked("quay.io/team/app/sub", "app.example.org", "only/sub"),
    Asked("quay.io.example.org/app", "quay.io.example.org", "app"),
    # Wildcards: any subdomain, and not the domain itself; the longer one wins.
    Asked("a.example.com/app", "a.example.com", "app", insecure=True),
    Asked("a.b.example.com/app", "a.b.example.com", "app", insecure=True),
    Asked("example.com/app", "example.com", "app"),
    Asked("notexample.com/app", "notexample.com", "app"),
    Asked("x.blocked.example.com/app", "x.blocked.example.com", "app", blocked=True),
    # podman matches a wildcard before a port, and puts the location in the place of the host.
    Asked("a.example.com:5000/app", "a.example.com:5000", "app", insecure=True),
    Asked("a.moved.example.net/team/app", "mirror.example.org", "there/team/app"),
]


@pytest.mark.parametrize("case", _ASKED, ids=lambda case: case.reference)
def test_references_are_asked_for_where_podman_asks(case: Asked) -> None:
    expected = Endpoint(case.host, case.repository, insecure=case.insecure, blocked=case.blocked)
    assert _CONF.endpoint(Reference.parse(case.reference)) == expected


def test_the_order_of_the_tables_decides_nothing() -> None:
    turned = RegistriesConf.from_podman_info(dict(reversed(list(_INFO.items()))))
    for case in _ASKED:
        reference = Reference.parse(case.reference)
        assert turned.endpoint(reference) == _CONF.endpoint(reference)


@pytest.mark.parametrize(
    "registries", [None, [], "text", {}, {"search": ["docker.io"]}, {1: {"Prefix": "x"}}, {"x": None}]
)
def test_without_rules_a_reference_is_asked_for_as_it_is(registries: object) -> None:
    conf = RegistriesConf.from_podman_info(registries)
    assert conf.rules == ()
    assert conf.endpoint(Reference.parse("quay.io/a")) == Endpoint("quay.io", "a", insecure=False, blocked=False)


def test_a_table_without_a_prefix_has_its_key_as_prefix() -> None:
    (rule,) = RegistriesConf.from_podman_info({"quay.io": {"Location": "x.example.org"}}).rules
    assert (rule.prefix, rule.location) == ("quay.io", "x.example.org")


_name = st.from_regex(r"[a-z]{1,5}\.[a-z]{2,4}(/[a-z]{1,5}){1,3}", fullmatch=True)


@given(_name, st.lists(_name, max_size=5, unique=True))
def test_a_rule_for_another_name_changes_nothing(name: str, others: list[str]) -> None:
    conf = RegistriesConf.from_podman_info({other: {"Location": "elsewhere.example.org/x"} for other in others})
    reference = Reference.parse(name)
    concerned = any(name == other or name.startswith(other + "/") for other in others)
    assert (conf.endpoint(reference).host == "elsewhere.example.org") is concerned
