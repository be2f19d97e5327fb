# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process table: a file of each process, if it is still there."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.procfs import ProcFs
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.ownership import Owner


def _write(root: pathlib.Path, pid: str, content: bytes) -> ProcFs:
    (root / pid).mkdir()
    (root / pid / "cgroup").write_bytes(content)
    return ProcFs(str(root))


def test_the_owner_is_read_from_the_cgroup(tmp_path: pathlib.Path) -> None:
    processes = _write(tmp_path, "7", b"0::/system.slice/web.service\n")
    assert processes.owner(7) == Owner("web.service")


@pytest.mark.parametrize("pid", [0, -1, 8])
def test_a_process_that_is_not_there_has_no_owner(tmp_path: pathlib.Path, pid: int) -> None:
    processes = _write(tmp_path, "7", b"0::/system.slice/web.service\n")
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "cgroup").write_text("0::/system.slice/web.service\n", encoding="utf-8")
    assert processes.owner(pid) is None


def test_bytes_that_are_no_text_are_survived(tmp_path: pathlib.Path) -> None:
    assert _write(tmp_path, "7", b"0::/system.slice/\xff.service\n").owner(7) == Owner("\ufffd.service")


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: pathlib.Path) -> None:
    processes = _write(tmp_path, "7", b"1:x:/\n" * 20_000 + b"0::/system.slice/web.service\n")
    assert processes.owner(7) is None


def test_this_process_has_a_file_in_the_real_table() -> None:
    owner = ProcFs().owner(os.getpid())
    assert owner is None or owner.unit.endswith((".service", ".scope"))


def test_a_pull_that_goes_on_is_seen(tmp_path: pathlib.Path) -> None:
    name = "quay.io/team/app@sha256:ab"
    for pid, words in (
        ("1", [b"podman", b"pull", b"--quiet", name.encode()]),
        ("2", [b"podman", b"run", name.encode()]),
        ("3", []),
    ):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes(b"".join(word + b"\0" for word in words))
    (tmp_path / "4").mkdir()
    (tmp_path / "self").mkdir()
    table = ProcFs(str(tmp_path))
    assert table.pulling({name, "other"})
    assert not table.pulling({"other"})
    assert not table.pulling(())
    assert not ProcFs().pulling({name})
