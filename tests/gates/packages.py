# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of the distribution that the gates need: installed when they are missing and we may, and always said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import places
from running import GateError, Log, locked, say


def ensure_command(command: str, *, apt: str, dnf: str, log: Log) -> None:
    """See that a command is there."""
    if shutil.which(command, path=os.pathsep.join(places.real_path_entries())) is None:
        ensure(apt, dnf=dnf, why=f"{command} is missing", log=log)


def ensure(apt: str, *, dnf: str, why: str, log: Log) -> None:
    """Install one package of this distribution; GateError with the command to type if that is not ours to do."""
    manager, package = ("apt-get", apt) if shutil.which("apt-get") else ("dnf", dnf)
    if shutil.which(manager) is None:
        raise GateError(f"{why}; install {apt} (its name in Debian) with this system's package manager.")
    as_root = _as_root()
    if as_root is None:
        raise GateError(f"{why}; run as root: {manager} install {package}")
    env = places.environment(DEBIAN_FRONTEND="noninteractive", DEBCONF_NOWARNINGS="yes")
    with locked("packages", log):
        say(f"  {why}: installing the distribution's package {package}")
        if manager == "apt-get":
            log.run([*as_root, "apt-get", "update", "-qq"], env=env, timeout=600)
            log.run(
                [*as_root, "apt-get", "install", "-qq", "-y", "--no-install-recommends", package], env=env, timeout=900
            )
        else:
            log.run([*as_root, "dnf", "install", "-y", package], env=env, timeout=900)
        with _record().open("a", encoding="utf-8") as record:
            record.write(package + "\n")


def installed_here() -> list[str]:
    """What the gates have installed on this machine so far."""
    return sorted(set(_record().read_text(encoding="utf-8").split())) if _record().exists() else []


def _record() -> Path:
    return places.part("installed") / "packages"


def _as_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    # -n: a gate that waits for a password nobody will type looks like a gate that hangs.
    return ["sudo", "-n"] if shutil.which("sudo") else None
