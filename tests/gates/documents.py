# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docs gate: the pages of every plugin and role, as a reader gets them."""

from __future__ import annotations

import shutil

import places
import trees
import venvs
from running import Lane, Log, locked

_SPHINX_CONFIGURATION = {
    "project": "podfleet.autoupdate",
    "copyright": "Contributors to the podfleet.autoupdate collection",
    "extensions": "sphinx_antsibull_ext",
    "html_theme": "sphinx_ansible_theme",
}


def lanes() -> list[Lane]:
    return [Lane("pages", _pages)]


def _pages(log: Log) -> None:
    binaries, env = venvs.tool(venvs.TOOLS, log)
    sources, pages = places.BUILD / "docs" / "rst", places.BUILD / "docs" / "html"
    with locked("docs", log):
        copied = trees.copy("docs")
        env["ANSIBLE_COLLECTIONS_PATH"] = str(trees.collections_path(copied))
        shutil.rmtree(places.BUILD / "docs", ignore_errors=True)
        sources.mkdir(parents=True)
        collection = f"{places.NAMESPACE}.{places.COLLECTION}"
        options = ("--use-current", "--fail-on-error", "--squash-hierarchy", "--dest-dir", str(sources))
        log.run([binaries / "antsibull-docs", "collection", *options, collection], cwd=copied, env=env)
        definitions = [word for name, value in _SPHINX_CONFIGURATION.items() for word in ("-D", f"{name}={value}")]
        # -C: no conf.py, so that nothing is fetched; links to other collections' pages stay plain text.
        log.run([binaries / "sphinx-build", "-q", "-C", *definitions, "-b", "html", sources, pages], env=env)
    log.note(f"{pages / 'index.html'}")
