# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd and Quadlet are asked before anything is replaced. Programs stand in for both, and the real systemd is asked too."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import unit_checks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.unit_checks import UnitChecker
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_styles import Folder, UnitFile

_GENERATOR = """#!/bin/sh
test "$1" = -dryrun || exit 9
for file in "$QUADLET_UNIT_DIRS"/*.container; do
    grep -q broken "$file" && { echo "converting $file: unsupported key" >&2; exit 1; }
    grep -q silent "$file" && continue
    name=$(basename "$file" .container)
    printf -- '---%s.service---\n[Service]\nExecStart=/bin/true\n' "$name"
done
"""
_ANALYZE = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
for word in "$@"; do
    case "$word" in /*) cat "$word" >> "$here/seen"; grep -q odd "$word" && { echo "$word:2: Unknown key" >&2; exit 1; };; esac
done
exit 0
"""


def _program(path: pathlib.Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with a Quadlet and a systemd-analyze, first on PATH."""
    _program(tmp_path / "system-generator", _GENERATOR)
    _program(tmp_path / "systemd-analyze", _ANALYZE)
    monkeypatch.setattr(unit_checks, "_GENERATORS", (f"{tmp_path}/{{}}-generator",))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def _quadlet(name: str, text: str) -> UnitFile:
    return UnitFile(Folder.QUADLET, f"{name}.container", text, f"{name}.service")


def _service(name: str, text: str) -> UnitFile:
    return UnitFile(Folder.SYSTEMD, f"{name}.service", text, f"{name}.service")


def test_what_quadlet_makes_is_shown_to_systemd_with_the_classic_units(tools: pathlib.Path) -> None:
    files = [_quadlet("web", "[Container]\n"), _service("db", "[Unit]\n"), UnitFile(Folder.KUBE, "x.yml", "a: b", None)]
    UnitChecker(user=False).check(files)
    (call,) = (tools / "calls").read_text(encoding="utf-8").splitlines()
    assert [pathlib.Path(word).name for word in call.split() if word.startswith("/")] == ["db.service", "web.service"]
    assert "ExecStart=/bin/true" in (tools / "seen").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (_quadlet("web", "broken"), r"Quadlet refuses web\.service: converting web\.container: unsupported key\Z"),
        (_quadlet("web", "silent"), r"Quadlet refuses web\.service: it does not say why\Z"),
        (_service("db", "odd"), r"systemd refuses a unit: db\.service:2: Unknown key\Z"),
    ],
)
def test_a_refusal_is_told_in_the_tools_own_words(tools: pathlib.Path, file: UnitFile, said: str) -> None:
    del tools
    with pytest.raises(InputError, match=said):
        UnitChecker(user=False).check([file])


def test_nothing_to_show_is_not_shown(tools: pathlib.Path) -> None:
    UnitChecker(user=False).check([UnitFile(Folder.KUBE, "x.yml", "a: b", None)])
    UnitChecker(user=True).check([_quadlet("web", "[Container]\n")])  # This host has no Quadlet for users.
    assert not (tools / "calls").exists()


def test_a_user_has_a_generator_and_a_manager_of_their_own(tools: pathlib.Path) -> None:
    _program(tools / "user-generator", _GENERATOR.replace("test ", 'test "$3" = -user || exit 8\ntest '))
    UnitChecker(user=True).check([_quadlet("web", "[Container]\n")])
    assert "verify --user " in (tools / "calls").read_text(encoding="utf-8")


def test_a_tool_that_is_missing_or_hangs_is_no_refusal_of_the_unit(
    tools: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tools / "systemd-analyze", "#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(unit_checks, "_SECONDS", 0.2)
    with pytest.raises(InputError, match="systemd-analyze did not end within 0 s; nothing was changed"):
        UnitChecker(user=False).check([_service("db", "[Unit]\n")])
    monkeypatch.setenv("PATH", str(tools))
    (tools / "systemd-analyze").unlink()
    with pytest.raises(InputError, match="systemd-analyze cannot be run: No such file or directory"):
        UnitChecker(user=False).check([_service("db", "[Unit]\n")])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_the_real_systemd_takes_a_sound_unit_and_names_a_program_that_is_missing() -> None:
    checker = UnitChecker(user=False)
    checker.check([_service("podfleet-test", "[Unit]\nDescription=x\n\n[Service]\nExecStart=/bin/true\n")])
    with pytest.raises(InputError, match=r"systemd refuses a unit: .*/no/such/program"):
        checker.check([_service("podfleet-test", "[Service]\nExecStart=/no/such/program\n")])
