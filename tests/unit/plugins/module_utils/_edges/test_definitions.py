# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes YAML and containers.conf, read from real files."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import definitions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.definitions import Definitions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError, UnitError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.kube_files import KubeContainer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_YAML = "kind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: a\n    image: i\n"
_FOUND = (KubeContainer("p", "a", "i", None),)


class Systemd:
    """Knows what starts each unit; anything else is refused."""

    def __init__(self, **commands: t.Sequence[t.Sequence[str]]) -> None:
        self.commands = commands
        self.asked = 0

    def start_commands(self, unit: str) -> tuple[tuple[str, ...], ...]:
        self.asked += 1
        if unit not in self.commands:
            raise UnitError("systemd did not answer over D-Bus")
        return tuple(map(tuple, self.commands[unit]))


def _play(path: object) -> list[str]:
    return ["/usr/bin/podman", "kube", "play", "--replace", str(path)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.yml"
    path.write_text(_YAML, encoding="utf-8")
    return path


def test_the_command_that_podman_noted_comes_first(file: Path) -> None:
    systemd = Systemd()
    assert Definitions(lambda: systemd).kube_containers("u", _play(file)) == _FOUND
    assert systemd.asked == 0


def test_systemd_is_asked_once_where_podman_noted_nothing(file: Path) -> None:
    systemd = Systemd(u=[["/bin/true"], _play(file)])
    found = Definitions(lambda: systemd)
    assert [found.kube_containers("u", ()) for _time in range(2)] == [_FOUND, _FOUND]
    assert systemd.asked == 1


def _refused(commands: Systemd, unit: str = "u") -> str:
    found = Definitions(lambda: commands)
    with pytest.raises(StoreError) as raised:
        found.kube_containers(unit, ())
    assert raised.value.reason is Reason.RAW_NAME_UNKNOWN
    with pytest.raises(StoreError):  # And is remembered.
        found.kube_containers(unit, ())
    assert commands.asked == 1
    return str(raised.value)


def test_what_cannot_be_told_is_refused(file: Path, tmp_path: Path) -> None:
    assert "D-Bus" in _refused(Systemd())
    assert "does not play one file" in _refused(Systemd(u=[["/bin/true"]]))
    assert "does not play one file" in _refused(Systemd(u=[_play(file), _play(tmp_path / "other.yml")]))
    assert "No such file" in _refused(Systemd(u=[_play(tmp_path / "other.yml")]))
    assert "not a file" in _refused(Systemd(u=[_play("/dev/zero")]))


@pytest.mark.parametrize("body", [b"\xff", b"a: [", b"#" * (1024 * 1024 + 1)])
def test_a_file_that_cannot_be_read_is_refused(file: Path, body: bytes) -> None:
    file.write_bytes(body)
    assert str(file) in _refused(Systemd(u=[_play(file)]))


def test_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    assert "not a file" in _refused(Systemd(u=[_play(tmp_path / "pipe.yml")]))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "missing"),
        ({"vendor/containers.conf": "[engine]\npull_policy = 'newer'\n"}, "newer"),
        ({"vendor/containers.conf": "[engine]\n#pull_policy = 'newer'\n"}, "missing"),
        ({"vendor/containers.conf": "[containers]\npull_policy = 'newer'\n"}, "missing"),
        (
            {
                "vendor/containers.conf": '[engine]\npull_policy = "newer"\n',
                "system/containers.conf": '[engine] # ours\n  pull_policy="always" # so\n[network]\n',
            },
            "always",
        ),
        (
            {
                "system/containers.conf.d/10-a.conf": '[engine]\npull_policy = "always"\n',
                "system/containers.conf.d/20-b.conf": '[engine]\npull_policy = "never"\n',
                "system/containers.conf.d/30-c.txt": '[engine]\npull_policy = "always"\n',
            },
            "never",
        ),
        (
            {
                "system/containers.conf": '[engine]\npull_policy = "always"\n',
                "own/containers/containers.conf": '[engine]\npull_policy = "missing"\n',
            },
            "missing",
        ),
    ],
)
def test_the_last_configuration_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(definitions, "_VENDORS", tmp_path / "vendor")
    monkeypatch.setattr(definitions, "_SYSTEM", tmp_path / "system")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    assert Definitions(Systemd).default_pull_policy() == expected
