# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host asked a registry, from the registry's own access log."""

from __future__ import annotations

from dataclasses import dataclass

from lablib.host import Host
from lablib.registry import Registry, Request

_AGENT = "podfleet-autoupdate"


@dataclass(frozen=True)
class Asked:
    """Requests of one host."""

    requests: tuple[Request, ...]

    @classmethod
    def by(cls, host: Host, registry: Registry, since: int) -> Asked:
        return cls(tuple(one for one in registry.requests(since) if one.remote == host.address))

    @property
    def of_the_module(self) -> Asked:
        """Those that are not podman's."""
        return Asked(tuple(one for one in self.requests if one.user_agent == _AGENT))

    @property
    def heads(self) -> list[str]:
        """The manifests that were asked for without their body."""
        return [one.path for one in self.requests if one.method == "HEAD" and "/manifests/" in one.path]

    @property
    def gets(self) -> list[str]:
        """The manifests that count against a pull limit."""
        return [one.path for one in self.requests if one.method == "GET" and "/manifests/" in one.path]
