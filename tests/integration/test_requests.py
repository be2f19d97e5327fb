# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a registry is asked, counted by the registry."""

from __future__ import annotations

from typing import Any

import pytest
from access import Asked
from harness import Ansible, Run
from lablib.host import Host
from lablib.lab import Lab
from lablib.proxy import FaultProxy
from lablib.units import ContainerSpec, deploy, deploy_many
from pushing import PLATFORM, Push, id_of
from secure import Vault
from sight import look

PLATFORMS = (PLATFORM, "linux/arm64")


def check(lab: Lab, host: Host, ansible: Ansible) -> tuple[Run, Asked]:
    """A check, and what the host asked the registry meanwhile."""
    mark = lab.registry.mark()
    run = ansible.update(host.name, check=True)
    return run, Asked.by(host, lab.registry, mark)


def test_five_images_without_news_are_five_heads(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    names = [f"req{number}" for number in range(5)]
    for name in names:
        deploy(host, f"it-{name}", image=push(name).reference)

    run, asked = check(lab, host, ansible)

    assert set(run.succeeded().verdicts().values()) == {("current", None)}
    assert sorted(asked.heads) == [f"/v2/{push.repository(name)}/manifests/latest" for name in names]
    assert asked.gets == []
    assert len(asked.requests) <= len(names) + 2
    (told,) = run.result.data["registries"]
    assert (told["registry"], told["manifest_gets"], told["reason"]) == (lab.registry.address, 0, None)
    assert len(names) <= told["requests"] <= len(names) + 2


@pytest.mark.parametrize(("parallel", "connections"), [(1, 2), (3, 4), (None, 6)])
def test_no_more_connections_than_requests_at_once_and_one_that_found_no_tls(
    host: Host, ansible: Ansible, push: Push, proxy: FaultProxy, parallel: int | None, connections: int
) -> None:
    for name in (f"conn{number}" for number in range(5)):
        deploy(host, f"it-{name}", image=push(name).reference.replace(push.maker.address, proxy.address, 1))
    proxy.reset_counters()

    arguments: dict[str, Any] = {} if parallel is None else {"registry_parallel": parallel}
    run = ansible.update(host.name, check=True, **arguments)

    assert len(run.succeeded().rows) == 5
    assert set(run.succeeded().verdicts().values()) == {("current", None)}
    assert proxy.connections <= connections
    (told,) = run.result.data["registries"]
    assert told["requests"] == 5


def test_what_needs_no_registry_does_not_connect_to_one(
    host: Host, ansible: Ansible, push: Push, proxy: FaultProxy
) -> None:
    """Local policies, pinned images, and what is not selected: not even a connection."""
    image = push("quiet")
    through = image.reference.replace(push.maker.address, proxy.address, 1)
    deploy_many(
        host,
        "it-quiet",
        [
            ContainerSpec("it-local", through, "local"),
            ContainerSpec("it-pinned", f"{through.rpartition(':')[0]}@{image.digest}"),
            ContainerSpec("it-excluded", through),
        ],
    )
    proxy.reset_counters()

    result = ansible.update(host.name, check=True, exclude=["container:it-excluded"]).succeeded()

    assert {name: verdict[0] for name, verdict in result.verdicts().items()} == {
        "it-local": "current",
        "it-pinned": "pinned",
    }
    assert proxy.connections == 0


def test_one_image_is_asked_for_once(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    old = push("req-shared")
    deploy_many(host, "it-three", [ContainerSpec(f"it-{name}", old.reference) for name in ("one", "two", "three")])

    run, asked = check(lab, host, ansible)

    assert len(run.succeeded().rows) == 3
    assert (asked.heads, asked.gets) == ([f"/v2/{push.repository('req-shared')}/manifests/latest"], [])


def test_a_budget_leaves_what_it_cannot_pay_for_alone(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    for name in ("same", "new"):
        deploy(host, f"it-{name}", image=push(f"budget-{name}").reference)
    push("budget-new", version="2")

    for check in (True, False):
        mark = lab.registry.mark()
        result = ansible.update(host.name, check=check, request_budget=0).succeeded()
        assert result.verdicts() == {"it-same": ("current", None), "it-new": ("unknown", "request_budget")}
        assert Asked.by(host, lab.registry, mark).gets == []
        assert not result.changed

    result = ansible.update(host.name, request_budget=1).succeeded()
    assert result.verdicts() == {"it-same": ("current", None), "it-new": ("updated", None)}


def test_a_password_costs_two_requests_more_at_most(host: Host, ansible: Ansible, vault: Vault) -> None:
    """One challenge for the whole registry; what is new costs two more, for that image only."""
    names = [f"req-locked{number}" for number in range(4)]
    for name in names:
        vault.deploy(host, f"it-{name}", vault.push(name, platforms=PLATFORMS))
    credentials = vault.credentials(vault.registry.password)
    mark = vault.registry.mark()

    run = ansible.update(host.name, check=True, credentials=credentials)

    asked = Asked.by(host, vault.registry, mark)
    assert set(run.succeeded().verdicts().values()) == {("current", None)}
    opened = [one.path for one in asked.requests if one.method == "HEAD" and one.status == 200]
    assert sorted(opened) == [f"/v2/{vault.push.repository(name)}/manifests/latest" for name in names]
    assert asked.gets == []
    assert len(asked.requests) <= len(names) + 2

    new = vault.push(names[0], version="2", platforms=PLATFORMS)
    mark = vault.registry.mark()

    run = ansible.update(host.name, check=True, credentials=credentials)

    asked = Asked.by(host, vault.registry, mark)
    assert run.succeeded().verdicts()[f"it-{names[0]}"] == ("pending", "check_mode")
    digests = [new.digest, new.manifest_digests[PLATFORM]]
    assert asked.gets == [f"/v2/{vault.push.repository(names[0])}/manifests/{digest}" for digest in digests]
    assert len(asked.requests) <= len(names) + 2 + 2


def test_an_index_is_opened_only_when_it_is_new(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    old = push("multi", platforms=PLATFORMS)
    deploy(host, "it-multi", image=old.reference)

    run, asked = check(lab, host, ansible)

    assert run.succeeded().verdicts() == {"it-multi": ("current", None)}
    assert (len(asked.heads), asked.gets) == (1, [])

    new = push("multi", version="2", platforms=PLATFORMS)
    mark = lab.registry.mark()
    result = ansible.update(host.name).succeeded()

    assert result.verdicts() == {"it-multi": ("updated", None)}
    assert result.row("it-multi")["after"] == {"id": id_of(new), "digest": new.digest}
    asked = Asked.by(host, lab.registry, mark).of_the_module
    digests = [new.digest, new.manifest_digests[PLATFORM]]
    assert (len(asked.heads), asked.gets) == (
        1,
        [f"/v2/{push.repository('multi')}/manifests/{digest}" for digest in digests],
    )
    assert look(host).runs("it-multi") == id_of(new)

    run, asked = check(lab, host, ansible)

    assert run.succeeded().verdicts() == {"it-multi": ("current", None)}
    assert (len(asked.heads), asked.gets) == (1, [])


def test_another_platform_in_the_list_is_no_news(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("grown", index=True)
    deploy(host, "it-grown", image=old.reference)
    grown = push("grown", platforms=PLATFORMS)
    assert grown.digest != old.digest
    before = look(host)

    result = ansible.update(host.name).succeeded()

    assert result.verdicts()["it-grown"][0] == "current"
    assert not result.changed
    assert look(host) == before


def test_the_same_content_is_no_news(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    old = push("packed")
    deploy(host, "it-packed", image=old.reference)
    again = push("packed", recompress=True)
    assert (again.digest != old.digest, id_of(again)) == (True, id_of(old))
    before, mark = look(host), lab.registry.mark()

    result = ansible.update(host.name).succeeded()

    assert result.verdicts() == {"it-packed": ("current", "same_content")}
    assert not result.changed
    assert look(host) == before
    asked = Asked.by(host, lab.registry, mark)
    assert {one.user_agent for one in asked.requests} == {"podfleet-autoupdate"}
