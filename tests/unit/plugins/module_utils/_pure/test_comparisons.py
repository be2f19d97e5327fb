# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparisons of images with registries: every combination of what storage and registry can say."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.comparisons import (
    Comparison,
    seen_locally,
    told,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import RemoteImage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError, RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import ImageName, parse_image_name
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_A, _B, _C = (f"sha256:{digit * 64}" for digit in "abc")
_ID, _OTHER_ID = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
_APP = "quay.io/team/app:1"
_LOCAL = ImageFacts(_ID, "podman", digests=frozenset({_A, _B}))
_UNKNOWN = ImageError("image not known", Reason.IMAGE_UNKNOWN)


def _parsed(name: str) -> ImageName | ImageError:
    try:
        return parse_image_name(name)
    except ImageError as error:
        return error


def _seen(name: str, local: ImageFacts | ImageError = _LOCAL, full_name: str | None = _APP) -> Comparison:
    return seen_locally(name, _parsed(name), local, full_name if isinstance(local, ImageFacts) else None)


def _verdict(one: Comparison) -> tuple[str | None, str | None]:
    return one.status.value if one.status else None, one.reason.value if one.reason else None


class Before(t.NamedTuple):
    """A name, what storage has under it, and what is known before any registry is asked."""

    why: str
    name: str
    verdict: tuple[str | None, str | None]
    asked: str | None = None
    local: ImageFacts | ImageError = _LOCAL
    full_name: str | None = _APP


_CORRUPTED = replace(_LOCAL, corrupted=True)
_ASK: tuple[None, None] = (None, None)
_BEFORE = [
    Before("a tag", _APP, _ASK, _APP),
    Before("a tag behind docker://", f"docker://{_APP}", _ASK, _APP),
    Before("a tag that storage does not hold", _APP, _ASK, _APP, _UNKNOWN),
    Before("a damaged image", _APP, _ASK, _APP, _CORRUPTED),
    Before("a short name, asked for what it was found as", "app:1", _ASK, _APP),
    Before("a short name that nothing is found for", "app:1", ("unknown", "short_name"), None, _UNKNOWN),
    Before("a digest", f"quay.io/team/app@{_A}", ("pinned", None), None, _LOCAL, f"quay.io/team/app@{_A}"),
    Before("a tag and a digest", f"{_APP}@{_A}", ("pinned", None), None, _LOCAL, f"quay.io/team/app@{_A}"),
    Before("a digest that storage does not hold", f"quay.io/team/app@{_C}", _ASK, f"quay.io/team/app@{_C}", _UNKNOWN),
    Before("the digest of a damaged image", f"quay.io/app@{_A}", _ASK, f"quay.io/app@{_A}", _CORRUPTED),
    Before("a short name with a digest", f"app@{_A}", ("pinned", None), None, _LOCAL, f"quay.io/team/app@{_A}"),
    Before("an image ID", _ID, ("pinned", None), None, _LOCAL, None),
    Before("an image ID without sha256:", "1" * 64, ("pinned", None), None, _LOCAL, None),
    Before("the beginning of an image ID", "1" * 12, ("pinned", None), None, _LOCAL, None),
    Before("an image ID that storage does not hold", _OTHER_ID, ("missing", "by_id"), None, _UNKNOWN),
    Before("the ID of a damaged image", _ID, ("missing", "by_id"), None, _CORRUPTED, None),
    Before("no reference", "quay.io/Team/app", ("unknown", "bad_reference"), None, _UNKNOWN),
    Before("no ID", "sha256:abc", ("unknown", "bad_id"), None, _UNKNOWN),
    Before("an archive", "oci:/srv/app", ("unknown", "unsupported_transport"), None, _UNKNOWN),
    Before("storage itself", f"containers-storage:{_APP}", ("unknown", "unsupported_transport"), None, _LOCAL, None),
    Before(
        "what podman does not look up", _APP, ("unknown", "bad_reference"), None, ImageError("no", Reason.BAD_REFERENCE)
    ),
]


@pytest.mark.parametrize("case", _BEFORE, ids=lambda case: case.why)
def test_what_is_known_before_a_registry_is_asked(case: Before) -> None:
    seen = _seen(case.name, case.local, case.full_name)
    assert (seen.query, _verdict(seen)) == (case.name, case.verdict)
    assert (seen.reference.name if seen.reference else None) == case.asked
    assert seen.local == (case.local if isinstance(case.local, ImageFacts) else None)
    assert (seen.error is None) == (case.verdict[1] is None)


def test_digests_of_a_damaged_image_spare_nothing() -> None:
    assert _seen(_APP).known == {_A, _B}
    assert _seen(_APP, _CORRUPTED).known == frozenset()
    assert _seen(_APP, _UNKNOWN).known == frozenset()


class After(t.NamedTuple):
    """What the registry answered, and the verdict."""

    why: str
    answer: RemoteImage | RegistryError
    verdict: tuple[str, str | None]
    local: ImageFacts | ImageError = _LOCAL


_AFTER = [
    After("the digest is known", RemoteImage(_A), ("current", None)),
    After("another digest of it is known", RemoteImage(_B), ("current", None)),
    After("only the instance's digest is known", RemoteImage(_C, _B), ("current", None)),
    After("only the ID is known", RemoteImage(_C, None, _ID), ("current", "same_content")),
    After("nothing is known", RemoteImage(_C, f"sha256:{'d' * 64}", _OTHER_ID), ("pending", None)),
    After("the registry could not tell the ID", RemoteImage(_C), ("pending", None)),
    After("nobody knows the ID", RemoteImage(_C), ("pending", None), replace(_LOCAL, id=None)),
    After(
        "no digest is left in storage",
        RemoteImage(_C, None, _ID),
        ("current", "same_content"),
        ImageFacts(_ID, "podman"),
    ),
    After("nothing in storage", RemoteImage(_A), ("missing", None), _UNKNOWN),
    After("a damaged image", RemoteImage(_A), ("missing", "corrupted"), _CORRUPTED),
    After("no answer", RegistryError("down", Reason.REGISTRY_UNREACHABLE), ("unknown", "registry_unreachable")),
    After("no answer for what is missing", RegistryError("no", Reason.NOT_FOUND), ("unknown", "not_found"), _UNKNOWN),
]


@pytest.mark.parametrize("case", _AFTER, ids=lambda case: case.why)
def test_what_follows_from_the_answer(case: After) -> None:
    done = told(_seen(_APP, case.local), case.answer)
    assert _verdict(done) == case.verdict
    assert done.remote == (case.answer if isinstance(case.answer, RemoteImage) else None)


def test_a_registry_that_does_not_tell_never_says_current() -> None:
    for reason in Reason:
        done = told(_seen(_APP), RegistryError("trouble", reason))
        assert _verdict(done) == ("unknown", reason.value)
        assert done.error == "trouble"


def test_what_is_asked_for_is_what_podman_found_and_not_what_was_typed() -> None:
    seen = _seen("nginx", _LOCAL, "docker.io/library/nginx:latest")
    assert seen.reference == Reference.parse("docker.io/library/nginx:latest")
