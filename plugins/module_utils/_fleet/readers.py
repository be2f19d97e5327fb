# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""How values of the playbooks' variables are read: each reader is given the variable's name and refuses what cannot be meant."""

from __future__ import annotations

import numbers
import pathlib
import typing as t

from .._pure.credentials import must_be_distinct
from .._pure.errors import InputError
from .._pure.selection import Selection
from .._pure.texts import harmless

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_CREDENTIAL_KEYS = frozenset({"registry", "username", "password", "identity_token"})

_Value = t.TypeVar("_Value")


def kind(value: object) -> str:
    """What a value is, in a word, and nothing of what is in it."""
    words: tuple[tuple[type, str], ...] = (
        (str, "text"),
        (bool, "boolean"),
        (numbers.Number, "number"),
        (t.Mapping, "dictionary"),
        (t.Sequence, "list"),
    )
    return next((word for one, word in words if isinstance(value, one)), "value of another kind")


def shown(value: object) -> str:
    """A value as an error names it: with its kind, and itself where it is short; nothing for secrets."""
    said = kind(value)
    if said in ("list", "dictionary", "value of another kind"):
        return f"a {said}"
    return f"the {said} {harmless(value)!r}" if said == "text" else f"the {said} {harmless(value)}"


class Reading:
    """Reads many variables, and tells of all that are wrong at once. What is null or an empty text is not given."""

    def __init__(self, given: t.Mapping[str, t.Any], *, prefix: str = "rollout_") -> None:
        self._prefix = prefix
        self._given = {
            key: value
            for key, value in given.items()
            if value is not None and not (isinstance(value, str) and not value.strip())
        }
        self._wrong: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def __call__(self, key: str, read: t.Callable[[str, t.Any], _Value], default: _Value) -> _Value:
        """What C(read) makes of the variable, which is called by its prefix and its key; the default where it is not given, or is wrong."""
        if key not in self._given:
            return default
        try:
            return read(f"{self._prefix}{key}", self._given[key])
        except InputError as error:
            self._wrong.append(str(error))
            return default

    def object(self, why: str) -> None:
        """Note something else that is wrong."""
        self._wrong.append(why)

    @property
    def wrong(self) -> tuple[str, ...]:
        """All that was wrong so far."""
        return tuple(self._wrong)


def none_wrong(wrong: t.Sequence[str]) -> None:
    """Refuse all that is wrong, at once.

    Raises:
        InputError: There is something.
    """
    if wrong:
        raise InputError("; ".join(wrong))


def boolean(name: str, value: object) -> bool:
    """A truth, or one of the words that YAML and surveys have for it.

    Raises:
        InputError: It is neither.
    """
    found = value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
    if found is None:
        raise InputError(f"{name}: {shown(value)} is neither true nor false")
    return found


def number(name: str, value: object, most: int, *, least: int = 0, digits: int | None = None) -> int:
    """A whole number, or a text of at most C(digits) digits: by default as many as C(most) has.

    Raises:
        InputError: It is none, or out of bounds.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    sound = text.isascii() and text.isdigit() and len(text) <= (digits or len(str(most)))
    if not (sound and least <= int(text) <= most):
        raise InputError(f"{name}: {shown(value)} is no whole number from {least} to {most}")
    return int(text)


def within(most: int, least: int = 0, *, digits: int | None = None) -> t.Callable[[str, t.Any], int]:
    """What reads whole numbers within bounds."""
    return lambda name, value: number(name, value, most, least=least, digits=digits)


def choice(*choices: str) -> t.Callable[[str, t.Any], str]:
    """What reads one of some words."""

    def read(name: str, value: t.Any) -> str:
        if str(value).strip() not in choices:
            raise InputError(f"{name}: {shown(value)} is none of {', '.join(choices)}")
        return str(value).strip()

    return read


def line(name: str, value: t.Any) -> str:
    """A text of one line, such as a path.

    Raises:
        InputError: It is none.
    """
    if not isinstance(value, str) or not value.isprintable():
        raise InputError(f"{name}: {shown(value)} is not a text of one line")
    return str.__str__(value).strip()


def from_here(path: str) -> str:
    """A file of the controller, from where Ansible was started, as other arguments of its command line are.

    A task would look for it beside the playbook, which is inside the installed collection.
    """
    return str(pathlib.Path(path).expanduser().absolute())


def patterns(name: str, value: t.Any) -> list[str]:
    """Patterns of C(only) or C(exclude): a list, or a text with commas or a line for each.

    Raises:
        InputError: One is unusable.
    """
    parts = value.replace("\n", ",").split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"{name}: {shown(value)} is no list of patterns, such as [unit:web*]")
    found = [str.__str__(part).strip() for part in parts if part.strip()]
    try:
        Selection.parse(found, ())
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    return found


def credentials(name: str, value: t.Any) -> list[dict[str, str]]:
    """Credentials of registries, as a task's: no secret is looked at or shown; who asks a registry reads them.

    Raises:
        InputError: They have another shape, or two are for the same registry.
    """
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, t.Mapping) for one in value):
        raise InputError(
            f"{name}: this is a {kind(value)}; write a list of dictionaries, each with registry, and username with password,"
            " or identity_token"
        )
    for at, one in enumerate(value, 1):
        # A secret of a vault is no text yet.
        odd = [key for key in one if isinstance(one[key], (t.Mapping, list, tuple, bool, numbers.Number))]
        secrets = [key for key in ("password", "identity_token") if one.get(key)]
        sound = one.get("registry") and len(secrets) == 1 and (secrets == ["identity_token"] or one.get("username"))
        if odd or not sound or not set(one) <= _CREDENTIAL_KEYS:
            raise InputError(
                f"{name}: entry {at} is not as it should be: it has registry, and username with password, or identity_token,"
                " all of them texts"
            )
    must_be_distinct((one["registry"] for one in value if isinstance(one["registry"], str)), name)
    return [dict(one) for one in value]
