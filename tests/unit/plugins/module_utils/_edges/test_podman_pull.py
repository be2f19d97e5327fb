# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman's transfers, as far as a healthy podman cannot show them. A script on PATH stands in for it."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.podman_pull import PodmanTransfers
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.podman_store import _digests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError, StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.pull_decisions import Pulled
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

ONE, TWO = "ab" * 32, "cd" * 32
NAME = f"quay.io/team/app@sha256:{ONE}"
REFUSED = "echo 'Error: copying: connection refused' >&2; exit 125"
HELP = 'if [ "$2" = --help ]; then echo "      --retry uint   number of times"; exit; fi'


class Fake(t.NamedTuple):
    """The stand-in, and what it was called with."""

    folder: Path

    def does(self, script: str, **options: t.Any) -> PodmanTransfers:
        program = self.folder / "podman"
        program.write_text(f"#!/bin/sh\necho \"$*\" >> '{self.folder}/calls'\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        return PodmanTransfers(**options)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Fake(tmp_path)


def test_the_ids_are_those_that_podman_prints_each_once_and_the_log_is_fit_to_print(fake: Fake) -> None:
    script = f"printf 'Trying\\033[2J to pull\\n' >&2; echo {ONE}; echo {TWO}; echo {ONE}; echo junk"
    pulled = fake.does(script).pull("docker-archive:/a.tar", None)
    assert pulled == Pulled((f"sha256:{ONE}", f"sha256:{TWO}"), ("Trying\\x1b[2J to pull",))
    assert fake.calls == ["pull docker-archive:/a.tar"]


def test_what_podman_is_told(fake: Fake) -> None:
    asked: list[str] = []

    @contextlib.contextmanager
    def authfiles(reference: Reference, label: str | None) -> t.Iterator[str | None]:
        assert label is None
        asked.append(reference.name)
        yield "/run/auth.json"
        asked.append("removed")

    transfers = fake.does(f"{HELP}; echo {ONE}", authfiles=authfiles, verify_tls=False, retries=7)
    transfers.pull(NAME, Platform("linux", "arm", "v7"))
    transfers.pull("oci:/srv/layout", None)
    assert fake.calls == [
        "pull --help",
        f"pull --tls-verify=false --retry=7 --platform=linux/arm/v7 --authfile=/run/auth.json {NAME}",
        "pull --tls-verify=false --retry=7 oci:/srv/layout",
    ]
    assert asked == [NAME, "removed"]


_CAUSES = {
    "Source image rejected: A signature was required, but no signature exists": Reason.SIGNATURE_REJECTED,
    "Source image rejected: Running image docker://x is rejected by policy.": Reason.SIGNATURE_REJECTED,
    "writing blob: write /var/tmp/x: no space left on device": Reason.NO_SPACE,
    "copying system image: unauthorized: authentication required": Reason.PULL_FAILED,
    "pinging container registry: connection refused": Reason.PULL_FAILED,
}


@pytest.mark.parametrize("said", _CAUSES)
def test_why_podman_failed(fake: Fake, said: str) -> None:
    transfers = fake.does(f"echo 'Copying blob' >&2; echo 'Error: {said}' >&2; exit 125")
    with pytest.raises(StoreError) as caught:
        transfers.pull(NAME, None)
    assert caught.value.reason is _CAUSES[said]
    assert str(caught.value) == f"podman pull {NAME}: Error: {said}"


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (3, 1), (4, 2), (8, 3)])
def test_an_old_podman_is_called_again_for_more_than_it_repeats_itself(fake: Fake, retries: int, calls: int) -> None:
    with pytest.raises(StoreError, match="connection refused"):
        fake.does(f'[ "$2" = --help ] && exit; {REFUSED}', retries=retries).pull(NAME, None)
    assert fake.calls == ["pull --help", *[f"pull {NAME}"] * calls]


@pytest.mark.parametrize("said", ["manifest unknown", "Source image rejected", "no space left on device"])
def test_what_cannot_get_better_is_not_tried_again(fake: Fake, said: str) -> None:
    with pytest.raises(StoreError):
        fake.does(f"[ \"$2\" = --help ] && exit; echo 'Error: {said}' >&2; exit 1", retries=9).pull(NAME, None)
    assert len(fake.calls) == 2


def test_a_pull_without_end_is_killed(fake: Fake) -> None:
    with pytest.raises(StoreError, match="did not end within 0 s and was killed") as caught:
        fake.does("sleep 60", timeout=0.2).pull(NAME, None)
    assert caught.value.reason is Reason.PULL_FAILED


@pytest.mark.parametrize("script", ["kill -9 $$", "echo nothing", "exit 3"])
def test_podman_that_dies_or_says_nothing_has_failed(fake: Fake, script: str) -> None:
    with pytest.raises(StoreError) as caught:
        fake.does(script).pull(NAME, None)
    assert caught.value.reason is Reason.PULL_FAILED


def test_a_helper_that_fails_keeps_its_reason(fake: Fake) -> None:
    def authfiles(_reference: Reference, _label: str | None) -> t.NoReturn:
        raise RegistryError("docker-credential-x failed", Reason.CREDENTIAL_HELPER)

    with pytest.raises(StoreError, match="docker-credential-x failed") as caught:
        fake.does("exit 0", authfiles=authfiles).pull(NAME, None)
    assert caught.value.reason is Reason.CREDENTIAL_HELPER


@pytest.mark.parametrize(
    "body", ["", "junk", "{}", "[1, {}]", '[{"compressed-diff-digest": "sha256:ab"}]', "[" * 10**5]
)
def test_a_list_of_layers_that_says_nothing_is_no_error(tmp_path: Path, body: str) -> None:
    (tmp_path / "layers.json").write_text(body)
    assert _digests(tmp_path / "layers.json") == set()
    assert _digests(tmp_path / "gone.json") == set()


def test_layers_that_a_dead_pull_left_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "layers.json").write_text(
        f'[{{"compressed-diff-digest": "sha256:{ONE}"}},'
        f'{{"compressed-diff-digest": "sha256:{TWO}", "flags": {{"incomplete": true}}}}]'
    )
    assert _digests(tmp_path / "layers.json") == {f"sha256:{ONE}"}
