# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are not there: what they would tell, and an inventory of such whose Python only prints that.

Ansible does to them all that it does to any host, and its worker for a task is a process; the host itself is none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import tempfile
import typing as t
from pathlib import Path

CONTAINERS, IMAGES = 20, 15
_PLATFORM = "linux/amd64"


def host_told(number: int) -> dict[str, t.Any]:
    """What one host tells, as the module's JSON: no two hosts share a container's ID, and none shares a string."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps({"changed": False, "workloads": list(_rows(number))})))


def answered(host: str) -> dict[str, t.Any]:
    """What the registries tell: a third of all images is new."""
    names = [_reference(image) for image in range(IMAGES)]
    return {
        "item": {"host": host, "names": names, "platform": None, "of": _PLATFORM},
        "images": [_answer(image) for image in range(IMAGES)],
        "registries": [],
    }


def _rows(number: int) -> t.Iterator[dict[str, t.Any]]:
    for one in range(CONTAINERS):
        image = one % IMAGES
        digest = _digest(f"old manifest {image}")
        yield {
            "unit": f"app-{one:02}.service",
            "scope": "system",
            "user": None,
            "container": f"{number:012x} (app-{one:02})",
            "container_id": _digest(f"{number} {one}")[7:],
            "container_name": f"app-{one:02}",
            "image": _reference(image),
            "policy": "registry",
            "shared_with": [],
            "pinned": False,
            "reason": None,
            "error": None,
            "running": {
                "id": _digest(f"old {image}"),
                "digest": digest,
                "digests": [digest, _digest(f"old index {image}")],
                "platform": _PLATFORM,
            },
            "unit_state": {
                "load_state": "loaded",
                "active_state": "active",
                "sub_state": "running",
                "job_running": False,
            },
            "warnings": [],
        }


def _answer(image: int) -> dict[str, t.Any]:
    which = "new" if _is_new(image) else "old"
    remote = {
        "digest": _digest(f"{which} manifest {image}"),
        "platform_digest": None,
        "id": _digest(f"{which} {image}"),
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "size": 50_000_000,
        "registry": "registry.example.com",
    }
    return {
        "name": _reference(image),
        "status": "pending",
        "reason": None,
        "error": None,
        "local": None,
        "remote": remote,
    }


def _reference(image: int) -> str:
    return f"registry.example.com/team/app-{image:02}:stable"


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def pending_containers() -> int:
    """How many of a host's containers are not what the registries have."""
    return sum(_is_new(one % IMAGES) for one in range(CONTAINERS))


@contextlib.contextmanager
def inventory(hosts: int) -> t.Iterator[Path]:
    """The inventory of so many; each also answers for the registries."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = {}
        for number in range(hosts):
            name, program = host_name(number), folder / f"{number}.python"
            program.write_text(
                "#!/bin/sh\n"
                f"case $1 in *image_digest_info*) printf '%s\\n' {shlex.quote(json.dumps(answered(name)))};; "
                f"*) printf '%s\\n' {shlex.quote(json.dumps(host_told(number)))};; esac\n",
                encoding="utf-8",
            )
            program.chmod(0o755)
            found[name] = {"ansible_connection": "local", "ansible_python_interpreter": str(program)}
        path = folder / "hosts.json"
        path.write_text(json.dumps({"all": {"hosts": found}}), encoding="utf-8")
        yield path


def host_name(number: int) -> str:
    """Names in the order of their numbers."""
    return f"host-{number:05}"


def _is_new(image: int) -> bool:
    return image % 3 == 0
