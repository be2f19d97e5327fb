# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door for what registries have under many references of one platform, asked on the controller."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from .._edges.credentials import CredentialFiles
from .._pure.decisions import RemoteImage
from .._pure.errors import EngineError, ImageError
from .._pure.platforms import Platform
from .._pure.questions import Question
from .._pure.reasons import ImageStatus, Reason
from .._pure.references import InvalidReferenceError, Reference
from .._pure.registries import RegistriesConf
from .settings import LONGEST_TIMEOUT, REGISTRY_SECONDS, REGISTRY_WIDTH, Access, must_be_in_range, must_be_reachable

#: More threads than this wait for each other rather than for registries.
_MOST_THREADS = 64


class Asked(t.TypedDict):
    """What is asked: references, their platform, and by reference the digests that need not be opened."""

    names: list[str]
    platform: str
    known: t.Mapping[str, frozenset[str]]


def remote_targets(asked: Asked, access: Access, timeout: float = REGISTRY_SECONDS) -> dict[str, t.Any]:
    """What each reference is now: C(images) and C(registries), as C(image_digest_info) returns them.

    C(timeout) bounds each request, in seconds. No registries.conf is read: registries are asked by the name that a
    reference has.

    Raises:
        InputError: A setting is unusable.
        MissingLibraryError: requests is not there.
    """
    must_be_in_range("timeout", timeout, LONGEST_TIMEOUT)
    must_be_reachable(access)
    platform = Platform.parse(asked["platform"])
    names = list(dict.fromkeys(asked["names"]))
    if not names:
        return {"images": [], "registries": []}
    # Imported only where a registry is asked.
    from .._edges.registry import RegistryClient  # noqa: PLC0415
    from .._edges.transport import TlsOptions, import_libraries  # noqa: PLC0415

    import_libraries()
    files = CredentialFiles(access.credentials, access.authfile)
    tls = TlsOptions(access.validate_certs, access.ca_path)
    client = RegistryClient(
        RegistriesConf(), files, tls, timeout=timeout, width=REGISTRY_WIDTH, budget=access.request_budget
    )
    questions = {name: _question(name, platform, asked["known"].get(name, frozenset())) for name in names}
    client.prepare([one for one in questions.values() if isinstance(one, Question)])

    def ask(question: Question | EngineError) -> RemoteImage | EngineError:
        if isinstance(question, EngineError):
            return question
        try:
            return client.resolve(question)
        except EngineError as error:
            return error

    with ThreadPoolExecutor(max_workers=min(_MOST_THREADS, len(names))) as pool:
        answers = dict(zip(names, pool.map(ask, questions.values())))
    return {
        "images": [_row(name, answers[name], asked["known"].get(name, frozenset())) for name in names],
        "registries": [asdict(one) for one in client.usage()],
    }


def _question(name: str, platform: Platform, known: frozenset[str]) -> Question | EngineError:
    try:
        reference = Reference.parse(name)
    except InvalidReferenceError as error:
        return ImageError(str(error), Reason.BAD_REFERENCE)
    if not reference.fully_qualified:
        return ImageError(f"{name} does not say which registry to ask", Reason.SHORT_NAME)
    return Question(reference, platform, known)


def _row(name: str, answer: RemoteImage | EngineError, known: frozenset[str]) -> dict[str, t.Any]:
    if isinstance(answer, EngineError):
        status, reason, error, remote = ImageStatus.UNKNOWN, answer.reason.value, str(answer), None
    else:
        status = ImageStatus.CURRENT if answer.digest in known else ImageStatus.MISSING
        reason, error = None, None
        remote = {
            key: getattr(answer, key) for key in ("digest", "platform_digest", "id", "media_type", "size", "registry")
        }
    return {"name": name, "status": status.value, "reason": reason, "error": error, "local": None, "remote": remote}
