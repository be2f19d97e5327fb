# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that is down, refuses or answers nonsense: nothing is known, nothing is touched, and others move on."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.lab import Lab
from lablib.paths import GATEWAY
from lablib.proxy import Fault, FaultProxy
from lablib.units import ContainerSpec, deploy, deploy_many
from locations import PROXY_PORTS
from pushing import Push, id_of
from sight import look

UNREACHABLE, INVALID, LIMITED = "registry_unreachable", "registry_invalid", "rate_limited"
FAULTS: Mapping[Fault, Collection[str]] = {
    Fault.REFUSE: {UNREACHABLE},
    Fault.RESET: {UNREACHABLE},
    Fault.HANG: {UNREACHABLE},
    Fault.DRIP: {UNREACHABLE},
    Fault.GARBAGE: {INVALID},
    Fault.HTML: {INVALID},
    Fault.SERVER_ERROR: {UNREACHABLE},
    Fault.RATE_LIMITED: {LIMITED},
    # Some releases of urllib3 tell that a body is too short, others hand it on.
    Fault.TRUNCATE: {UNREACHABLE, INVALID},
}
#: A request may take 30 s, and an insecure registry is asked in HTTPS and in HTTP. The rest is Ansible, on a busy machine.
BOUND_SECONDS = 60 + 40


@pytest.fixture
def proxies(lab: Lab, distro: str) -> Iterator[Mapping[Fault, FaultProxy]]:
    """One way to the registry for each fault, all of them good as yet."""
    with contextlib.ExitStack() as stack:
        upstream = (GATEWAY, lab.registry.port)
        listen = [(GATEWAY, port) for port in PROXY_PORTS[distro]]
        yield {fault: stack.enter_context(FaultProxy(upstream, place)) for fault, place in zip(FAULTS, listen)}


def name_of(fault: Fault) -> str:
    return f"it-{fault.value}"


def test_what_is_not_known_is_left_alone(
    host: Host, ansible: Ansible, push: Push, proxies: Mapping[Fault, FaultProxy]
) -> None:
    """Every fault at once, for some take until their bound."""
    old, other = push("troubled"), push("well")
    reference = {fault: old.reference.replace(push.maker.address, proxy.address, 1) for fault, proxy in proxies.items()}
    deploy_many(host, "it-troubled", [ContainerSpec(name_of(fault), reference[fault]) for fault in FAULTS])
    deploy(host, "it-well", image=other.reference)
    push("troubled", version="2")
    new = push("well", version="2")
    before = look(host)
    for fault, proxy in proxies.items():
        proxy.fault = fault

    run = ansible.update(host.name)

    result, after = run.succeeded(), look(host)
    assert len(result.rows) == len(FAULTS) + 1
    assert result.verdicts()["it-well"] == ("updated", None)
    assert after.images == {id_of(old), id_of(other), id_of(new)}
    for fault, proxy in proxies.items():
        row = result.row(name_of(fault))
        assert row["status"] == "unknown"
        assert row["reason"] in FAULTS[fault], f"{fault.value}: {row['error']}"
        assert (row["changed"], row["podman_updated"]) == (False, "failed")
        assert row["before"] == row["after"] == {"id": id_of(old), "digest": old.digest}
        assert proxy.address in row["error"]
        assert run.warns(f"{reference[fault]}: unknown: {row['reason']}")
        assert after.containers[name_of(fault)] == before.containers[name_of(fault)]
        assert after.names[reference[fault]] == id_of(old)
    assert run.duration < BOUND_SECONDS


def test_the_caller_may_want_a_failure(host: Host, ansible: Ansible, push: Push, proxy: FaultProxy) -> None:
    image = push("troubled")
    deploy(host, "it-troubled", image=image.reference.replace(push.maker.address, proxy.address, 1))
    proxy.fault = Fault.REFUSE

    for check in (True, False):
        result = ansible.update(host.name, check=check, fail_on=["failed", "unknown"]).failed()
        assert result.verdicts() == {"it-troubled": ("unknown", "registry_unreachable")}
        (told,) = result.data["registries"]
        assert (told["registry"], told["reason"]) == (proxy.address, "registry_unreachable")


def test_a_tag_that_was_deleted_is_not_found(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("deleted")
    deploy(host, "it-deleted", image=old.reference)
    push.maker.delete(push.repository("deleted"), old.digest)
    before = look(host)

    run = ansible.update(host.name)

    assert run.succeeded().verdicts() == {"it-deleted": ("unknown", "not_found")}
    assert run.warns("unknown: not_found")
    assert look(host) == before


def test_a_pull_that_fails_moves_nothing(host: Host, ansible: Ansible, push: Push) -> None:
    """The manifests are there, and what they name is not."""
    old = push("hollow")
    deploy(host, "it-hollow", image=old.reference)
    new = push("hollow", version="2")
    push.maker._ask("DELETE", f"/v2/{push.repository('hollow')}/blobs/{id_of(new)}")
    before = look(host)

    assert ansible.update(host.name, check=True).succeeded().verdicts() == {"it-hollow": ("pending", "check_mode")}
    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-hollow": ("failed", "pull_failed")}
    assert not result.changed
    assert look(host) == before
