# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of the containers tools count, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import containers_conf
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

WEB = Reference.parse("quay.io/team/web:1")
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The system's folder and the user's, both empty."""
    system, home = tmp_path / "etc", tmp_path / "home"
    for folder in (
        system / "registries.conf.d",
        home / ".config/containers/registries.conf.d",
        home / ".cache/containers",
    ):
        folder.mkdir(parents=True)
    monkeypatch.setattr(containers_conf, "_SYSTEM", system)
    monkeypatch.setattr(containers_conf, "_VENDORS", tmp_path / "usr")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("CONTAINERS_REGISTRIES_CONF", raising=False)
    return system, home / ".config/containers"


def _alias(path: Path, value: str) -> None:
    path.write_text(f'[aliases]\n"web" = "{value}"\n', encoding="utf-8")


def test_the_later_file_wins(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    system, own = places
    assert containers_conf.short_names().aliases == {}
    steps = [
        (system / "registries.conf", "quay.io/one"),
        (system / "registries.conf.d/10-a.conf", "quay.io/two"),
        (system / "registries.conf.d/20-b.conf", "quay.io/three"),
        (own / "registries.conf.d/00-c.conf", "quay.io/four"),
        (own.parents[1] / ".cache/containers/short-name-aliases.conf", "quay.io/five"),
    ]
    for path, value in steps:
        _alias(path, value)
        assert containers_conf.short_names().aliases == {"web": value}
    for path, _value in steps[1:]:
        path.unlink()
    _alias(own / "registries.conf", "quay.io/own")
    assert containers_conf.short_names().aliases == {"web": "quay.io/own"}, "instead of the system's"
    _alias(system / "other.conf", "quay.io/told")
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(system / "other.conf"))
    assert containers_conf.short_names().aliases == {"web": "quay.io/told"}


def test_the_users_policy_counts_instead_of_the_systems(places: tuple[Path, Path]) -> None:
    system, own = places
    assert containers_conf.signature_policy().takes_unsigned(WEB, DIGEST)
    (system / "policy.json").write_text('{"default": [{"type": "signedBy"}]}')
    assert not containers_conf.signature_policy().takes_unsigned(WEB, DIGEST)
    (own / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    assert containers_conf.signature_policy().takes_unsigned(WEB, DIGEST)


def test_a_policy_that_cannot_be_read_wants_signatures(places: tuple[Path, Path]) -> None:
    system, own = places
    (own / "policy.json").mkdir()
    assert not containers_conf.signature_policy().takes_unsigned(WEB, DIGEST)
    (own / "policy.json").rmdir()
    (system / "policy.json").write_text(" " * (4 * 1024 * 1024 + 1))
    assert not containers_conf.signature_policy().takes_unsigned(WEB, DIGEST)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ('# Every key is explained here:\n # prefix = "a"\n #blocked = true\n', False),
        ('unqualified-search-registries = ["quay.io"]\n', False),
        ('[[registry]]\nlocation = "registry.example:5000"\ninsecure = true\n', False),
        ('[aliases]\n"web" = "quay.io/team/web"\n', False),
        ('[[registry]]\nlocation = "quay.io"\nblocked = true\n', True),
        ('[[registry]]\nlocation = "quay.io"\nBLOCKED = true\n', True),
        ('[[registry]]\nprefix = "quay.io"\nlocation = "mirror.example/quay"\n', True),
        ('[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\nlocation = "a.example"\n', True),
        ('registry = [{location = "quay.io", mirror = [{location = "a.example"}]}]\n', True),
        ('[[registry]]\nlocation = "quay.io"\n"bl\\u006fcked" = true\n', True),
        ("[registries.block]\nregistries = ['quay.io']\n", True),
    ],
)
@pytest.mark.parametrize("name", ["registries.conf", "registries.conf.d/50-site.conf"])
def test_whether_a_file_may_lead_elsewhere(places: tuple[Path, Path], name: str, text: str, expected: bool) -> None:
    system, own = places
    for folder in (system, own):
        (folder / name).write_text(text, encoding="utf-8")
        assert containers_conf.may_lead_elsewhere() is expected
        (folder / name).unlink()
    assert containers_conf.may_lead_elsewhere() is False


def test_what_cannot_be_read_may_lead_elsewhere(places: tuple[Path, Path]) -> None:
    (places[0] / "registries.conf.d/50-site.conf").mkdir()
    assert containers_conf.may_lead_elsewhere() is True


def test_the_vendors_files_are_looked_at_too(places: tuple[Path, Path]) -> None:
    vendors = places[0].parent / "usr/registries.conf.d"
    vendors.mkdir(parents=True)
    (vendors / "10-mirrors.conf").write_text("[[registry.mirror]]\n", encoding="utf-8")
    assert containers_conf.may_lead_elsewhere() is True
