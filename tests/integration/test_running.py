# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the code runs: under another Python, by its short name, and without Ansible at all."""

from __future__ import annotations

import base64
import io
import json
import tarfile

import pytest
from harness import ROOT, Ansible
from lablib.host import Host
from lablib.units import deploy
from locations import SCRATCH
from pushing import Push, id_of
from sight import look

VENV = f"{SCRATCH}/venv"
_WITHOUT_ANSIBLE = """import importlib.util, json, sys
assert importlib.util.find_spec("ansible") is None, "ansible is importable here"
from module_utils._engine.autoupdate import autoupdate
from module_utils._engine.settings import Settings
report = autoupdate(Settings(), check_mode=True)
assert not any(name.partition(".")[0].startswith("ansible") for name in sys.modules)
print(json.dumps(report.to_result(fail_on=["failed"])))
"""
#: What urllib3 1.26 imports by way of six is imported under Python's lock for all imports: six finds a module by importing it.
_UNDER_THE_LOCK = """import _imp, importlib.abc, json, sys
from module_utils._edges import transport
held = []
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        for finder in (each for each in sys.meta_path if each is not self):
            before = set(sys.modules)
            found = finder.find_spec(name, path, target)
            held.extend(sorted(set(sys.modules) - before))
            if found is not None:
                return found
sys.meta_path.insert(0, Watch())
transport.import_libraries()
import urllib3
print(json.dumps([urllib3.__version__, "six" in sys.modules, held]))
"""


def test_the_system_python_is_found(host: Host, ansible: Ansible, push: Push) -> None:
    """A Python that has neither dbus nor requests starts the module again under one that has both."""
    old = push("respawn")
    deploy(host, "it-respawn", image=old.reference)
    new = push("respawn", version="2")
    host.run(["python3", "-m", "venv", "--without-pip", VENV])
    assert host.run([f"{VENV}/bin/python", "-c", "import dbus"], check=False).returncode != 0
    assert host.run([f"{VENV}/bin/python", "-c", "import requests"], check=False).returncode != 0

    run = ansible.update(host.name, options=["--extra-vars", f"ansible_python_interpreter={VENV}/bin/python"])

    assert run.succeeded().verdicts() == {"it-respawn": ("updated", None)}
    assert look(host).runs("it-respawn") == id_of(new)


def test_the_short_name_is_enough_in_a_checkout(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("short")
    deploy(host, "it-short", image=image.reference)
    push("short", version="2")

    run = ansible.run(host.name, "image_autoupdate", {}, options=["--check"])

    assert run.succeeded().verdicts() == {"it-short": ("pending", "check_mode")}
    readable = ansible.run(host.name, "image_autoupdate", {}, options=["--check"], result_format="yaml")
    assert readable.rc == 0
    (line,) = (line for line in readable.stdout.splitlines() if line.strip().startswith("- it-short.service"))
    assert line.split()[2:6] == ["it-short", image.reference, "registry", "pending"]


def test_the_engine_needs_no_ansible(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-plain", image=push("engine").reference)
    push("engine", version="2")
    _unpack_engine(host)
    host.write(f"{SCRATCH}/engine/check.py", _WITHOUT_ANSIBLE)

    alone = json.loads(host.run(["/usr/bin/python3", f"{SCRATCH}/engine/check.py"]).stdout)

    assert [row["status"] for row in alone["updates"]] == ["pending"]
    assert alone["updates"] == ansible.update(host.name, check=True).succeeded().rows


@pytest.mark.parametrize("distro", ["bookworm"])
def test_nothing_is_imported_under_the_lock_of_all_imports(host: Host) -> None:
    """Another thread that imports the same at that moment would wait for ever: seen with Debian 12's urllib3."""
    _unpack_engine(host)
    host.write(f"{SCRATCH}/engine/watch.py", _UNDER_THE_LOCK)

    version, with_six, held = json.loads(host.run(["/usr/bin/python3", f"{SCRATCH}/engine/watch.py"]).stdout)

    assert version.startswith("1.26.")
    assert with_six
    assert held == []


def _unpack_engine(host: Host) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(ROOT / "plugins" / "module_utils", "module_utils", filter=_no_caches)
    unpack = f"mkdir -p {SCRATCH}/engine && base64 --decode | tar -xz -C {SCRATCH}/engine"
    host.run(["sh", "-ec", unpack], input=base64.b64encode(stream.getvalue()).decode("ascii"))


def _no_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry
