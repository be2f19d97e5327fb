# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Files of the containers tools on this host: aliases of short names, and the signature policy. Read, never written."""

from __future__ import annotations

import os
import pathlib

from .._pure.short_names import ShortNames
from .._pure.signature_policy import SignaturePolicy

_SYSTEM = pathlib.Path("/etc/containers")
#: No real file is longer, and no real folder has more.
_LONGEST = 4 * 1024 * 1024
_MOST_FILES = 200


def short_names() -> ShortNames:
    """The rules of registries.conf, of its drop-ins, and of the aliases that podman has recorded (the last file wins)."""
    own = _own()
    conf = os.environ.get("CONTAINERS_REGISTRIES_CONF")
    candidates = [pathlib.Path(conf)] if conf else [own / "registries.conf", _SYSTEM / "registries.conf"]
    files = [path for path in candidates if path.is_file()][:1]
    for folder in (_SYSTEM, own):
        files += sorted((folder / "registries.conf.d").glob("*.conf"))[:_MOST_FILES]
    files.append(_cache() / "short-name-aliases.conf")
    names = ShortNames()
    for path in files:
        body = _read(path)
        if body is not None:
            names = names.over(body.decode("utf-8", "replace"))
    return names


def signature_policy() -> SignaturePolicy:
    """The policy that podman enforces: the user's own before the system's (containers-policy.json(5))."""
    for path in (_own() / "policy.json", _SYSTEM / "policy.json"):
        if path.exists():
            # What cannot be read is taken for one that wants signatures: podman says what is wrong with it.
            return SignaturePolicy.parse(_read(path) or b"")
    return SignaturePolicy.parse(None)


def _own() -> pathlib.Path:
    """The user's folder; root has none but the system's, which C(~/.config) may still go before."""
    return pathlib.Path.home() / ".config" / "containers"


def _cache() -> pathlib.Path:
    if os.geteuid() == 0:
        return pathlib.Path("/var/cache/containers")
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "containers"


def _read(path: pathlib.Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            body = file.read(_LONGEST + 1)
    except OSError:
        return None
    return body if len(body) <= _LONGEST else None
