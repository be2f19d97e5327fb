# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Files of this host that say what podman does not tell of a container: Kubernetes YAML, and containers.conf(5)."""

from __future__ import annotations

import os
import pathlib
import re
import stat
import typing as t

from .._pure.errors import MissingLibraryError, StoreError, UnitError
from .._pure.kube_files import KubeContainer, containers_of, played_file
from .._pure.kube_yaml import LONGEST, KubeYamlError
from .._pure.reasons import Reason

_VENDORS = pathlib.Path("/usr/share/containers")
_SYSTEM = pathlib.Path("/etc/containers")
_MOST_FILES = 200
_SECTION = re.compile(r"\s*\[([^\]]*)\]")
_PULL_POLICY = re.compile(r"""\s*pull_policy\s*=\s*["']([a-zA-Z]+)["']""")


class _Commands(t.Protocol):
    """systemd, as far as it is asked here."""

    def start_commands(self, unit: str) -> tuple[tuple[str, ...], ...]:
        """The command lines that start a unit, without specifiers. Raises C(UnitError)."""


class Definitions:
    """Reads what it is asked for, once each. C(units) connects to systemd, which is asked only where podman does not tell."""

    def __init__(self, units: t.Callable[[], _Commands]) -> None:
        self._units = units
        self._files: dict[str, tuple[KubeContainer, ...] | StoreError] = {}
        self._default: str | None = None

    def kube_containers(self, unit: str, create_command: t.Sequence[str]) -> tuple[KubeContainer, ...]:
        """What the Kubernetes YAML that a unit plays says of its containers.

        C(create_command) is that of the pod's infra container: podman 4.3 notes it, later releases do not.

        Raises:
            StoreError: The file cannot be told or read.
        """
        if unit not in self._files:
            try:
                self._files[unit] = self._kube_containers(unit, create_command)
            except StoreError as error:
                self._files[unit] = error
        found = self._files[unit]
        if isinstance(found, StoreError):
            raise found
        return found

    def _kube_containers(self, unit: str, create_command: t.Sequence[str]) -> tuple[KubeContainer, ...]:
        path = played_file(create_command) if create_command else None
        if path is None:
            try:
                played = {one for command in self._units().start_commands(unit) if (one := played_file(command))}
            except (UnitError, MissingLibraryError) as error:
                raise _unknown(f"systemd cannot be asked what {unit} plays: {error}") from None
            if len(played) != 1:
                raise _unknown(f"{unit} does not play one file by its full path")
            (path,) = played
        try:
            return containers_of(_text(path))
        except (OSError, UnicodeDecodeError, KubeYamlError) as error:
            raise _unknown(f"{path}: {error}") from None

    def default_pull_policy(self) -> str:
        """containers.conf's C(pull_policy), podman's default for containers that do not say when they are pulled."""
        if self._default is None:
            self._default = "missing"
            for path in _configurations():
                try:
                    self._default = _pull_policy(_text(str(path))) or self._default
                except (OSError, UnicodeDecodeError):
                    continue
        return self._default


def _unknown(message: str) -> StoreError:
    return StoreError(message, Reason.RAW_NAME_UNKNOWN)


def _text(path: str) -> str:
    # A file may be any user's: neither a pipe nor a device may hold this process up.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a file")
        body = file.read(LONGEST + 1)
    if len(body) > LONGEST:
        raise OSError(f"it is longer than {LONGEST} bytes")
    return body.decode("utf-8")


def _configurations() -> list[pathlib.Path]:
    """The files of containers.conf(5), in the order in which the last word counts."""
    own = pathlib.Path(os.environ.get("XDG_CONFIG_HOME") or pathlib.Path.home() / ".config") / "containers"
    files = [_VENDORS / "containers.conf"]
    for folder in (_SYSTEM, own):
        files += [folder / "containers.conf", *sorted((folder / "containers.conf.d").glob("*.conf"))[:_MOST_FILES]]
    return files


def _pull_policy(text: str) -> str | None:
    """The C(pull_policy) of the table C(engine)."""
    section = found = None
    for line in text.splitlines():
        if heading := _SECTION.match(line):
            section = heading.group(1).strip()
        elif section == "engine" and (setting := _PULL_POLICY.match(line)):
            found = setting.group(1)
    return found
