# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials on a host: which file is read, and the one that podman is given."""

from __future__ import annotations

import json
import pathlib
import stat
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import credentials as edge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.credentials import CredentialFiles
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential, parse_authfile
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_SECRET = "tr0ub4dor"
_OWN = Credential("task", _SECRET)
_VARIABLES = ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HOME")


def _authfile(path: pathlib.Path, *users: str, **more: object) -> pathlib.Path:
    """An authfile with one user for each key; the user is called like the key."""
    auths = {key: {"auth": Credential(key, _SECRET).basic()} for key in users}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": auths, **more}), encoding="utf-8")
    return path


def _user(files: CredentialFiles, reference: str) -> str | None:
    found = files.book().for_reference(Reference.parse(reference))
    return found.username if found else None


@pytest.fixture(autouse=True)
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An empty home, no variables, and a run directory that is no host's (the one constant that is replaced)."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(edge, "_RUN_DIRECTORY", tmp_path / "podfleet")
    return tmp_path


class Place(t.NamedTuple):
    """A variable and the path below its value, in the order of podman's search."""

    variable: str
    value: str
    path: str


_PLACES = [
    Place("REGISTRY_AUTH_FILE", "a/auth.json", "a/auth.json"),
    Place("DOCKER_CONFIG", "b", "b/config.json"),
    Place("XDG_RUNTIME_DIR", "c", "c/containers/auth.json"),
    Place("XDG_CONFIG_HOME", "d", "d/containers/auth.json"),
    Place("HOME", "e", "e/.config/containers/auth.json"),
    Place("HOME", "e", "e/.docker/config.json"),
]


