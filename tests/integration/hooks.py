# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let something happen on a host at an exact moment of a run: before or after a podman command of the collection's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lablib.host import Host
from locations import SCRATCH

#: Found before /usr/bin by a module; units name /usr/bin/podman and never meet it.
_PLACE = "/usr/local/bin/podman"
_WRAPPER = """#!/bin/sh
# A hook of the podfleet integration tests
case " $* " in *"{word}"*) hooked=yes ;; *) hooked= ;; esac
if [ "$hooked" ]; then
{before}
:; fi
/usr/bin/podman "$@"
code=$?
if [ "$hooked" ]; then
{after}
echo "$*" >> {scratch}/hooked
:; fi > /dev/null 2>&1
exit $code
"""


@contextlib.contextmanager
def hooked(host: Host, word: str, *, before: str = "", after: str = "") -> Iterator[None]:
    """Run shell commands as root at each podman command whose arguments hold ``word``; at least one must be met."""
    host.run(["mkdir", "-p", SCRATCH])
    quiet = f"({before}) > /dev/null 2>&1" if before else ""
    host.write(_PLACE, _WRAPPER.format(word=word, before=quiet, after=after, scratch=SCRATCH), mode=0o755)
    try:
        yield
        # Who killed the module is heard of sooner than the end of the command that did it.
        wait = f"for each in $(seq 100); do test -s {SCRATCH}/hooked && exit; sleep 0.1; done; exit 1"
        assert host.run(["sh", "-c", wait], check=False).returncode == 0, "no command was met"
    finally:
        host.run(["rm", "-f", _PLACE])
