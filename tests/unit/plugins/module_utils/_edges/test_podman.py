# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman, as far as a healthy one cannot show it: time-outs, nonsense, refusals. A script on PATH stands in for it."""

from __future__ import annotations

import contextlib
import json
import pathlib
import time
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import podman as edge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import process
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.podman import FirstLook, Podman
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError, StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_HEX = "ab" * 32
_ID = f"sha256:{_HEX}"
_NAME = "quay.io/team/app@sha256:" + "cd" * 32


class Fake(t.NamedTuple):
    """The stand-in: what it does for the next calls, and what it was called with."""

    folder: pathlib.Path

    def does(self, script: str) -> Podman:
        """Let it run this shell script; C($1) is the command."""
        program = self.folder / "podman"
        program.write_text(f"#!/bin/sh\necho \"$*\" >> '{self.folder}/calls'\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        return Podman()

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def fake(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A folder that is first on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Fake(tmp_path)


def test_without_podman_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """No PATH can hide a podman that lies where a login shell looks."""
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    with pytest.raises(StoreError, match=r"install podman 4\.3 or newer"):
        Podman()


class Broken(t.NamedTuple):
    """What podman does, and what is said of it."""

    why: str
    script: str
    said: str


_BROKEN = [
    Broken("no JSON", "echo hello", "printed something that is not JSON: 'hello"),
    Broken("half of the JSON", "printf '[{'", "printed something that is not JSON"),
    Broken("an object", "echo '{}'", "something other than a list of objects"),
    Broken("no IDs", "echo '[{}]'", "a container without a valid ID"),
    Broken("a refusal", "echo 'Error: no such thing' >&2; exit 125", "podman ps: Error: no such thing"),
    Broken("a silent refusal", "exit 125", "exit code 125"),
    Broken("a signal", "kill -9 $$", "exit code -9"),
    Broken("progress before the error", "echo one >&2; echo 'Error: two' >&2; echo three >&2; exit 1", ": Error: two"),
    Broken("a log line", 'echo \'time="x" level=error msg="disk"\' >&2; exit 1', 'level=error msg="disk"'),
    Broken("several lines", "printf 'a\nb\nc\nd\n' >&2; exit 1", ": b c d"),
]


@pytest.mark.parametrize("case", _BROKEN, ids=lambda case: case.why)
def test_what_podman_says_wrong_is_told_briefly(fake: Fake, case: Broken) -> None:
    with pytest.raises(StoreError) as caught:
        fake.does(case.script).containers()
    assert case.said in str(caught.value)
    assert caught.value.reason is Reason.STORE_FAILED


def test_an_endless_message_is_cut(fake: Fake) -> None:
    with pytest.raises(StoreError) as caught:
        fake.does("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1").containers()
    assert len(str(caught.value)) < 1300


def test_no_output_means_no_containers(fake: Fake) -> None:
    assert fake.does("exit 0").containers() == ()


def test_a_podman_that_hangs_is_killed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "_PULL_SECONDS", 0.3)
    with pytest.raises(StoreError, match="podman pull did not end within 0 s and was killed") as caught:
        fake.does("sleep 60").pull(_NAME, None)
    assert caught.value.reason is Reason.PULL_FAILED


def test_a_podman_that_cannot_be_started_is_told(fake: Fake) -> None:
    podman = fake.does("exit 0")
    (fake.folder / "podman").unlink()
    with pytest.raises(StoreError, match="could not be started"):
        podman.containers()


@pytest.mark.parametrize(
    ("version", "said"), [("4.2.1", "is 4.2.1; this collection needs 4.3"), ("", "is unknown"), ("3.4.4", "is 3.4.4")]
)
def test_an_old_podman_is_refused(fake: Fake, version: str, said: str) -> None:
    info = json.dumps({"host": {"arch": "amd64", "os": "linux"}, "version": {"Version": version}})
    with pytest.raises(StoreError, match=said.replace(".", r"\.")):
        fake.does(f"case $1 in info) echo '{info}';; *) echo '[]';; esac").host()


def test_the_oldest_podman_is_taken(fake: Fake) -> None:
    info = json.dumps({"host": {"arch": "amd64", "os": "linux"}, "version": {"Version": "4.3.0"}})
    assert fake.does(f"echo '{info}'").host().podman_version == (4, 3, 0)
    assert fake.calls == ["info --format=json"]


def test_images_are_known_by_id(fake: Fake) -> None:
    image = json.dumps({"Id": _HEX, "Names": ["quay.io/team/app:1"]})
    assert set(fake.does(f"echo '[{image}]'").images()) == {_ID}
    assert fake.calls == ["images --no-trunc --format=json"]


def test_what_has_vanished_is_missing_from_the_details(fake: Fake) -> None:
    container = json.dumps({"Id": "ee" * 32, "ImageName": "x"})
    image = json.dumps({"Id": _HEX, "RepoTags": ["x"]})
    podman = fake.does(f"echo '[{container},{image}]'; echo 'Error: no such object' >&2; exit 125")
    containers, images = podman.details(["ee" * 32, "ff" * 32], [_ID])
    assert set(containers) == {"ee" * 32}
    assert set(images) == {_ID}
    assert fake.calls == [f"inspect --format=json {'ee' * 32} {'ff' * 32} {_HEX}"]


def test_details_without_any_output_are_a_failure(fake: Fake) -> None:
    with pytest.raises(StoreError, match="storage is locked"):
        fake.does("echo 'Error: storage is locked' >&2; exit 125").details(["ee" * 32], [])


# Pulls.


_PULLS = f"echo progress >&2; echo first; echo {_HEX}"


def test_a_pull_gives_the_id_that_was_printed(fake: Fake) -> None:
    assert fake.does(_PULLS).pull(_NAME, None) == _ID
    assert fake.calls == [f"pull --quiet {_NAME}"]


def test_a_pull_with_its_own_authfile(fake: Fake) -> None:
    """Made for this one pull, and gone after it."""
    fake.does(_PULLS)
    made: list[str] = []

    @contextlib.contextmanager
    def maker(reference: Reference, authfile: str | None) -> t.Iterator[str | None]:
        made.append(f"{reference.name} {authfile}")
        yield f"{authfile}.merged" if authfile else None
        made.append("gone")

    podman = Podman(authfiles=maker)
    podman.pull(_NAME, None, "/etc/a.json")
    podman.pull(_NAME, None)
    assert fake.calls == [f"pull --quiet --authfile=/etc/a.json.merged {_NAME}", f"pull --quiet {_NAME}"]
    assert made == [f"{_NAME} /etc/a.json", "gone", f"{_NAME} None", "gone"]


def test_credentials_that_cannot_be_had_fail_the_pull(fake: Fake) -> None:
    fake.does(_PULLS)

    @contextlib.contextmanager
    def maker(reference: Reference, _authfile: str | None) -> t.Iterator[str | None]:
        if reference.fully_qualified:
            raise RegistryError("the helper failed", Reason.CREDENTIAL_HELPER)
        yield None

    with pytest.raises(StoreError, match="the helper failed") as caught:
        Podman(authfiles=maker).pull(_NAME, None)
    assert caught.value.reason is Reason.CREDENTIAL_HELPER
    assert not (fake.folder / "calls").exists()


def test_options_of_a_pull(fake: Fake) -> None:
    fake.does(_PULLS)
    Podman("/run/x/auth.json", verify_tls=False).pull(_NAME, Platform("linux", "arm", "v7"))
    Podman(verify_tls=True).pull(_NAME, None)
    assert fake.calls == [
        f"pull --quiet --authfile=/run/x/auth.json --tls-verify=false --platform=linux/arm/v7 {_NAME}",
        f"pull --quiet --tls-verify=true {_NAME}",
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'Error: unauthorized' >&2; exit 125", "unauthorized"),
        ("echo hello", "printed no image ID"),
        ("exit 0", "printed no image ID"),
    ],
)
def test_a_pull_that_fails_is_a_failed_pull(fake: Fake, script: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        fake.does(script).pull(_NAME, None)
    assert caught.value.reason is Reason.PULL_FAILED
    assert "authfile" not in str(caught.value)


# Names.


def test_tags_are_given_and_taken_by_id(fake: Fake) -> None:
    podman = fake.does("exit 0")
    podman.tag(_ID, "localhost/a:1", "localhost/b:1")
    podman.untag(_ID, "localhost/a:1")
    assert fake.calls == [f"tag {_HEX} localhost/a:1 localhost/b:1", f"untag {_HEX} localhost/a:1"]


@pytest.mark.parametrize("what", ["tag", "untag"])
def test_a_name_that_is_refused_is_told(fake: Fake, what: str) -> None:
    podman = fake.does("echo 'Error: tag not known' >&2; exit 125")
    with pytest.raises(StoreError, match=f"podman {what} localhost/a:1: Error: tag not known"):
        getattr(podman, what)(_ID, "localhost/a:1")


def test_the_environment_spares_podman_what_nobody_wants_to_know(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not bounded in size has Go's usual collector, and a pull the one that its user has set."""
    monkeypatch.delenv("GOGC", raising=False)
    monkeypatch.delenv("GOMEMLIMIT", raising=False)
    info = json.dumps({"version": {"Version": "5.4.2"}, "host": {"arch": "amd64"}})
    told = f"echo \"$1 ${{GOGC:-}} ${{DPKG_ADMINDIR:-}}${{GOMEMLIMIT:-}}\" >> '{fake.folder}/environments'"
    podman = fake.does(f"{told}\ncase $1 in info) echo '{info}';; pull) echo {_HEX};; *) echo '[]';; esac")
    podman.host()
    podman.containers()
    podman.images()
    podman.details(["c" * 64], [])
    podman.pull(_NAME, None)
    lines = (fake.folder / "environments").read_text(encoding="utf-8").splitlines()
    assert [line.rstrip() for line in lines] == [
        "info 400 /nonexistent",
        "ps 100",
        "images 100",
        "inspect 400 20MiB",
        "pull",
    ]


def test_a_first_look_is_begun_at_once_and_answers_once(fake: Fake) -> None:
    info = json.dumps({"version": {"Version": "5.4.2"}, "host": {"arch": "amd64"}})
    fake.does(f"case $1 in info) echo '{info}';; *) echo '[]';; esac")
    begun = FirstLook()
    deadline = time.monotonic() + 10
    while not (fake.folder / "calls").exists() or len(fake.calls) < 2:
        assert time.monotonic() < deadline, "nothing was begun"
        time.sleep(0.01)
    podman = Podman(begun=begun)
    assert podman.containers() == ()
    assert podman.host().podman_version == (5, 4, 2)
    assert len(fake.calls) == 2
    assert Podman(begun=begun).containers() == ()
    podman.host()
    assert sorted(one.partition(" ")[0] for one in fake.calls) == ["info", "info", "ps", "ps"]


def test_what_fails_in_a_first_look_is_told_to_whoever_takes_the_answer(fake: Fake) -> None:
    fake.does("case $1 in ps) echo nonsense;; *) echo 'Error: no such thing' >&2; exit 125;; esac")
    podman = Podman(begun=FirstLook())
    with pytest.raises(StoreError, match="podman ps printed something that is not JSON"):
        podman.containers()
    with pytest.raises(StoreError, match="podman info: Error: no such thing"):
        podman.host()


def test_without_podman_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    with pytest.raises(StoreError, match=r"install podman 4\.3 or newer"):
        FirstLook()


@pytest.mark.parametrize(("containers", "images", "calls"), [(0, 0, 0), (60, 40, 1), (100, 100, 2), (101, 0, 2)])
def test_many_are_inspected_in_one_call_but_not_too_many(fake: Fake, containers: int, images: int, calls: int) -> None:
    """The stand-in tells of whatever it is asked for."""
    entry = '{\\"Id\\":\\"$one\\",\\"Config\\":{},\\"State\\":{}}'
    podman = fake.does(f'shift 2; all=; for one; do all="$all,{entry}"; done; echo "[${{all#,}}]"')
    container_ids = [f"{number:064x}" for number in range(containers)]
    image_ids = [f"sha256:{number + 1000:064x}" for number in range(images)]
    details, records = podman.details(container_ids, image_ids)
    assert (sorted(details), sorted(records)) == (container_ids, image_ids)
    assert (len(fake.calls) if calls else 0) == calls
