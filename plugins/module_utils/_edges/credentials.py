# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Where credentials come from on a host, and how podman is given them: by a private file, never by its command line."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import tempfile
import typing as t

from .._pure.credentials import Credential, CredentialBook, load_authfile, parse_authfile, registry_key
from .._pure.errors import InputError

#: No real authfile is longer.
_LONGEST = 1024 * 1024
_RUN_DIRECTORY = pathlib.Path("/run/podfleet-autoupdate")


class CredentialFiles:
    """The credentials of one run: the task's own before those of one authfile (containers-auth.json(5))."""

    def __init__(self, credentials: t.Mapping[str, Credential], authfile: str | None) -> None:
        for registry, credential in credentials.items():
            if not registry or registry.split() != [registry] or not credential.username:
                raise InputError(f"credentials: {registry!r} needs to be a registry's host, with a username")
            if ":" in credential.username:  # RFC 7617, section 2: what follows a colon would be the password.
                raise InputError(f"credentials: the username for {registry} must not contain a colon")
        self._own = CredentialBook({registry_key(key): value for key, value in credentials.items()})
        self._given = authfile
        self._path = pathlib.Path(authfile) if authfile else _default_authfile(os.environ)
        if authfile and not pathlib.Path(authfile).is_file():
            raise InputError(f"authfile: {authfile} is not there, or is not a file on this host")

    def book(self) -> CredentialBook:
        """All credentials, for asking registries."""
        text = self._text()
        return self._own.over(parse_authfile(text, str(self._path))) if text else self._own

    @contextlib.contextmanager
    def for_podman(self) -> t.Iterator[str | None]:
        """The authfile to give to podman; None where podman's own search finds the same.

        The task's credentials travel in a file that only this user can read, and that is removed on every exit.
        """
        if not self._own.entries:
            yield self._given
            return
        document = load_authfile(self._text() or "{}", str(self._path))
        # What the task's credentials hide in the book must not be found by podman either.
        auths = {
            key: value for key, value in _part(document, "auths").items() if not self._own.hides(registry_key(key))
        }
        # podman asks a host's helper before it looks at any auths below that host.
        hosts = {key.partition("/")[0] for key in self._own.entries}
        helpers = {
            key: value for key, value in _part(document, "credHelpers").items() if registry_key(key) not in hosts
        }
        own = {key: {"auth": value.basic()} for key, value in self._own.entries.items()}
        merged = {**document, "auths": {**auths, **own}, "credHelpers": helpers}
        _RUN_DIRECTORY.mkdir(mode=0o700, exist_ok=True)
        descriptor, path = tempfile.mkstemp(prefix="auth-", suffix=".json", dir=_RUN_DIRECTORY)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(merged, file)
            yield path
        finally:
            pathlib.Path(path).unlink(missing_ok=True)

    def _text(self) -> str | None:
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                body = file.read(_LONGEST + 1)
        except OSError as error:
            raise InputError(f"authfile: {self._path} cannot be read: {error.strerror}") from None
        if len(body) > _LONGEST:
            raise InputError(f"authfile: {self._path} is longer than {_LONGEST} bytes")
        return body.decode("utf-8", "replace")


def _part(document: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _default_authfile(environment: t.Mapping[str, str]) -> pathlib.Path | None:
    """The file that podman would use where none is given (podman-login(1), and Docker's own as the last resort)."""
    if environment.get("REGISTRY_AUTH_FILE"):
        candidates = [environment["REGISTRY_AUTH_FILE"]]
    elif environment.get("DOCKER_CONFIG"):
        candidates = [os.path.join(environment["DOCKER_CONFIG"], "config.json")]
    else:
        home = os.path.expanduser("~")
        runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
        candidates = [
            os.path.join(runtime, "containers", "auth.json")
            if environment.get("XDG_RUNTIME_DIR")
            else os.path.join(runtime, "auth.json"),
            os.path.join(environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers/auth.json"),
            os.path.join(home, ".docker/config.json"),
        ]
    return next((path for path in map(pathlib.Path, candidates) if path.is_file()), None)
