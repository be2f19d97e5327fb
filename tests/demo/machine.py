# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo needs of this machine: packages, a virtual environment with Ansible, and one lab host."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import checkout
import places
import trees
import venvs
from lablib import packages
from lablib.errors import LabError
from lablib.host import Host
from lablib.lab import Lab
from lablib.probing import MachineFacts
from running import Log
from telling import DemoError, say

_LAB: list[str | Path] = [sys.executable, checkout.ROOT / "tests" / "lab" / "lab.py"]
_INSTALL_SECONDS = 1800.0
_UP_SECONDS = 1800.0


def install_missing(log: Log) -> None:
    """The distribution's packages that the lab needs; said before they are installed."""
    facts = MachineFacts.gather()
    missing = packages.missing(facts.distribution, facts.can_raise_limits)
    if not missing:
        say("All there: podman, a registry, busybox, ssh, openssl; nothing is installed.")
        return
    say(f"Installing: {' '.join(missing)}")
    log.run([*_LAB, "install"], env=_own_environment(), timeout=_INSTALL_SECONDS)


def install_ansible(log: Log) -> Path:
    """The folder with Ansible's commands, in a virtual environment outside of the checkout."""
    say(f"It lives in {places.cache() / 'venvs'}; pip fetches it the first time.")
    folder = venvs.ensure(venvs.ANSIBLE, log)
    trees.link()
    return folder / "bin"


def bring_up(distro: str, number: int, log: Log) -> tuple[Lab, Host]:
    """The lab with the wanted host running. A lab that runs already is used as it is, whatever cache it lives in."""
    env = _own_environment()
    already = _running_lab()
    if already is not None:
        # The lab's own folder is called `lab`; the cache above it is what the variable names.
        env["PODFLEET_CACHE"] = str(already.paths.cache.parent)
    log.run([*_LAB, "up", "--distro", distro, "--hosts", str(number)], env=env, timeout=_UP_SECONDS)
    lab = Lab.open()
    return lab, lab.host(f"{distro}-{number}")


def find_sbin() -> None:
    """sudo and cron often leave the sbin folders out, where mount helpers and iptables live."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{packages.SEARCH_PATH}"


def must_be_root() -> None:
    """Real hosts cannot be had without root; say how to get it."""
    if os.geteuid() == 0:
        return
    how = "run «sudo make demo»" if shutil.which("sudo") else "become root with «su -», then run «make demo» here"
    raise DemoError(f"The demo starts a real host with systemd and podman, and that needs root: {how}.")


def _running_lab() -> Lab | None:
    try:
        return Lab.open()
    except LabError:
        return None


def _own_environment() -> dict[str, str]:
    """The caller's own, with the cache that the gates use, so that `make clean` finds everything."""
    own = {"HOME": str(places.user_home()), "PODFLEET_CACHE": str(places.cache()), "DEBIAN_FRONTEND": "noninteractive"}
    return {**os.environ, **own}
