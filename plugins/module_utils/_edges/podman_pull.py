# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""podman's transfers: C(podman pull) with its log, its retries, and why it failed."""

from __future__ import annotations

import contextlib
import math
import re
import time
import typing as t

from .._pure import records
from .._pure.errors import RegistryError, StoreError
from .._pure.platforms import Platform
from .._pure.pull_decisions import Pulled
from .._pure.reasons import Reason
from .._pure.references import InvalidReferenceError, Reference
from .._pure.texts import escaped, printable
from . import process
from .command import Command, message
from .podman import AuthfileMaker

#: What podman before 5 repeats by itself, whatever it is told (containers/common, libimage: 3 after the first try).
_BUILT_IN_TRIES = 4
_HELP_SECONDS = 30.0
_LOG_LINES = 500
#: podman's own words; none of these gets better by another try.
_CAUSES = (
    (re.compile(r"(?i)source image rejected|signature was required|rejected by policy"), Reason.SIGNATURE_REJECTED),
    (re.compile(r"(?i)no space left on device|disk quota exceeded"), Reason.NO_SPACE),
    (re.compile(r"(?i)manifest unknown|name unknown|unauthorized|authentication required|denied"), Reason.PULL_FAILED),
)


class PodmanTransfers:
    """Pulls of the user who runs this process.

    C(authfiles) makes the authfile for one reference, C(verify_tls) is None where registries.conf decides, C(retries) is
    None where podman does. C(timeout) bounds one pull with all its tries, in seconds.
    """

    def __init__(
        self,
        authfiles: AuthfileMaker | None = None,
        *,
        verify_tls: bool | None = None,
        retries: int | None = None,
        timeout: float = 3600.0,
    ) -> None:
        self._podman = Command.podman()
        self._authfiles = authfiles
        self._options = [] if verify_tls is None else [f"--tls-verify={str(verify_tls).lower()}"]
        self._timeout = timeout
        self._tries = 1
        if retries is not None:
            if self._knows_retry():
                self._options.append(f"--retry={retries}")
            else:
                self._tries = math.ceil((retries + 1) / _BUILT_IN_TRIES)

    def _knows_retry(self) -> bool:
        return "--retry " in self._podman.call("pull", "--help", timeout=_HELP_SECONDS)

    def pull(self, source: str, platform: Platform | None) -> Pulled:
        """Transfer what podman-pull(1) calls a source; the images are told by the IDs that podman prints.

        Raises:
            StoreError: It did not come: C(pull_failed), C(signature_rejected) or C(no_space).
        """
        options = [*self._options, f"--platform={platform}"] if platform is not None else self._options
        try:
            with self._authfile_for(source) as path:
                return self._tried(source, [*options, f"--authfile={path}"] if path else options)
        except RegistryError as error:  # A credential helper failed.
            raise StoreError(f"podman pull {printable(source)}: {error}", error.reason) from None

    def _authfile_for(self, source: str) -> t.ContextManager[str | None]:
        try:
            reference = Reference.parse(source)
        except InvalidReferenceError:
            return contextlib.nullcontext()
        return self._authfiles(reference, None) if self._authfiles else contextlib.nullcontext()

    def _tried(self, source: str, options: list[str]) -> Pulled:
        until = time.monotonic() + self._timeout
        for _try in range(self._tries - 1):
            try:
                return self._once(source, options, until)
            except StoreError as error:
                if error.reason is not Reason.PULL_FAILED or _CAUSES[-1][0].search(str(error)):
                    raise
        return self._once(source, options, until)

    def _once(self, source: str, options: list[str], until: float) -> Pulled:
        what = f"podman pull {printable(source)}"
        left = max(until - time.monotonic(), 0.001)
        try:
            done = process.run([self._podman.path, "pull", *options, source], timeout=left)
        except process.ProcessTimeoutError:
            late = f"{what} did not end within {self._timeout:.0f} s and was killed"
            raise StoreError(late, Reason.PULL_FAILED) from None
        except OSError as error:
            raise StoreError(f"{what} could not be started: {error}", Reason.PULL_FAILED) from None
        lines = [line.strip() for line in done.errors.splitlines() if line.strip()]
        if done.code != 0:
            said = message(done)
            cause = next((reason for pattern, reason in _CAUSES if pattern.search(said)), Reason.PULL_FAILED)
            raise StoreError(f"{what}: {escaped(said)}", cause)
        ids = tuple(dict.fromkeys(filter(None, map(records.image_id, done.output.split()))))
        if not ids:
            raise StoreError(f"{what} printed no image ID: {printable(done.output[-200:])!r}", Reason.PULL_FAILED)
        return Pulled(ids, tuple(map(printable, lines[-_LOG_LINES:])))
