# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab reads from the machine: mounts, capabilities, processes, apt sources, access logs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from lablib import guestfiles, packages
from lablib.aptsources import parse_deb822, parse_one_line, suites_for
from lablib.namespace import cgroups_are_v2
from lablib.probing import parse_capabilities, parse_os_release
from lablib.processes import is_alive, parse_stat, start_daemon, stop_daemon
from lablib.registry import Request, parse_access_line
from lablib.state import DaemonRecord
from lablib.units import ContainerSpec, service_unit

HYBRID = """24 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 24 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
"""
UNIFIED = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
SOURCES = """# a comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm
 bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""


def test_cgroups() -> None:
    assert not cgroups_are_v2(HYBRID)
    assert cgroups_are_v2(UNIFIED)


def test_capabilities() -> None:
    assert parse_capabilities("Name:\tx\nCapEff:\t000001fffeffffff\n") >> 24 & 1 == 0
    assert parse_capabilities("no such line") == 0


def test_os_release_and_family() -> None:
    assert parse_os_release('# c\nID=debian\nPRETTY_NAME="Debian 12"\n') == {"ID": "debian", "PRETTY_NAME": "Debian 12"}
    assert packages.family({"ID": "ubuntu", "ID_LIKE": "debian"}) == "debian"
    assert packages.family({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}) == "fedora"
    assert packages.family({"ID": "arch"}) == "other"


def test_runc_is_needed_only_where_limits_cannot_be_raised() -> None:
    assert ("runc",) in [need.any_of for need in packages.needs("debian", can_raise_limits=False)]
    assert ("runc",) not in [need.any_of for need in packages.needs("debian", can_raise_limits=True)]


def test_stat_with_brackets_in_the_name() -> None:
    assert parse_stat("12 (a) b (c) S " + " ".join(str(number) for number in range(1, 40))) == ("S", 19)


def test_sources_are_moved_to_the_wanted_release() -> None:
    machine = list(parse_deb822(SOURCES))
    assert suites_for(machine, "bookworm", "trixie") == [
        ("http://mirror.example/debian", "trixie"),
        ("http://mirror.example/debian", "trixie-updates"),
        ("http://mirror.example/debian-security", "trixie-security"),
    ]


def test_one_line_sources_and_foreign_machines() -> None:
    text = "# deb http://no.example/ x main\ndeb [signed-by=/k arch=amd64] http://mirror.example/debian bookworm main contrib\n"
    assert list(parse_one_line(text)) == [("http://mirror.example/debian", "bookworm")]
    assert [suite for _uri, suite in suites_for([("http://archive.example/ubuntu", "noble")], "noble-x", "trixie")] == [
        "trixie",
        "trixie-updates",
        "trixie-security",
    ]


def test_access_log() -> None:
    line = '10.78.0.11 - - [21/Nov/2026:05:36:56 +0000] "GET /v2/app/manifests/latest?n=1 HTTP/1.1" 404 2 "" "containers/5.34.2 (x)"'
    assert parse_access_line(line) == Request(
        "GET", "/v2/app/manifests/latest?n=1", 404, "containers/5.34.2 (x)", "10.78.0.11"
    )
    assert parse_access_line("level=info msg=hello") is None


def test_units_take_words_literally() -> None:
    unit = service_unit(ContainerSpec("web", "image", None, ("--health-cmd", "test -e /x%y $z", '--label=q="1"')))
    assert '--health-cmd "test -e /x%%y $$z" "--label=q=\\"1\\"" image' in unit
    assert "autoupdate" not in unit


def test_guest_layer_is_deterministic_and_masks() -> None:
    data = guestfiles.layer(can_raise_limits=True)
    assert data == guestfiles.layer(can_raise_limits=True)
    with tarfile.open(fileobj=BytesIO(data)) as tar:
        assert tar.getmember("etc/systemd/system/systemd-sysctl.service").linkname == "/dev/null"
        assert "etc/containers/containers.conf" not in tar.getnames()


def test_a_daemon_is_stopped_and_another_process_with_its_pid_is_not(tmp_path: Path) -> None:
    log = tmp_path / "log"
    record = start_daemon([sys.executable, "-c", "import time; time.sleep(60)"], stdout=log, stderr=log)
    assert is_alive(record)
    imposter = DaemonRecord(record.pid, record.start_ticks + 1)
    stop_daemon(imposter)
    assert is_alive(record)
    stop_daemon(record)
    assert not is_alive(record)


@pytest.mark.parametrize(
    "verb", ["up", "down", "clean", "probe", "install", "status", "inventory", "shell", "image", "proxy"]
)
def test_every_verb_explains_itself(verb: str) -> None:
    script = Path(__file__).resolve().parents[1] / "lab.py"
    done = subprocess.run(
        [sys.executable, str(script), verb, "--help"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert verb in done.stdout