@pytest.mark.parametrize("number", range(len(_PLACES)), ids=[place.path for place in _PLACES])
def test_files_are_searched_in_podmans_order(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Every later place has a file too, and would give another user."""
    for place in _PLACES[number:]:
        monkeypatch.setenv(place.variable, str(home / place.value))
        _authfile(home / place.path, "quay.io")
    wanted = {"quay.io": {"auth": Credential("wanted", _SECRET).basic()}}
    (home / _PLACES[number].path).write_text(json.dumps({"auths": wanted}), encoding="utf-8")
    assert _user(CredentialFiles({}, None), "quay.io/app") == "wanted"


@pytest.mark.parametrize("variable", ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG"])
def test_a_variable_that_names_a_missing_file_ends_the_search(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    _authfile(home / "home/.config/containers/auth.json", "quay.io")
    assert _user(CredentialFiles({}, None), "quay.io/app") == "quay.io"
    monkeypatch.setenv(variable, str(home / "missing"))
    assert _user(CredentialFiles({}, None), "quay.io/app") is None


def test_the_tasks_authfile_comes_before_every_variable(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(_authfile(home / "other.json", "quay.io")))
    given_ = _authfile(home / "given.json", "quay.io/team")
    assert _user(CredentialFiles({}, str(given_)), "quay.io/team/app") == "quay.io/team"
    assert _user(CredentialFiles({}, str(given_)), "quay.io/other") is None


@pytest.mark.parametrize("name", ["missing.json", ""])
def test_an_authfile_of_the_task_that_is_not_there_is_refused(home: pathlib.Path, name: str) -> None:
    with pytest.raises(InputError, match="is not there, or is not a file"):
        CredentialFiles({}, f"{home}/{name}")


def test_without_any_file_there_are_no_credentials() -> None:
    files = CredentialFiles({}, None)
    assert files.book().entries == {}
    with files.for_podman() as path:
        assert path is None


def test_the_tasks_credentials_come_before_the_files(home: pathlib.Path) -> None:
    path = _authfile(home / "a.json", "quay.io", "ghcr.io")
    files = CredentialFiles({"https://quay.io/v2/": _OWN}, str(path))
    assert _user(files, "quay.io/app") == "task"
    assert _user(files, "ghcr.io/app") == "ghcr.io"


@pytest.mark.parametrize("content", ["[]", "{", f'"{_SECRET}"'])
def test_a_file_that_is_no_authfile_is_named_and_not_shown(home: pathlib.Path, content: str) -> None:
    (home / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        CredentialFiles({}, str(home / "a.json")).book()
    assert str(home / "a.json") in str(caught.value)
    assert _SECRET not in str(caught.value)


def test_a_file_without_end_is_not_read(home: pathlib.Path) -> None:
    (home / "a.json").write_text(" " * (1024 * 1024 + 1), encoding="utf-8")
    with pytest.raises(InputError, match="is longer than 1048576 bytes"):
        CredentialFiles({}, str(home / "a.json")).book()


# What podman is given.


def test_podman_gets_the_tasks_authfile_as_it_is(home: pathlib.Path) -> None:
    path = _authfile(home / "a.json", "quay.io")
    with CredentialFiles({}, str(path)).for_podman() as given_:
        assert given_ == str(path)
    assert not (home / "podfleet").exists()


def test_podman_gets_the_tasks_credentials_in_a_private_file_that_is_removed(home: pathlib.Path) -> None:
    path = _authfile(home / "a.json", "ghcr.io", credHelpers={"gcr.io": "gcloud"})
    with CredentialFiles({"quay.io": _OWN}, str(path)).for_podman() as given_:
        assert given_ is not None
        assert given_ != str(path)
        assert stat.S_IMODE(pathlib.Path(given_).stat().st_mode) == 0o600
        assert stat.S_IMODE(pathlib.Path(given_).parent.stat().st_mode) == 0o700
        text = pathlib.Path(given_).read_text(encoding="utf-8")
        assert json.loads(text)["credHelpers"] == {"gcr.io": "gcloud"}
        assert parse_authfile(text, "x").entries["quay.io"] == _OWN
    assert list((home / "podfleet").iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_private_file_is_removed_whatever_happens(home: pathlib.Path, error: type[BaseException]) -> None:
    def use() -> None:
        with CredentialFiles({"quay.io": _OWN}, None).for_podman():
            assert len(list((home / "podfleet").iterdir())) == 1
            raise error

    with pytest.raises(error):
        use()
    assert list((home / "podfleet").iterdir()) == []


def test_a_private_file_that_somebody_else_removed_is_no_error() -> None:
    with CredentialFiles({"quay.io": _OWN}, None).for_podman() as given_:
        pathlib.Path(str(given_)).unlink()


def test_a_credential_helper_does_not_come_before_the_tasks_own(home: pathlib.Path) -> None:
    """podman asks a helper before it looks at the auths of the same file."""
    path = _authfile(home / "a.json", credHelpers={"quay.io": "secretservice", "gcr.io": "gcloud"})
    with CredentialFiles({"quay.io": _OWN}, str(path)).for_podman() as given_:
        helpers = json.loads(pathlib.Path(str(given_)).read_text(encoding="utf-8"))["credHelpers"]
    assert helpers == {"gcr.io": "gcloud"}


_keys = st.sampled_from(
    ["quay.io", "quay.io/team", "quay.io/team/app", "docker.io", "https://index.docker.io/v1/", "ghcr.io"]
)


@given(
    st.sets(_keys),
    st.sets(_keys, min_size=1),
    st.sampled_from(["quay.io/team/app", "quay.io/x", "docker.io/nginx", "ghcr.io/a"]),
)
def test_podman_and_the_check_use_the_same_credential(in_file: set[str], of_task: set[str], reference: str) -> None:
    runs = edge._RUN_DIRECTORY.parent
    path = _authfile(runs / "a.json", *in_file)
    files = CredentialFiles({key: Credential(f"task {key}".replace(":", ";"), _SECRET) for key in of_task}, str(path))
    with files.for_podman() as given_:
        theirs = parse_authfile(pathlib.Path(str(given_)).read_text(encoding="utf-8"), "x")
    parsed = Reference.parse(reference)
    assert theirs.for_reference(parsed) == files.book().for_reference(parsed)


def test_no_secret_shows_where_the_files_are_printed() -> None:
    files = CredentialFiles({"quay.io": _OWN}, None)
    assert _SECRET not in repr(files) + repr(vars(files))


def test_a_username_with_a_colon_would_be_another_user() -> None:
    with pytest.raises(InputError, match=r"quay\.io must not contain a colon") as caught:
        CredentialFiles({"quay.io": Credential("reader:x", _SECRET)}, None)
    assert _SECRET not in str(caught.value)
