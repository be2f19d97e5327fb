# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a unit says to podman itself, so that an entry may not: options of podman, and labels that updates go by."""

from __future__ import annotations

from .policies import LABEL

#: Also what systemd does in podman's place.
_OPTIONS = frozenset(
    (
        *("--name", "--cidfile", "--conmon-pidfile", "--rm", "--detach", "-d", "--replace", "--sdnotify", "--restart"),
        *("--pod", "--pod-id-file", "--infra-conmon-pidfile", "--exit-policy", "--service-container", "--down"),
    )
)
_UNIT_LABEL = "PODMAN_SYSTEMD_UNIT"


def is_own_option(option: str) -> bool:
    """Whether the unit gives podman this option itself."""
    return option in _OPTIONS


def instead_of_label(name: str) -> str | None:
    """What to do in place of giving a label of this name; None for a label that anybody may give."""
    if name == _UNIT_LABEL:
        return "the unit sets it itself; leave it out"
    if name == LABEL:
        return "use autoupdate"
    if name == f"{LABEL}.authfile":
        return "use authfile"
    return "use autoupdate and authfile" if name.startswith(f"{LABEL}.") else None
