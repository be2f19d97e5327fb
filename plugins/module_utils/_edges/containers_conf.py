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
#: Where later releases of podman may look too.
_VENDORS = pathlib.Path("/usr/share/containers")
#: No real file is longer, and no real folder has more.
_LONGEST = 4 * 1024 * 1024
_MOST_FILES = 200
#: The keys that it takes, of both versions of the format; a key may also be written with escapes.
_LEADING_ELSEWHERE = ("block", "mirror", "prefix", "\\")


def may_lead_elsewhere() -> bool:
    """Whether a containers-registries.conf(5) could block a registry or send its questions to another one.

    Only podman reads these files for what they say, and tells it late. Without any of these words no file can say such a
    thing; with one of them it may, and what cannot be read may say anything.
    """
    vendors = [_VENDORS / "registries.conf", *(_VENDORS / "registries.conf.d").glob("*.conf")]
    for path in [*_registries_files(), *vendors]:
        body = _read(path)
        if body is None:
            if path.exists():
                return True
            continue
        lines = body.decode("utf-8", "replace").lower().splitlines()
        told = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
        if any(word in told for word in _LEADING_ELSEWHERE):
            return True
    return False


def short_names() -> ShortNames:
    """The rules of registries.conf, of its drop-ins, and of the aliases that podman has recorded (the last file wins)."""
    files = [*_registries_files(), _cache() / "short-name-aliases.conf"]
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


def _registries_files() -> list[pathlib.Path]:
    """registries.conf and its drop-ins, in the order in which the last word counts."""
    own = _own()
    conf = os.environ.get("CONTAINERS_REGISTRIES_CONF")
    candidates = [pathlib.Path(conf)] if conf else [own / "registries.conf", _SYSTEM / "registries.conf"]
    files = [path for path in candidates if path.is_file()][:1]
    for folder in (_SYSTEM, own):
        files += sorted((folder / "registries.conf.d").glob("*.conf"))[:_MOST_FILES]
    return files


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
