# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""A container engine's command: found, run within a time, its JSON decoded, its message kept."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._pure import records
from .._pure.errors import StoreError
from .._pure.reasons import Reason
from . import process

_QUERY_SECONDS = 60.0
#: These programs are written in Go, end soon and print little: collecting their garbage often took a fifth of their time.
_FOR_QUERIES = {"GOGC": "400"}
#: What is worth keeping of podman's message; progress lines come before it.
_MESSAGE_LINES = 3
_MESSAGE_LENGTH = 1000
_ERROR = re.compile(r"(?i)error|time=.*level=(error|fatal)")
#: podman info asks dpkg-query(1) which package every program of podman's comes from, which takes half of its time.
#: Nobody here wants to know, and a database that is not there answers at once.
_NO_PACKAGES = {"DPKG_ADMINDIR": "/nonexistent"}


@dataclass(frozen=True)
class Command:
    """One program, C(path), that the user who runs this process calls as C(name); C(reason) is why it fails if it does."""

    name: str
    path: str
    reason: Reason

    @classmethod
    def podman(cls) -> Command:
        """podman.

        Raises:
            StoreError: It is not installed.
        """
        return cls.found("podman", "install podman 4.3 or newer", Reason.STORE_FAILED)

    @classmethod
    def found(cls, name: str, remedy: str, reason: Reason) -> Command:
        """The program of that name on PATH.

        Raises:
            StoreError: There is none; C(remedy) says what to do.
        """
        path = process.find_program(name)
        if path is None:
            raise StoreError(f"{name} is not installed on this host, or not on PATH; {remedy}", reason)
        return cls(name, path, reason)

    def json(self, *arguments: str, tolerant: bool = False, environment: t.Mapping[str, str] | None = None) -> t.Any:
        """What the program prints, decoded; see C(call)."""
        output = self.call(*arguments, tolerant=tolerant, environment={**_FOR_QUERIES, **(environment or {})})
        return records.load(output, f"{self.name} {arguments[0]}")

    def call(
        self,
        *arguments: str,
        timeout: float = _QUERY_SECONDS,
        tolerant: bool = False,
        reason: Reason | None = None,
        environment: t.Mapping[str, str] | None = None,
    ) -> str:
        """What the program prints; with C(tolerant) also where it ends with an error, if it printed anything.

        Raises:
            StoreError: It could not be started, took more than C(timeout) seconds, or ended with an error.
        """
        done = self.run(*arguments, timeout=timeout, reason=reason, environment=environment)
        if done.code != 0 and not (tolerant and done.output.strip()):
            raise self.failure(done, *arguments, reason=reason)
        return done.output

    def run(
        self,
        *arguments: str,
        timeout: float = _QUERY_SECONDS,
        reason: Reason | None = None,
        environment: t.Mapping[str, str] | None = None,
    ) -> process.Completed:
        """Run the program to its end, whatever that is.

        Raises:
            StoreError: It could not be started, or took more than C(timeout) seconds.
        """
        what, reason = f"{self.name} {arguments[0]}", reason or self.reason
        try:
            return process.run([self.path, *arguments], timeout=timeout, environment=environment)
        except process.ProcessTimeoutError:
            raise StoreError(f"{what} did not end within {timeout:.0f} s and was killed", reason) from None
        except OSError as error:
            raise StoreError(f"{what} could not be started: {error}", reason) from None

    def query(self, *arguments: str) -> process.Completed:
        """Run a program that prints little and ends soon; see C(run)."""
        return self.run(*arguments, environment=_FOR_QUERIES)

    def failure(self, done: process.Completed, *arguments: str, reason: Reason | None = None) -> StoreError:
        """The error for a program that ended badly, with what it said itself."""
        named = [arguments[0], *(one[:200] for one in arguments[1:][-1:] if not one.startswith("-"))]
        return StoreError(f"{' '.join([self.name, *named])}: {message(done)}", reason or self.reason)


def podman_info(podman: Command) -> t.Any:
    """What C(podman info) prints, decoded.

    Raises:
        StoreError: podman could not be asked.
    """
    return podman.json("info", "--format=json", environment=_NO_PACKAGES)


def message(done: process.Completed) -> str:
    """What a program that ended badly said: its last lines that are errors, or its last lines."""
    lines = [line.strip() for line in done.errors.splitlines() if line.strip()]
    errors = list(filter(_ERROR.match, lines))
    return " ".join((errors or lines)[-_MESSAGE_LINES:])[-_MESSAGE_LENGTH:] or f"exit code {done.code}"
