# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The closed hierarchy of errors: each carries a machine-readable reason."""

from __future__ import annotations

from .reasons import Reason


class EngineError(Exception):
    """Something that the engine could not do: C(str(error)) is a sentence for people, C(reason) is for machines."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(EngineError):
    """podman refused, failed, or answered with something that cannot be read."""

    def __init__(self, message: str, reason: Reason = Reason.STORE_FAILED) -> None:
        super().__init__(message, reason)


class RegistryError(EngineError):
    """A registry, or its token service, did not give a usable answer."""


class UnitError(EngineError):
    """systemd could not be asked, or refused."""

    def __init__(self, message: str, reason: Reason = Reason.UNITS_NOT_CHECKED) -> None:
        super().__init__(message, reason)


class UnitRefusedError(UnitError):
    """systemd answered, and has not begun what it was asked for."""


class ImageError(EngineError):
    """One image could not be looked up: its name is unusable, or what holds it cannot be read."""


class StateError(EngineError):
    """What this collection remembers on the host cannot be read or written."""

    def __init__(self, message: str, reason: Reason = Reason.STATE_INVALID) -> None:
        super().__init__(message, reason)


class BusyError(EngineError):
    """Somebody else works on the same containers, and did not end in time."""


class InputError(ValueError):
    """A parameter is unusable; nothing was done."""


#: What distributions call the libraries, where it is not the name of the import.
_PACKAGES = {"dbus": "dbus-python"}


class MissingLibraryError(Exception):
    """A Python library that the host must have is not there."""

    def __init__(self, library: str, traceback: str) -> None:
        super().__init__(library)
        self.library = library
        self.package = _PACKAGES.get(library, library)
        self.traceback = traceback
