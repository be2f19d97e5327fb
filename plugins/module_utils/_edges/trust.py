# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Whether a file says what only its owner could have made it say."""

from __future__ import annotations

import os
import pathlib
import stat

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40  # As many as the kernel follows (path_resolution(7)).


def objection(path: str, owners: frozenset[int]) -> str | None:
    """Why a file is not to be trusted, or None: it, every folder above and every link on the way belong to C(owners).

    Nobody else may write any of them, not even a folder with the sticky bit. A path on which something is missing is
    trusted as far as it goes: nobody else can make what is missing.
    """
    if not path.startswith("/") or "\0" in path:
        return "is not an absolute path"
    at, left, links = "/", path.split("/")[::-1], 0
    try:
        problem = _problem(at, os.lstat(at), owners)
        while left and problem is None:
            name = left.pop()
            if name in ("", "."):
                continue
            if name == "..":
                at = at.rpartition("/")[0] or "/"
                continue
            here = os.path.join(at, name)
            status = os.lstat(here)
            problem = _problem(here, status, owners)
            if not stat.S_ISLNK(status.st_mode):
                at = here
                continue
            links += 1
            if links > _MOST_LINKS:
                return "leads through too many links"
            target = str(pathlib.Path(here).readlink())
            at = "/" if target.startswith("/") else at
            left += target.split("/")[::-1]
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return problem


def _problem(path: str, status: os.stat_result, owners: frozenset[int]) -> str | None:
    if status.st_uid not in owners:
        return f"is not trusted: {path} belongs to user {status.st_uid}"
    # A link's own mode says nothing (symlink(7)); who may replace it is said by its folder's.
    if not stat.S_ISLNK(status.st_mode) and status.st_mode & _OTHERS_MAY_WRITE:
        return f"is not trusted: others than its owner can write {path}"
    return None
