# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that want a password, and certificates that are not trusted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Pushed
from lablib.paths import GATEWAY
from lablib.proxy import FaultProxy
from lablib.units import deploy
from locations import PROXY_PORTS
from pushing import id_of
from secure import AUTHFILE, CA_PATH, Vault
from sight import look


@pytest.fixture
def old(host: Host, vault: Vault) -> Pushed:
    """What a unit runs, from the secure registry."""
    image = vault.push("secret")
    vault.deploy(host, "it-secret", image)
    return image


def test_without_a_password_nothing_is_known(host: Host, ansible: Ansible, vault: Vault, old: Pushed) -> None:
    vault.push("secret", version="2")
    before = look(host)

    run = ansible.update(host.name)

    assert run.succeeded().verdicts() == {"it-secret": ("unknown", "auth_required")}
    assert run.warns("unknown: auth_required")
    assert look(host) == before
    assert before.runs("it-secret") == id_of(old)


def test_a_wrong_password_opens_nothing(host: Host, ansible: Ansible, vault: Vault, old: Pushed) -> None:
    vault.push("secret", version="2")
    before = look(host)

    run = ansible.update(host.name, credentials=vault.credentials("it-is-wrong"))

    assert run.succeeded().verdicts() == {"it-secret": ("unknown", "auth_required")}
    assert look(host) == before
    assert before.runs("it-secret") == id_of(old)


def test_the_password_of_the_task_opens_it(host: Host, ansible: Ansible, vault: Vault, old: Pushed) -> None:
    new = vault.push("secret", version="2")

    run = ansible.update(host.name, credentials=vault.credentials(vault.registry.password))

    assert run.succeeded().verdicts() == {"it-secret": ("updated", None)}
    after = look(host)
    assert after.runs("it-secret") == id_of(new)
    assert list(after.slots.values()) == [id_of(old)]


def test_an_authfile_opens_it(host: Host, ansible: Ansible, vault: Vault, old: Pushed) -> None:
    new = vault.push("secret", version="2")
    vault.put_authfile(host)

    assert ansible.update(host.name, authfile=AUTHFILE).succeeded().verdicts() == {"it-secret": ("updated", None)}

    after = look(host)
    assert after.runs("it-secret") == id_of(new)
    assert list(after.slots.values()) == [id_of(old)]


def test_an_authfile_that_is_missing_is_said(host: Host, ansible: Ansible) -> None:
    result = ansible.update(host.name, authfile=AUTHFILE).failed()

    assert AUTHFILE in result.data["msg"]


@pytest.fixture
def elsewhere(vault: Vault, distro: str) -> Iterator[FaultProxy]:
    """The secure registry under another port, where no host has its CA."""
    with FaultProxy((GATEWAY, vault.registry.port), (GATEWAY, PROXY_PORTS[distro].start)) as running:
        yield running


def test_a_certificate_of_nobody_is_not_believed(
    host: Host, ansible: Ansible, vault: Vault, elsewhere: FaultProxy
) -> None:
    image = vault.push("certified")
    vault.put_authfile(host, elsewhere.address)
    reference = image.reference.replace(vault.registry.address, elsewhere.address)
    host.run(["podman", "pull", "--quiet", "--tls-verify=false", f"--authfile={AUTHFILE}", reference])
    deploy(host, "it-certified", image=reference, pull_first=False)
    vault.push("certified", version="2")
    before = look(host)

    for check in (True, False):
        run = ansible.update(host.name, check=check, authfile=AUTHFILE, validate_certs=True)
        assert run.succeeded().verdicts() == {"it-certified": ("unknown", "tls")}
    assert look(host) == before

    trusted = ansible.update(host.name, check=True, authfile=AUTHFILE, validate_certs=True, ca_path=CA_PATH)
    assert trusted.succeeded().verdicts() == {"it-certified": ("pending", "check_mode")}
