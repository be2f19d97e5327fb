# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine on a host, without Ansible, as it would be installed there."""

from __future__ import annotations

import io
import tarfile
from base64 import b64encode

import checkout
from lablib.host import Host

FOLDER = "/root/podfleet-bench"
MEASURE = ("python3", f"{FOLDER}/measure.py")


def install_engine(host: Host, *scripts: str) -> None:
    """Copy what is measured to the host. It keeps compiled files there, as an installed engine does."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(
            checkout.ROOT / "plugins" / "module_utils",
            "module_utils",
            filter=lambda entry: None if "__pycache__" in entry.name else entry,
        )
        for script in scripts:
            tar.add(checkout.BENCH / "on_host" / script, script)
    command = f"rm -rf {FOLDER} && mkdir {FOLDER} && base64 -d | tar -xz --no-same-owner -C {FOLDER}"
    host.run(["sh", "-c", command], input=b64encode(archive.getvalue()).decode("ascii"))


def remove_engine(host: Host) -> None:
    """Leave nothing on the host."""
    host.run(["rm", "-rf", FOLDER])
