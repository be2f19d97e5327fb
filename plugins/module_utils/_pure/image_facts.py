# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What an image is, in the same words whatever holds it: podman, docker, a CRI runtime, an archive or a registry."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .platforms import Platform
from .reasons import Reason


@dataclass(frozen=True)
class ImageFacts:
    """One image, wherever it is.

    C(id) is the config digest (C(sha256:…)), None where it cannot be told (C(reason) then says why: C(id_not_config));
    C(engine_id) is the engine's own ID where that is something else. C(digest) is the manifest's or index's digest that
    the holder shows first, C(digests) all that are recorded. C(tags) are full names C(repository:tag), C(repo_digests)
    names C(repository@digest). C(created) is RFC 3339 in UTC, C(size) in bytes as the holder counts it.
    """

    id: str | None
    source: str
    name: str | None = None
    engine_id: str | None = None
    digest: str | None = None
    digests: frozenset[str] = frozenset()
    tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    platform: Platform | None = None
    created: str | None = None
    size: int | None = None
    labels: t.Mapping[str, str] = field(default_factory=dict)
    corrupted: bool = False
    is_manifest_list: bool = False
    reason: Reason | None = None
