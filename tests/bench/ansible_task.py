# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same check as an Ansible task, beside the cheapest task there is over the same connection."""

from __future__ import annotations

from commands import CommandError, ansible
from testbed import BenchError, Testbed


class AnsibleTask:
    """`ansible HOST -m …` on this machine; the connection is kept between calls, as in a play."""

    def __init__(self, bed: Testbed) -> None:
        self._bed = bed

    def ping(self) -> float:
        """Seconds of `ansible.builtin.ping`."""
        return self._timed("ansible.builtin.ping", expect='"pong"')

    def check(self) -> float:
        """Seconds of the module in check mode, which must find nothing new."""
        count = len(self._bed.names)
        return self._timed("podfleet.autoupdate.image_autoupdate", "--check", expect=f" {count} current ")

    def run(self) -> float:
        """Seconds of the module in a run, which must find nothing new."""
        count = len(self._bed.names)
        return self._timed("podfleet.autoupdate.image_autoupdate", expect=f" {count} current")

    def _timed(self, module: str, *options: str, expect: str) -> float:
        words = [self._bed.host.name, "-i", str(self._bed.lab.inventory), "-m", module, *options]
        try:
            ended = ansible("ansible", *words)
        except CommandError as problem:
            raise BenchError(str(problem)) from None
        if expect not in ended.output:
            raise BenchError(f"ansible {' '.join(words)} does not tell {expect!r}:\n{ended.output}")
        return ended.seconds
