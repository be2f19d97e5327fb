# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry with a token service: one challenge and one token, for however many images."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from access import Asked
from harness import Ansible
from lablib.host import Host
from lablib.lab import Lab
from lablib.registry import Registry
from lablib.units import ContainerSpec, deploy_many
from locations import LANE, PROXY_PORTS
from pushing import Push
from tokens import TokenRegistry, TokenService

_NAMES = [f"token{number}" for number in range(5)]


@contextlib.contextmanager
def _guarded(lab: Lab, distro: str, folder: Path, most: int) -> Iterator[tuple[TokenService, Registry]]:
    ports = PROXY_PORTS[distro]
    with TokenService(folder, ports[-2], most) as service:
        registry = TokenRegistry(lab.paths, f"it-tokens-{distro}-{LANE}", ports[-3], folder=folder, realm=service.realm)
        registry.start()
        try:
            yield service, registry
        finally:
            registry.stop()
            shutil.rmtree(registry.paths.registry_data / registry.name, ignore_errors=True)


@pytest.mark.parametrize("most", [1000, 1], ids=["one for all", "one each"])
def test_the_images_of_a_registry_share_a_token_where_that_is_granted(
    lab: Lab, host: Host, ansible: Ansible, push: Push, distro: str, tmp_path: Path, most: int
) -> None:
    with _guarded(lab, distro, tmp_path, most) as (service, registry):
        references = {name: push(name).reference.replace(push.maker.address, registry.address, 1) for name in _NAMES}
        deploy_many(host, "it-tokens", [ContainerSpec(f"it-{name}", references[name]) for name in _NAMES])
        service.scopes.clear()
        mark = registry.mark()

        run = ansible.update(host.name, check=True)

        assert set(run.succeeded().verdicts().values()) == {("current", None)}
        asked = Asked.by(host, registry, mark)
        assert asked.gets == []
        assert [one.status for one in asked.requests].count(401) == 1, "one challenge"
        assert len(asked.heads) == len(_NAMES) + 1
        together = sorted(push.repository(name) for name in _NAMES)
        assert sorted(service.scopes[0]) == together
        assert len(service.scopes) == (1 if most > 1 else 1 + len(_NAMES))
        (told,) = run.result.data["registries"]
        assert told["manifest_gets"] == 0
        assert told["requests"] == len(_NAMES) + 1 + len(service.scopes)

        push(_NAMES[0], version="2")
        run = ansible.update(host.name)
        assert run.succeeded().verdicts()[f"it-{_NAMES[0]}"] == ("updated", None)
        assert ansible.update(host.name).succeeded().changed is False
