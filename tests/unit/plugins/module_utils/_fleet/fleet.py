# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts and registries tell, for tests of the fleet."""

from __future__ import annotations

import typing as t

WEB, DB = "quay.io/team/web:1", "docker.io/library/postgres:16"
AMD64, ARM64 = "linux/amd64", "linux/arm64"
OLD, NEW = (f"sha256:{pair * 32}" for pair in ("ab", "cd"))
OLD_DIGEST, NEW_DIGEST, INDEX = (f"sha256:{pair * 32}" for pair in ("01", "23", "45"))


def row(name: str = "web", image: str = WEB, **other: t.Any) -> dict[str, t.Any]:
    """One of autoupdate_info's workloads, which runs the old image."""
    running = {"id": OLD, "digest": OLD_DIGEST, "digests": [OLD_DIGEST], "platform": AMD64, **other.pop("running", {})}
    return {
        "unit": f"{name}.service",
        "scope": "system",
        "user": None,
        "container_name": name,
        "image": image,
        "policy": "registry",
        "pinned": False,
        "reason": None,
        "error": None,
        "running": running,
        "unit_state": {"active_state": "active"},
        **other,
    }


def new_row(name: str = "web", image: str = WEB, **other: t.Any) -> dict[str, t.Any]:
    """The same, and it runs the new image."""
    return row(name, image, running={"id": NEW, "digest": NEW_DIGEST, "digests": [NEW_DIGEST]}, **other)


def host(*rows: t.Mapping[str, t.Any], **other: t.Any) -> dict[str, t.Any]:
    """What a host told."""
    return {"changed": False, "workloads": list(rows), **other}


UNREACHABLE = {"unreachable": True, "msg": "no route to host", "changed": False}
BROKEN = {"failed": False, "msg": "podman: not found"}


def answer(name: str = WEB, status: str = "pending", **other: t.Any) -> dict[str, t.Any]:
    """One of image_digest_info's images; the registry has the new one."""
    remote = {"digest": NEW_DIGEST, "platform_digest": None, "id": NEW, "size": 1000, "registry": "quay.io"}
    return {
        "name": name,
        "status": status,
        "reason": None,
        "error": None,
        "local": {"id": OLD, "digests": [OLD_DIGEST]},
        "remote": remote,
        **other,
    }


def result(by: str, *images: t.Mapping[str, t.Any], of: str = AMD64, **other: t.Any) -> dict[str, t.Any]:
    """What one call on a host came to, when it was asked for just these."""
    item = {"host": by, "names": [one["name"] for one in images], "platform": None, "of": of}
    return {"item": item, "images": list(images), "registries": [], **other}
