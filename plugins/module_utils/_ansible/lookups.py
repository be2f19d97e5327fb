# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What lookups are told of registries, and how their errors read; C(doc_fragments/_lookup_access.py) documents the options."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import missing_required_lib

from .._engine.settings import Access
from .._pure.credentials import Credential, must_be_distinct
from .._pure.errors import InputError, MissingLibraryError
from .arguments import credential

#: A plugin's C(get_option).
Option = t.Callable[[str], t.Any]
#: What in_words takes.
REFUSALS = (InputError, MissingLibraryError)


def access(
    option: Option, fallback: t.Mapping[str, Credential] | None = None, request_budget: int | None = None
) -> Access:
    """The lookup's options. C(fallback) are credentials that come after those of the option, by registry.

    Raises:
        InputError: One cannot be meant.
    """
    entries = [_entry(one) for one in option("credentials")]
    must_be_distinct(registry for registry, _credential in entries)
    return Access(
        credentials={**(fallback or {}), **dict(entries)},
        authfile=option("authfile"),
        # With true there is no registries.conf to ask, and what is not told is verified.
        validate_certs=None if option("validate_certs") else False,
        ca_path=option("ca_path"),
        request_budget=request_budget,
    )


def in_words(error: InputError | MissingLibraryError) -> str:
    """What a user reads of an error."""
    return missing_required_lib(error.library) if isinstance(error, MissingLibraryError) else str(error)


def _entry(entry: object) -> tuple[str, Credential]:
    """One entry of the option C(credentials), of which Ansible checks no more than that it is in a list.

    Raises:
        InputError: It cannot be meant.
    """
    if not isinstance(entry, dict) or not all(value is None or isinstance(value, str) for value in entry.values()):
        raise InputError("credentials: each entry is a dictionary of texts")
    unknown = set(entry) - {"registry", "username", "password", "identity_token"}
    if unknown:
        raise InputError(f"credentials: an entry has no {sorted(unknown)[0]}")
    given = credential(entry)
    if not entry.get("registry") or bool(given.password) == bool(given.identity_token) or not given.username:
        raise InputError("credentials: an entry needs a registry, and a username with a password or an identity_token")
    return entry["registry"], given
