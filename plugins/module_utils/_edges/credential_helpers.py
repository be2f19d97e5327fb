# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Credential helpers: programs that keep the secrets (docker-credential-helpers, «Development»).

C(docker-credential-NAME get) reads a server from its input and prints a JSON object. No secret is on a command line, and
nothing that a helper prints gets into a message.
"""

from __future__ import annotations

import re
import threading

from .._pure import documents
from .._pure.authfiles import HelperCall
from .._pure.credentials import TOKEN_USER, Credential
from .._pure.errors import RegistryError
from .._pure.reasons import Reason
from . import process

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_SECONDS = 30.0
_LONGEST = 64 * 1024
#: What helpers print where they know nothing (credentials.NewErrCredentialsNotFound in docker-credential-helpers).
_NOT_FOUND = "credentials not found in native keychain"


class Helpers:
    """The helpers of one run; each is asked once for each server, whoever needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[HelperCall, _Answer] = {}

    def ask(self, call: HelperCall) -> Credential | None:
        """What a helper knows; None: nothing.

        Raises:
            RegistryError: It is not one, could not be run, or gave nonsense.
        """
        with self._lock:
            answer = self._answers.setdefault(call, _Answer(call))
        return answer.get()

    def missing(self) -> tuple[str, ...]:
        """The programs of optional calls that are not installed."""
        return tuple(sorted({answer.call.helper for answer in self._answers.values() if answer.missing}))


class _Answer:
    def __init__(self, call: HelperCall) -> None:
        self.call = call
        self.missing = False
        self._lock = threading.Lock()
        self._result: Credential | RegistryError | None = None
        self._known = False

    def get(self) -> Credential | None:
        with self._lock:
            if not self._known:
                try:
                    self._result = self._ask()
                except RegistryError as error:
                    self._result = error
                self._known = True
        if isinstance(self._result, RegistryError):
            raise self._result
        return self._result

    def _ask(self) -> Credential | None:
        call = self.call
        if not _NAME.match(call.helper):
            raise _failed(f"the authfile names a credential helper by {call.helper[:60]!r}, which is not a plain word")
        program = f"docker-credential-{call.helper}"
        path = process.find_program(program)
        if path is None:
            if call.optional:
                self.missing = True
                return None
            raise _failed(f"{program} is not installed on this host, or not on PATH")
        by_hand = f"to see why: echo {call.server} | {program} get"
        try:
            done = process.ask([path, "get"], call.server, timeout=_SECONDS, most=_LONGEST)
        except process.ProcessTimeoutError:
            raise _failed(f"{program} did not answer within {_SECONDS:.0f} s; {by_hand}") from None
        except process.ProcessOutputError:
            raise _failed(f"{program} printed more than {_LONGEST} bytes") from None
        except OSError as error:
            raise _failed(f"{program} could not be started: {error.strerror}") from None
        if done.code != 0:
            if done.output.strip() == _NOT_FOUND:
                return None
            raise _failed(f"{program} ended with exit code {done.code}; {by_hand}")
        return _read(done.output, program)


def _read(output: str, program: str) -> Credential | None:
    try:
        document = documents.load_object(output.encode("utf-8", "replace"), program)
    except documents.DocumentError:
        raise _failed(f"{program} printed something that is not a JSON object") from None
    username, secret = document.get("Username"), document.get("Secret")
    if not isinstance(username, str) or not isinstance(secret, str):
        raise _failed(f"{program} printed neither a user name nor a secret")
    if not secret and not username:
        return None
    if username == TOKEN_USER:
        return Credential(TOKEN_USER, "", secret)
    return Credential(username, secret)


def _failed(message: str) -> RegistryError:
    return RegistryError(message, Reason.CREDENTIAL_HELPER)
