# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door for what registries have under references. No container engine is needed, nothing is changed."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._edges.credentials import CredentialFiles
from .._pure.errors import EngineError, ImageError, RegistryError
from .._pure.image_facts import ImageFacts
from .._pure.image_names import parse_image_name
from .._pure.platforms import Platform
from .._pure.reasons import Reason
from .._pure.references import Reference
from .._pure.registries import RegistriesConf
from .._pure.texts import printable
from .settings import LONGEST_TIMEOUT, REGISTRY_SECONDS, REGISTRY_WIDTH, Access, must_be_in_range, must_be_reachable


def remote_digests(
    names: t.Sequence[str], platform: str | None, access: Access, timeout: float = REGISTRY_SECONDS
) -> list[str | EngineError]:
    """The digest that each name answers with in its registry, in their order, or why it could not be told.

    With a C(platform), of an index that of the platform's own image, and C(not_found) where there is none for it. C(timeout)
    bounds each request, in seconds. No registries.conf is read: registries are asked over HTTPS, by the name that a
    reference has.

    Raises:
        InputError: A setting is unusable.
        MissingLibraryError: requests is not there.
    """
    must_be_in_range("timeout", timeout, LONGEST_TIMEOUT)
    must_be_reachable(access)
    wanted = Platform.parse(platform) if platform else None
    files = CredentialFiles(access.credentials, access.authfile)
    # Imported only where a registry is asked.
    from .._edges.registry import RegistryClient  # noqa: PLC0415
    from .._edges.transport import TlsOptions, import_libraries  # noqa: PLC0415

    import_libraries()
    tls = TlsOptions(access.validate_certs, access.ca_path)
    client = RegistryClient(RegistriesConf(), files, tls, timeout=timeout, width=REGISTRY_WIDTH)

    def ask(name: str) -> str | EngineError:
        try:
            reference = _reference(name)
            if wanted is None:
                return client.digest(reference).digest
            return _of_platform(client.describe(reference, wanted), wanted)
        except EngineError as error:
            return error

    distinct = list(dict.fromkeys(names))
    if not distinct:
        return []
    with ThreadPoolExecutor(max_workers=min(REGISTRY_WIDTH, len(distinct))) as pool:
        answers = dict(zip(distinct, pool.map(ask, distinct)))
    return [answers[name] for name in names]


def _of_platform(found: ImageFacts, wanted: Platform) -> str | EngineError:
    """The image's own digest, which an index has beside its own; only the image's config tells its platform surely."""
    if found.platform is not None and not wanted.runs(found.platform):
        there = printable(str(found.platform))
        return RegistryError(f"there is no image for {wanted}, but for {there}", Reason.NOT_FOUND)
    own = found.digests - {found.digest}
    return next(iter(own), str(found.digest))


def _reference(name: str) -> Reference:
    reference = parse_image_name(name)
    if not isinstance(reference, Reference):
        raise ImageError(f"{name} is not a name that a registry knows", Reason.UNSUPPORTED_TRANSPORT)
    if not reference.fully_qualified:
        raise ImageError(f"{name} does not say which registry to ask", Reason.SHORT_NAME)
    return reference
