# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which starts pull an image that is there: podman run by its options, kube as podman 4.3.1 and 5.4.2 were seen to do."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.start_pulls import NOTHING_SAID, StartPull

_NEW, _OLD = (5, 4, 2), (4, 3, 1)
_NAME = "quay.io/team/app:v1"
_LATEST = "quay.io/team/app:latest"
_LOCAL = "localhost/app:latest"


class Command(t.NamedTuple):
    """Options of podman run, and what makes its start pull."""

    options: str
    why: str | None
    name: str = _NAME
    default: str = "missing"


@pytest.mark.parametrize(
    "case",
    [
        Command("", None),
        Command("--pull=missing", None),
        Command("--pull missing", None),
        Command("--pull=never", None),
        Command("--pull=always", "--pull=always"),
        Command("--pull always", "--pull=always"),
        Command("--pull=ALWAYS", "--pull=always"),
        Command("--pull=newer", "--pull=newer"),
        Command("--pull=newer", None, _LOCAL),
        Command("--pull=always", "--pull=always", _LOCAL),
        Command("--pull=always --pull=missing", None),
        Command("--platform=linux/arm64", "--platform=linux/arm64"),
        Command("--platform linux/arm64", "--platform=linux/arm64"),
        Command("--arch=arm64 --pull=missing", "--arch=arm64"),
        Command("--os=linux --pull=never", None),
        Command("--variant=v7 --pull=newer", "--variant=v7"),
        Command("--platform=linux/arm64", None, _LOCAL),
        Command("", "pull_policy=always in containers.conf", default="always"),
        Command("", "pull_policy=newer in containers.conf", default="newer"),
        Command("--pull=missing", None, default="always"),
        Command("", None, _LATEST),
        Command("--name --pull", None),
    ],
    ids=str,
)
def test_a_command(case: Command) -> None:
    command = ["/usr/bin/podman", "run", "--name=x", *case.options.split(), case.name, "--pull=always", "--arch=arm"]
    start = StartPull.of_command(command, case.name)
    assert start.why(case.name, _NEW, case.default) == case.why


class Kube(t.NamedTuple):
    """An imagePullPolicy, and whether podman 5.4.2 and 4.3.1 asked the registry at a plain restart."""

    policy: str | None
    name: str
    new: bool
    old: bool


@pytest.mark.parametrize(
    "case",
    [
        Kube(None, _NAME, new=False, old=True),
        Kube(None, _LATEST, new=True, old=True),
        Kube(None, _LOCAL, new=False, old=False),
        Kube("", _NAME, new=False, old=True),
        Kube("Always", _NAME, new=True, old=True),
        Kube("always", _NAME, new=True, old=True),
        Kube("newer", _NAME, new=True, old=True),
        Kube("newer", _LOCAL, new=False, old=False),
        Kube("Always", _LOCAL, new=True, old=True),
        Kube("IfNotPresent", _LATEST, new=False, old=False),
        Kube("Never", _LATEST, new=False, old=False),
        Kube("whatever", _NAME, new=True, old=True),
    ],
    ids=str,
)
def test_kube(case: Kube) -> None:
    start = StartPull(case.policy, kube=True)
    assert start.says_when()
    assert (start.why(case.name, _NEW, "always") is not None, start.why(case.name, _OLD, "always") is not None) == (
        case.new,
        case.old,
    )


def test_yaml_that_says_nothing_is_told_what_to_say() -> None:
    assert StartPull(None, kube=True).why(_LATEST, _NEW) == "no imagePullPolicy (IfNotPresent would keep it)"


def test_who_says_nothing_leaves_it_to_the_host() -> None:
    assert not NOTHING_SAID.says_when()
    assert StartPull("missing").says_when()


@given(st.lists(st.text(max_size=12), max_size=6), st.text(max_size=12))
def test_whatever_the_words_are_they_are_read(words: list[str], name: str) -> None:
    why = StartPull.of_command(words, name).why(name, _NEW)
    assert why is None or why
