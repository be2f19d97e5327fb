# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The images of a CRI runtime (containerd, CRI-O), by crictl: one call for the list, one for all details."""

from __future__ import annotations

import typing as t

from .._pure import cri_images
from .._pure.image_facts import ImageFacts
from .._pure.reasons import Reason
from .command import Command


class Cri:
    """The runtime that crictl is set up for, or finds by itself.

    Raises:
        StoreError: crictl is not installed.
    """

    def __init__(self) -> None:
        self._crictl = Command.found("crictl", "install crictl (cri-tools)", Reason.ENGINE_FAILED)

    def images(self) -> tuple[ImageFacts, ...]:
        """List all images; platform, time and labels are left out.

        Raises:
            StoreError: The runtime could not be asked.
        """
        return cri_images.listed(self._crictl.json("images", "-o", "json"))

    def details(self, ids: t.Sequence[str]) -> dict[str, ImageFacts]:
        """Inspect images by ID.

        Raises:
            StoreError: The runtime could not be asked, or an image has vanished.
        """
        return cri_images.inspected(self._crictl.call("inspecti", "-o", "json", *ids)) if ids else {}
