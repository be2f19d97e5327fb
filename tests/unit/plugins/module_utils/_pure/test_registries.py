# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registries.conf: where a reference is really asked for. The rules are those of containers-registries.conf(5)."""

from __future__ import annotations

import json
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
    found = _CONF.endpoint(Reference.parse(case.reference))
    assert (found.host, found.repository) == (case.host, case.repository)
    assert (found.insecure, found.blocked) == (case.insecure, case.blocked)


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
    found = conf.endpoint(Reference.parse("quay.io/a"))
    assert found == Endpoint("quay.io", "a", insecure=False, blocked=False, name="quay.io/a")


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


#: What podman 4.3.1 and podman 5.4.2 both printed for a file with these tables.
_MIRRORS = json.loads("""
{"*.wild.example.com": {"Prefix": "*.wild.example.com", "Location": "", "Insecure": false, "PullFromMirror": "",
  "Mirrors": null, "Blocked": true, "MirrorByDigestOnly": false},
 "digests.example.com": {"Prefix": "digests.example.com", "Location": "digests.example.com", "Insecure": false,
  "PullFromMirror": "", "Mirrors": [{"Location": "five.example.com/x", "Insecure": false, "PullFromMirror": ""}],
  "Blocked": false, "MirrorByDigestOnly": true},
 "docker.io": {"Prefix": "docker.io", "Location": "docker.io", "Insecure": false, "PullFromMirror": "",
  "Mirrors": [{"Location": "six.example.com", "Insecure": false, "PullFromMirror": ""}],
  "Blocked": false, "MirrorByDigestOnly": false},
 "mirrored.example.com/team": {"Prefix": "mirrored.example.com/team", "Location": "origin.example.com/real",
  "Insecure": true, "PullFromMirror": "", "Mirrors": [
   {"Location": "one.example.com/cache", "Insecure": false, "PullFromMirror": ""},
   {"Location": "two.example.com:5000", "Insecure": true, "PullFromMirror": "digest-only"},
   {"Location": "three.example.com", "Insecure": false, "PullFromMirror": "tag-only"},
   {"Location": "four.example.com", "Insecure": false, "PullFromMirror": "all"}],
  "Blocked": false, "MirrorByDigestOnly": false},
 "search": ["registry.example.com", "docker.io"]}
""")
_DIGEST = "sha256:" + "0f" * 32


class Order(t.NamedTuple):
    """A reference, and where it is asked for, one after another; an exclamation mark is an insecure place."""

    reference: str
    places: tuple[str, ...]


_ORDERS = [
    Order(
        "mirrored.example.com/team/app:1",
        (
            "one.example.com/cache/app",
            "three.example.com/app",
            "four.example.com/app",
            "origin.example.com/real/app!",
        ),
    ),
    Order(
        f"mirrored.example.com/team/app@{_DIGEST}",
        (
            "one.example.com/cache/app",
            "two.example.com:5000/app!",
            "four.example.com/app",
            "origin.example.com/real/app!",
        ),
    ),
    Order("digests.example.com/app:1", ("digests.example.com/app",)),
    Order(f"digests.example.com/app@{_DIGEST}", ("five.example.com/x/app", "digests.example.com/app")),
    Order("docker.io/nginx", ("six.example.com/library/nginx", "registry-1.docker.io/library/nginx")),
    Order("mirrored.example.com/other", ("mirrored.example.com/other",)),
]


@pytest.mark.parametrize("case", _ORDERS, ids=lambda case: case.reference)
def test_mirrors_are_asked_in_order_and_the_origin_last(case: Order) -> None:
    found = RegistriesConf.from_podman_info(_MIRRORS).endpoints(Reference.parse(case.reference))
    assert tuple(f"{one.host}/{one.repository}{'!' if one.insecure else ''}" for one in found) == case.places
    assert not any(one.blocked for one in found)


def test_what_is_blocked_has_no_mirrors() -> None:
    rule = {"Blocked": True, "Mirrors": [{"Location": "mirror.example.org"}]}
    (only,) = RegistriesConf.from_podman_info({"quay.io": rule}).endpoints(Reference.parse("quay.io/app"))
    assert (only.host, only.blocked) == ("quay.io", True)


def test_a_place_that_is_blocked_itself_is_blocked_for_every_name() -> None:
    """podman asks for the rule of the rewritten name too."""
    conf = RegistriesConf.from_podman_info(
        {
            "quay.io": {"Location": "origin.example.org", "Mirrors": [{"Location": "bad.example.org/x"}]},
            "bad.example.org": {"Blocked": True},
        }
    )
    assert [one.blocked for one in conf.endpoints(Reference.parse("quay.io/app"))] == [True, False]


def test_the_mirrors_of_a_wildcard_stand_in_the_place_of_the_whole_host() -> None:
    conf = RegistriesConf.from_podman_info({"*.example.com": {"Location": "", "Mirrors": [{"Location": "m.org/x"}]}})
    names = [one.name for one in conf.endpoints(Reference.parse("a.example.com/team/app"))]
    assert names == ["m.org/x/team/app", "a.example.com/team/app"]


def test_the_search_registries_are_told_in_order() -> None:
    assert RegistriesConf.from_podman_info(_MIRRORS).search == ("registry.example.com", "docker.io")


@pytest.mark.parametrize("search", [None, "docker.io", {}, 5])
def test_search_registries_that_are_no_list_are_none(search: object) -> None:
    assert RegistriesConf.from_podman_info({"search": search}).search == ()


def test_a_place_is_a_reference_of_its_own() -> None:
    conf = RegistriesConf.from_podman_info(_MIRRORS)
    asked = Reference.parse("docker.io/nginx:1")
    mirror, origin = conf.endpoints(asked)
    assert (mirror.reference(asked).name, origin.reference(asked)) == ("six.example.com/library/nginx:1", asked)
    assert (mirror.certificates, origin.certificates) == ("six.example.com", "docker.io")


@pytest.mark.parametrize("mirrors", [None, "x", {}, [None], [{}], [{"Location": ""}], [{"Location": None}]])
def test_mirrors_that_are_none_are_left_out(mirrors: object) -> None:
    conf = RegistriesConf.from_podman_info({"quay.io": {"Location": "quay.io", "Mirrors": mirrors}})
    assert [one.name for one in conf.endpoints(Reference.parse("quay.io/app"))] == ["quay.io/app"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Prefix", "Location", "Mirrors", "PullFromMirror", "search", "a.io"]), inner)
    ),
    max_leaves=12,
)


@given(_json)
def test_whatever_podman_prints_there_is_an_origin(printed: object) -> None:
    found = RegistriesConf.from_podman_info(printed).endpoints(Reference.parse("a.io/team/app:1"))
    assert found
