# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full disks, a folder that cannot be written, state files that cannot be used: nothing is moved, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from disks import fill, small_storage
from harness import Ansible, Result
from lablib.host import Host
from lablib.units import deploy, reset
from pulling import pull
from pushing import Push, id_of
from sight import Sight, look, starts

_STATE = "/var/lib/podfleet-autoupdate"
_FILE = f"{_STATE}/state.json"


@contextmanager
def _mounted(host: Host, options: str) -> Iterator[None]:
    """The folder of the state is a file system of its own, with what is in it."""
    keep = f"mkdir -p {_STATE} && cp -a {_STATE} {_STATE}.kept && mount -t tmpfs -o size=64k,mode=0700 none {_STATE}"
    host.run(["sh", "-ec", f"{keep} && cp -a {_STATE}.kept/. {_STATE}/ && rm -r {_STATE}.kept && {options}"])
    try:
        yield
    finally:
        host.run(["umount", _STATE])


def _nothing_happened(host: Host, before: Sight, started: frozenset[str]) -> None:
    sight = look(host)
    assert sight.containers == before.containers
    assert sight.names == before.names
    assert starts(host, "it-web.service") == started


def _refused(result: Result) -> str:
    assert result.data["reason"] == "state_invalid", result.data
    return str(result.data["msg"])


def test_a_folder_that_cannot_be_written(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    assert ansible.update(host.name).succeeded().changed
    newer = push("web", version="3")
    before, started = look(host), starts(host, "it-web.service")
    remembered, history = host.read(_FILE), host.read(f"{_STATE}/history.jsonl")

    for trouble in (f"mount -o remount,ro {_STATE}", f"dd if=/dev/zero of={_STATE}/filler 2>/dev/null || true"):
        with _mounted(host, trouble):
            assert "cannot be written" in _refused(ansible.update(host.name).failed()), trouble
            assert (host.read(_FILE), host.read(f"{_STATE}/history.jsonl")) == (remembered, history)
        _nothing_happened(host, before, started)

    with _mounted(host, f"mount -o remount,ro {_STATE}"):
        assert ansible.update(host.name, check=True).succeeded().verdicts() == {"it-web": ("pending", "check_mode")}
        push("web", version="2")
        assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("current", None)}
    push("web", version="3")
    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("updated", None)}
    assert look(host).runs("it-web") == id_of(newer)
    assert id_of(new) in look(host).slots.values()
    assert len(starts(host, "it-web.service")) == len(started) + 1


def test_files_that_cannot_be_used(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    hold = {"unit": "it-web", "reason": "frozen", "until": "2999-01-01"}
    assert ansible.update(host.name, holds=[hold]).succeeded().changed
    new = push("web", version="2")
    good = host.read(_FILE)
    before, started = look(host), starts(host, "it-web.service")

    newer = json.dumps({**json.loads(good), "schema": 99, "more": 1})
    for body in (newer, good[: len(good) // 2], ""):
        host.write(_FILE, body, mode=0o600)
        for check in (True, False):
            said = _refused(ansible.update(host.name, check=check, lift_holds=not check).failed())
            assert ("newer release" in said) == (body is newer)
        row = pull(ansible, host, old.reference, policy="newer", headroom="0").failed().data["images"][0]
        assert row["reason"] == "state_invalid"
        assert host.read(_FILE) == body
    _nothing_happened(host, before, started)

    host.write(_FILE, good, mode=0o600)
    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("held", "user_hold")}
    assert ansible.update(host.name, holds=[]).succeeded().verdicts() == {"it-web": ("updated", None)}
    assert look(host).runs("it-web") == id_of(new)


def test_a_full_disk(host: Host, ansible: Ansible, push: Push, tmp_path: Path) -> None:
    with small_storage(host, tmp_path) as folder:
        try:
            old = push("web")
            deploy(host, "it-web", image=old.reference)
            new = push("web", version="2")
            before, started = look(host), starts(host, "it-web.service")
            # Enough to look at what is there, too little for one more layer.
            fill(host, folder, 20_000)

            result = ansible.update(host.name).failed()

            (verdict,) = result.verdicts().values()
            assert verdict in (("failed", "no_space"), ("failed", "pull_failed")), result.row("it-web")
            assert "no space left" in result.row("it-web")["error"]
            assert not result.row("it-web")["changed"]
            _nothing_happened(host, before, started)
            host.run(["rm", f"{folder}/filler"])
            assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("updated", None)}
            assert look(host).runs("it-web") == id_of(new)
            assert len(starts(host, "it-web.service")) == len(started) + 1
        finally:
            reset(host)
