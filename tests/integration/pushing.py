# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of these tests, in repositories of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lablib.host import Host
from lablib.images import ImageMaker, Pushed
from locations import LANE

#: The platform of all images that say nothing else.
PLATFORM = "linux/amd64"


@dataclass(frozen=True)
class Push:
    """Push an image: ``push("web", version="2")``. No two repositories share an image, and no two hosts a repository."""

    maker: ImageMaker
    distro: str

    def repository(self, name: str) -> str:
        """The repository that an image of that name is pushed to."""
        return f"it-{self.distro}-{LANE}-{name}"

    def __call__(self, name: str, *, tag: str = "latest", version: str = "1", **options: Any) -> Pushed:
        return self.maker.push(self.repository(name), tag, version=f"{self.distro}-{LANE}-{name}-{version}", **options)


def id_of(pushed: Pushed) -> str:
    """The image ID of what was pushed for one platform only, or for the one that the lab runs."""
    return pushed.image_ids[PLATFORM]


def build(host: Host, image: Pushed, name: str) -> None:
    """As if the host had built it: it has the local name, and no other."""
    pulled = image.reference
    host.run(["sh", "-ec", f"podman pull --quiet {pulled}; podman tag {pulled} {name}; podman untag {name} {pulled}"])
