# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several lab hosts, used side by side."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, TypeVar

from lablib.host import Host

_T = TypeVar("_T")


@dataclass(frozen=True)
class Fleet:
    """Hosts, and their names as one Ansible pattern."""

    hosts: tuple[Host, ...]

    @property
    def pattern(self) -> str:
        return ",".join(host.name for host in self.hosts)

    def each(self, work: Callable[[Host], _T]) -> Mapping[str, _T]:
        """Do something on every host at once; what came of it, by host name."""
        with ThreadPoolExecutor(max_workers=len(self.hosts)) as pool:
            return dict(zip((host.name for host in self.hosts), pool.map(work, self.hosts)))
