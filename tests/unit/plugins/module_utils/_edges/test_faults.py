# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the network, by the lab's proxy: each has a reason and an end, and none tells a password."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    SECRET,
    USER,
    Server,
    always,
    ask_plainly,
    free_port,
    manifest,
    resolve,
)

proxies = pytest.importorskip(
    "ansible_collections.podfleet.autoupdate.tests.lab.lablib.proxy", reason="the lab is in the repository only"
)


@pytest.mark.parametrize(
    ("fault", "reason", "timeout"),
    [
        (proxies.Fault.GARBAGE, Reason.REGISTRY_INVALID, 5),
        (proxies.Fault.HTML, Reason.REGISTRY_INVALID, 2),
        (proxies.Fault.RATE_LIMITED, Reason.RATE_LIMITED, 1),
        (proxies.Fault.HANG, Reason.REGISTRY_UNREACHABLE, 0.3),
        (proxies.Fault.TRUNCATE, Reason.REGISTRY_UNREACHABLE, 2),
    ],
)
def test_faults_of_the_network_have_a_reason_and_end(fault: t.Any, reason: Reason, timeout: float) -> None:
    listen = ("127.0.0.1", free_port())
    with (
        Server(always(manifest())) as server,
        proxies.FaultProxy(("127.0.0.1", server.port), listen, fault=fault) as proxy,
    ):
        with pytest.raises(RegistryError) as caught:
            resolve(proxy.address, timeout=timeout, credentials={proxy.address: USER})
        assert caught.value.reason is reason
        assert SECRET not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_a_connection_that_is_reset_is_tried_three_times() -> None:
    listen = ("127.0.0.1", free_port())
    with proxies.FaultProxy(("127.0.0.1", 1), listen, fault=proxies.Fault.RESET) as proxy:
        with pytest.raises(RegistryError, match="cannot be reached") as caught:
            ask_plainly(proxy.address, timeout=2)
        assert proxy.connections == 3
    assert caught.value.reason is Reason.REGISTRY_UNREACHABLE


def test_a_fault_that_goes_away_is_forgotten_by_the_next_run() -> None:
    listen = ("127.0.0.1", free_port())
    with Server(always(manifest())) as server, proxies.FaultProxy(("127.0.0.1", server.port), listen) as proxy:
        proxy.fault = proxies.Fault.REFUSE
        with pytest.raises(RegistryError):
            resolve(proxy.address, DIGEST)
        proxy.fault = proxies.Fault.NONE
        assert resolve(proxy.address, DIGEST).digest == DIGEST
