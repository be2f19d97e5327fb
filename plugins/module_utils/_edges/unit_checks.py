# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Ask systemd and Quadlet themselves whether they will take a file, in a scratch folder, before it replaces anything."""

from __future__ import annotations

import re
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._pure.errors import InputError
from .._pure.texts import printable
from .._pure.unit_styles import Folder, UnitFile
from . import process

_SECONDS = 60.0
_GENERATORS = (
    "/usr/lib/systemd/{}-generators/podman-{}-generator",
    "/usr/local/lib/systemd/{}-generators/podman-{}-generator",
)
_HEADING = re.compile(r"^---(?P<name>.+?\.service)---$", re.MULTILINE)


def quadlet_generator(*, user: bool) -> str | None:
    """The host's Quadlet, which systemd runs at each reload; None where there is none."""
    scope = "user" if user else "system"
    found = (path.format(scope, scope) for path in _GENERATORS)
    return next((path for path in found if Path(path).exists()), None)


@dataclass(frozen=True)
class UnitChecker:
    """The checks of one scope."""

    user: bool

    def check(self, files: t.Sequence[UnitFile]) -> None:
        """Refuse what systemd or Quadlet would.

        Raises:
            InputError: With the tool's own words.
        """
        with tempfile.TemporaryDirectory(prefix="podfleet-units-") as scratch:
            sources, services = Path(scratch, "quadlet"), Path(scratch, "systemd")
            sources.mkdir()
            services.mkdir()
            for file in files:
                if file.folder is Folder.QUADLET:
                    _write(sources / file.name, file.text)
                elif file.folder is Folder.SYSTEMD:
                    _write(services / file.name, file.text)
            expected = [file.service for file in files if file.folder is Folder.QUADLET and file.service]
            for name, text in self._generated(sources, expected).items():
                _write(services / name, text)
            self._verify(services)

    def _generated(self, sources: Path, expected: t.Sequence[str]) -> dict[str, str]:
        generator = quadlet_generator(user=self.user)
        if not expected or generator is None:
            return {}
        scope = ["-user"] if self.user else []
        done = _run(["env", f"QUADLET_UNIT_DIRS={sources}", generator, "-dryrun", "-no-kmsg-log", *scope])
        pieces = _HEADING.split(done.output)
        made = dict(zip(pieces[1::2], pieces[2::2]))
        missing = [name for name in expected if name not in made]
        if done.code != 0 or missing:
            raise InputError(f"Quadlet refuses {', '.join(missing) or 'a file'}: {_shown(done.errors, str(sources))}")
        return made

    def _verify(self, services: Path) -> None:
        paths = sorted(str(path) for path in services.iterdir())
        if not paths:
            return
        scope = ["--user"] if self.user else []
        # Only these units count: that another unit of the host is odd is nothing that could be mended here.
        done = _run(["systemd-analyze", "verify", *scope, "--man=no", "--recursive-errors=no", *paths])
        if done.code != 0:
            raise InputError(f"systemd refuses a unit: {_shown(done.errors or done.output, str(services))}")


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _run(arguments: t.Sequence[str]) -> process.Completed:
    try:
        return process.run(arguments, timeout=_SECONDS)
    except process.ProcessTimeoutError:
        raise InputError(f"{arguments[0]} did not end within {_SECONDS:.0f} s; nothing was changed") from None
    except OSError as error:
        raise InputError(f"{arguments[0]} cannot be run: {error.strerror}; nothing was changed") from None


def _shown(errors: str, folder: str) -> str:
    """The tool's words, without where the scratch folder is."""
    lines = [line.replace(f"{folder}/", "") for line in errors.splitlines() if line.strip()]
    return printable("; ".join(lines[:5])) or "it does not say why"
