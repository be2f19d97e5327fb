# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Where credentials come from on a host, and how podman is given them: by a private file, never by its command line."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import threading
import typing as t
from dataclasses import dataclass

from .._pure.authfiles import Authfile, HelperCall, parse_authfile, render
from .._pure.credentials import Credential, CredentialBook, registry_key
from .._pure.errors import InputError, RegistryError
from .._pure.reasons import Reason
from .._pure.references import Reference
from . import trust
from .credential_helpers import Helpers
from .private_files import private_file, runtime_folder

_LONGEST = 1024 * 1024
_NOTHING = Authfile()


@dataclass(frozen=True)
class _Place:
    """Where credentials may stand. C(said_by) is who names it, where it is the only place that counts."""

    path: str
    said_by: str | None = None
    legacy: bool = False


class CredentialFiles:
    """The credentials of one run: the task's own before those of authfiles and credential helpers.

    One file counts where one is named: by a container's label, by the task, by a variable. Else podman's and Docker's
    default files do, the first one that knows the registry (containers-auth.json(5)). Called from several threads.
    """

    def __init__(self, credentials: t.Mapping[str, Credential], authfile: str | None) -> None:
        for registry, credential in credentials.items():
            if not registry or registry.split() != [registry] or not credential.username:
                raise InputError(f"credentials: {registry!r} needs to be a registry's host, with a username")
            if ":" in credential.username:  # RFC 7617, section 2: what follows a colon would be the password.
                raise InputError(f"credentials: the username for {registry} must not contain a colon")
        self._own = CredentialBook({registry_key(key): value for key, value in credentials.items()})
        self._helpers = Helpers()
        self._files: dict[_Place, Authfile | RegistryError | None] = {}
        self._lock = threading.Lock()
        self._given = _Place(authfile, "authfile") if authfile else None
        if self._given and not pathlib.Path(self._given.path).is_file():
            raise InputError(f"authfile: {authfile} is not there, or is not a file on this host")
        if self._given:
            self._task_file(self._given)

    def for_reference(self, reference: Reference, authfile: str | None = None) -> Credential | None:
        """The credential for a repository; C(authfile) is the file that a container's label names.

        Raises:
            RegistryError: As C(Credentials) says.
        """
        own = self._own.for_reference(reference)
        if own is not None:
            return own
        files = [self._read(place) or _NOTHING for place in self._places(authfile)]
        for file in files:
            found = self._told(file.find(reference))
            if found is not None:
                return found
        for file in files:
            found = self._told(file.find_in_store(reference))
            if found is not None:
                return found
        return None

    @contextlib.contextmanager
    def for_podman(self, reference: Reference | None = None, authfile: str | None = None) -> t.Iterator[str | None]:
        """The authfile to give to podman for pulling C(reference); None where podman's own search finds the same.

        Credentials that do not stand in the one file that counts travel in a file that only this user can read, and
        that is removed on every exit. Without a reference, Docker's C(credsStore) is not asked.

        Raises:
            RegistryError: As C(Credentials) says.
        """
        places = self._places(authfile)
        read = [self._read(place) for place in places]
        files = [file or _NOTHING for file in read]
        if not self._own.entries and not any(file.store for file in files):
            named = places[0] if places[0].said_by else None
            if named is None or read[0] is not None:
                yield named.path if named else None
                return
        own = dict(self._own.entries)
        credential = self.for_reference(reference, authfile) if reference else None
        if reference and credential:
            own.setdefault(reference.repository, credential)
        with private_file(render(CredentialBook(own), files)) as path:
            yield path

    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the files that were used."""
        missing = [place for place, file in self._files.items() if file is None and place.said_by]
        return (
            *(f"{one.said_by}: {one.path} is not there, so the registry is asked anonymously" for one in missing),
            *(f"credsStore: docker-credential-{name} is not installed" for name in self._helpers.missing()),
        )

    def _told(self, found: Credential | HelperCall | None) -> Credential | None:
        return self._helpers.ask(found) if isinstance(found, HelperCall) else found

    def _places(self, label: str | None) -> tuple[_Place, ...]:
        if label:
            return (_Place(label, _LABEL),)
        return (self._given,) if self._given else _default_places(os.environ)

    def _task_file(self, place: _Place) -> None:
        """Say at once what is wrong with a parameter of the task."""
        try:
            self._read(place)
        except RegistryError as error:
            raise InputError(f"authfile: {error}") from None

    def _read(self, place: _Place) -> Authfile | None:
        """The file, read once; None where it is not there."""
        with self._lock:
            if place not in self._files:
                try:
                    self._files[place] = _authfile(place)
                except RegistryError as error:
                    self._files[place] = error
            file = self._files[place]
        if isinstance(file, RegistryError):
            raise file
        return file


_LABEL = "io.containers.autoupdate.authfile"


def _authfile(place: _Place) -> Authfile | None:
    if place.said_by == _LABEL:
        objection = trust.objection(place.path, frozenset({0, os.geteuid()}))
        if objection:
            raise RegistryError(f"{_LABEL}: {place.path[:200]!r} {objection}", Reason.AUTHFILE_UNTRUSTED)
    try:
        text = _text(place.path)
        return None if text is None else parse_authfile(text, place.path, legacy=place.legacy)
    except (InputError, ValueError) as error:
        raise RegistryError(str(error), Reason.AUTHFILE_INVALID) from None
    except OSError as error:
        raise RegistryError(f"{place.path} cannot be read: {error.strerror}", Reason.AUTHFILE_INVALID) from None


def _text(path: str) -> str | None:
    try:
        # Not to wait for what a pipe may once hold.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        # In a folder that this user may not even enter, nothing was left for him: /run/containers is root's.
        if not os.access(pathlib.Path(path).parent, os.X_OK):
            return None
        raise
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{path} is not a file")
        body = file.read(_LONGEST + 1)
    if len(body) > _LONGEST:
        raise InputError(f"{path} is longer than {_LONGEST} bytes")
    return body.decode("utf-8", "replace")


def _default_places(environment: t.Mapping[str, str]) -> tuple[_Place, ...]:
    """Where podman looks when it is told nothing (podman-login(1)), and Docker's own files after that."""
    if environment.get("REGISTRY_AUTH_FILE"):
        return (_Place(environment["REGISTRY_AUTH_FILE"], "REGISTRY_AUTH_FILE"),)
    if environment.get("DOCKER_CONFIG"):
        return (_Place(os.path.join(environment["DOCKER_CONFIG"], "config.json"), "DOCKER_CONFIG"),)
    home = os.path.expanduser("~")
    runtime = runtime_folder(environment)
    return (
        _Place(f"{runtime}/containers/auth.json" if runtime else f"/run/containers/{os.getuid()}/auth.json"),
        _Place(os.path.join(environment.get("XDG_CONFIG_HOME") or f"{home}/.config", "containers/auth.json")),
        _Place(os.path.join(home, ".docker/config.json")),
        _Place(os.path.join(home, ".dockercfg"), legacy=True),
    )
