# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The update policy that a container's C(io.containers.autoupdate) label asks for."""

from __future__ import annotations

import enum

LABEL = "io.containers.autoupdate"


class Policy(str, enum.Enum):
    """Where a newer image is looked for."""

    REGISTRY = "registry"
    LOCAL = "local"


class InvalidPolicyError(ValueError):
    """The label's value is not one that podman knows."""


def parse_policy(label: str | None) -> Policy | None:
    """The policy of a label's value, or None where the container does not take part (podman-auto-update(1)).

    Raises:
        InvalidPolicyError: The value is none of the known ones.
    """
    if label is None or label in ("", "disabled"):
        return None
    if label in ("registry", "image"):
        return Policy.REGISTRY
    if label == "local":
        return Policy.LOCAL
    raise InvalidPolicyError(
        f"invalid auto-update policy {label[:64]!r}: valid policies are disabled, image, local, registry"
    )
