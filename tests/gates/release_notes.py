# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make changelog: the release notes of the version in galaxy.yml, from its fragments and the plugins' documentation."""

from __future__ import annotations

import shutil

import places
import trees
import venvs
from running import Lane, Log, locked

_WRITTEN = ("CHANGELOG.md", "changelogs/changelog.yaml")


def lanes() -> list[Lane]:
    return [Lane("release notes", _release_notes)]


def _release_notes(log: Log) -> None:
    binaries, env = venvs.tool(venvs.TOOLS, log)
    with locked("changelog", log):
        # In a copy where Ansible finds collections: the tool asks ansible-doc which plugins are new.
        copied = trees.copy("changelog")
        env["ANSIBLE_COLLECTIONS_PATH"] = str(trees.collections_path(copied))
        options = ("--update-existing", "--refresh", "--reload-plugins")
        log.run([binaries / "antsibull-changelog", "release", *options], cwd=copied, env=env)
        for name in _WRITTEN:
            shutil.copyfile(copied / name, places.ROOT / name)
