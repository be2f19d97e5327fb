# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the flow comes to registries: what is begun early is used, and what fails then is told where it is needed."""

from __future__ import annotations

import os
import threading
import time

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import containers_conf
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.credentials import CredentialFiles
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.joining import Registries
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.settings import Access
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import HostFacts, Snapshot
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.discover import Discovery
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    AMD64,
    DIGEST,
    Server,
    always,
    manifest,
    question,
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def _host(address: str) -> HostFacts:
    rule = {"Prefix": address, "Location": address, "Insecure": True}
    return HostFacts((5, 4, 2), AMD64, RegistriesConf.from_podman_info({address: rule}))


def _discovery(address: str) -> Discovery:
    return Discovery((), Snapshot((), {}, _host(address)), ())


def _registries() -> Registries:
    return Registries(Access(), CredentialFiles({}, None))


def test_without_a_beginning_a_registry_is_asked_all_the_same() -> None:
    with Server(always(manifest())) as server:
        client = _registries().connect(_discovery(server.address), 1)
        assert client.resolve(question(server.address, DIGEST)).digest == DIGEST


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_was_begun_is_what_is_asked(monkeypatch: pytest.MonkeyPatch, elsewhere: bool) -> None:
    """The facts of the host come later than the beginning; only where a file may lead elsewhere they are waited for."""
    monkeypatch.setattr(containers_conf, "may_lead_elsewhere", lambda: elsewhere)
    known = threading.Event()
    with Server(always(manifest())) as server:

        def host() -> HostFacts:
            known.wait(30)
            return _host(server.address)

        registries = _registries()
        registries.begin(host, [question(server.address).reference], 1)
        deadline = time.monotonic() + (0.2 if elsewhere else 10)
        while not server.connections and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (server.connections, server.asked) == (0 if elsewhere else 1, [])
        known.set()
        client = registries.connect(_discovery(server.address), 1)
        assert client.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert server.methods == ["HEAD"]
        (usage,) = client.usage()
        assert usage.requests == 1, "that it speaks no TLS was found before"


def test_a_beginning_that_fails_spoils_nothing() -> None:
    def host() -> HostFacts:
        raise StoreError("podman info: the database is locked")

    with Server(always(manifest())) as server:
        registries = _registries()
        registries.begin(host, [question(server.address).reference], 1)
        client = registries.connect(_discovery(server.address), 1)
        assert client.resolve(question(server.address, DIGEST)).digest == DIGEST
