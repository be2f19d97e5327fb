# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The pull side of the distribution spec, for one repository: a tag's digest by HEAD, and bodies that fit their digest."""

from __future__ import annotations

import typing as t

from .._pure import manifests
from .._pure.credentials import Credential
from .._pure.errors import RegistryError
from .._pure.reasons import Reason
from .._pure.references import is_digest
from .hosts import RegistryHost
from .pacing import Lease
from .tokens import hint
from .transport import Answer

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _SERVER_ERROR = 200, 401, 403, 404, 500
_NO_HEAD = (400, 405, 501)


class Repository:
    """One repository on one host, asked with one credential, until a time (monotonic seconds)."""

    def __init__(self, host: RegistryHost, name: str, credential: Credential | None, until: float) -> None:
        self.host = host
        self._name = name
        self._credential = credential
        self._until = until

    def head(self, name: str) -> tuple[str | None, str | None]:
        """The digest and media type of a tag or digest; no digest where the registry tells it only with the body.

        Raises:
            RegistryError: The registry does not say.
        """
        answer = self._ask("HEAD", "manifests", name)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if answer.status == _OK:
            return (digest if is_digest(digest) else None), _media_type(answer)
        if answer.status in _NO_HEAD:
            return None, None
        raise self._refusal(answer, name)

    def manifest(self, name: str, lease: Lease) -> tuple[bytes, str | None]:
        """The body and media type of a manifest by tag or digest; a digest is verified, also one in the header.

        Raises:
            RegistryError: The registry does not give it, or gives another one.
        """
        answer = t.cast("Answer", lease.spend(lambda: self._got("manifests", name)))
        return answer.body, _media_type(answer)

    def blob(self, digest: str) -> bytes:
        """The body of a blob; its digest is verified.

        Raises:
            RegistryError: The registry does not give it, or gives another one.
        """
        return self._got("blobs", digest).body

    def _got(self, kind: str, name: str) -> Answer:
        answer = self._ask("GET", kind, name)
        if answer.status != _OK:
            raise self._refusal(answer, name)
        told = answer.headers.get("Docker-Content-Digest")
        for wanted in (name if is_digest(name) else None, told if kind == "manifests" else None):
            if wanted and manifests.digest_of(answer.body) != wanted:
                raise RegistryError(
                    f"{self.host.name} answers {self._name} with a body that does not have the digest {wanted[:80]}",
                    Reason.REGISTRY_INVALID,
                )
        return answer

    def _ask(self, method: str, kind: str, name: str) -> Answer:
        return self.host.ask(
            method,
            f"/v2/{self._name}/{kind}/{name}",
            {"Accept": manifests.ACCEPT if kind == "manifests" else "*/*"},
            repository=self._name,
            credential=self._credential,
            until=self._until,
        )

    def _refusal(self, answer: Answer, name: str) -> RegistryError:
        said = f"{self.host.name} answers {answer.status} for {self._name}{'@' if is_digest(name) else ':'}{name}"
        if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
            return RegistryError(f"{said}; {hint(self._credential)}", Reason.AUTH_REQUIRED)
        if answer.status == _NOT_FOUND:
            return RegistryError(said, Reason.NOT_FOUND)
        broken = answer.status >= _SERVER_ERROR
        return RegistryError(said, Reason.REGISTRY_UNREACHABLE if broken else Reason.REGISTRY_INVALID)


def _media_type(answer: Answer) -> str | None:
    """The media type that the answer claims, where it is one of those that were asked for."""
    claimed = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return claimed if claimed in manifests.IMAGE_TYPES + manifests.INDEX_TYPES else None
