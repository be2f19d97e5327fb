# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials on a host: which file is read, and the one that podman is given."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import stat
import tempfile
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import credentials as edge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import private_files
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.credentials import CredentialFiles
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.authfiles import parse_authfile
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError, RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
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


_APP = Reference.parse("quay.io/app")


def _user(files: CredentialFiles, reference: str, label: str | None = None) -> str | None:
    found = files.for_reference(Reference.parse(reference), label)
    return found.username if found else None


@pytest.fixture(autouse=True)
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An empty home, no variables, and a run directory that is no host's (the one constant that is replaced)."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(private_files, "_RUN_DIRECTORY", tmp_path / "podfleet")
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
    Place("HOME", "e", "e/.dockercfg"),
]


@pytest.mark.parametrize("number", range(len(_PLACES)), ids=[place.path for place in _PLACES])
def test_files_are_searched_in_podmans_order(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Every later place has a file too, and would give another user."""
    for place in _PLACES[number:]:
        monkeypatch.setenv(place.variable, str(home / place.value))
        _authfile(home / place.path, "quay.io")
    wanted: dict[str, t.Any] = {"quay.io": {"auth": Credential("wanted", _SECRET).basic()}}
    if not _PLACES[number].path.endswith(".dockercfg"):
        wanted = {"auths": wanted}
    (home / _PLACES[number].path).write_text(json.dumps(wanted), encoding="utf-8")
    assert _user(CredentialFiles({}, None), "quay.io/app") == "wanted"


def test_the_first_default_file_that_knows_the_registry_counts(home: pathlib.Path) -> None:
    """Seen on podman 4.3.1 and 5.4.2: an entry without a secret, and a helper that knows nothing, end no search."""
    first = _authfile(home / "run/containers/auth.json", "ghcr.io", "quay.io/first")
    _authfile(home / "home/.config/containers/auth.json", "quay.io", "quay.io/first/app")
    files = CredentialFiles({}, None)
    assert _user(files, "quay.io/app") == "quay.io"
    assert _user(files, "quay.io/first/app") == "quay.io/first"
    first.write_text('{"auths": {"quay.io": {}}}', encoding="utf-8")
    assert _user(CredentialFiles({}, None), "quay.io/app") == "quay.io"


def test_without_a_runtime_folder_podman_looks_below_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert edge._default_places({})[0].path == f"/run/containers/{os.getuid()}/auth.json"


@pytest.mark.parametrize("content", ["[]", "{", f'"{_SECRET}"', " " * (1024 * 1024 + 1), None])
def test_a_default_file_that_cannot_be_read_leaves_the_registry_unasked(
    home: pathlib.Path, content: str | None
) -> None:
    """podman fails there too, though a later file knows the registry."""
    path = home / "run/containers/auth.json"
    path.parent.mkdir(parents=True)
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content, encoding="utf-8")
    _authfile(home / "home/.config/containers/auth.json", "quay.io")
    files = CredentialFiles({}, None)
    for _time in range(2):
        with pytest.raises(RegistryError) as caught:
            files.for_reference(_APP)
        assert caught.value.reason is Reason.AUTHFILE_INVALID
        assert str(path) in str(caught.value)
        assert _SECRET not in str(caught.value)
    assert _user(CredentialFiles({"quay.io": _OWN}, None), "quay.io/app") == "task"


@pytest.mark.parametrize("variable", ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG"])
def test_a_variable_that_names_a_missing_file_ends_the_search(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    _authfile(home / "home/.config/containers/auth.json", "quay.io")
    assert _user(CredentialFiles({}, None), "quay.io/app") == "quay.io"
    monkeypatch.setenv(variable, str(home / "missing"))
    files = CredentialFiles({}, None)
    assert _user(files, "quay.io/app") is None
    (warning,) = files.warnings()
    assert warning.startswith(f"{variable}: {home / 'missing'}")
    # podman 4.3 fails where the file that a variable names is not there.
    with files.for_podman(_APP) as given_:
        assert json.loads(pathlib.Path(str(given_)).read_text(encoding="utf-8"))["auths"] == {}


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
    assert _user(files, "quay.io/app") is None
    assert files.warnings() == ()
    with files.for_podman(_APP) as path:
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
        CredentialFiles({}, str(home / "a.json"))
    assert str(home / "a.json") in str(caught.value)
    assert _SECRET not in str(caught.value)


def test_a_file_without_end_is_not_read(home: pathlib.Path) -> None:
    (home / "a.json").write_text(" " * (1024 * 1024 + 1), encoding="utf-8")
    with pytest.raises(InputError, match="is longer than 1048576 bytes"):
        CredentialFiles({}, str(home / "a.json"))


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
        assert parse_authfile(text, "x").auths["quay.io"] == _OWN
    assert not (home / "podfleet").exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_private_file_is_removed_whatever_happens(home: pathlib.Path, error: type[BaseException]) -> None:
    def use() -> None:
        with CredentialFiles({"quay.io": _OWN}, None).for_podman():
            assert len(list((home / "podfleet").iterdir())) == 1
            raise error

    with pytest.raises(error):
        use()
    assert not (home / "podfleet").exists()


def test_the_folder_goes_with_its_last_file_and_comes_back(home: pathlib.Path) -> None:
    files = CredentialFiles({"quay.io": _OWN}, None)
    with files.for_podman() as first:
        with files.for_podman() as second:
            assert first != second
        assert [str(path) for path in (home / "podfleet").iterdir()] == [first]
    assert not (home / "podfleet").exists()

    def use(_number: int) -> bool:
        with files.for_podman() as path:
            return pathlib.Path(str(path)).is_file()

    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(use, range(400)))
    assert not (home / "podfleet").exists()


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
    runs = private_files._RUN_DIRECTORY.parent
    path = _authfile(runs / "a.json", *in_file)
    files = CredentialFiles({key: Credential(f"task {key}".replace(":", ";"), _SECRET) for key in of_task}, str(path))
    parsed = Reference.parse(reference)
    with files.for_podman(parsed) as given_:
        theirs = parse_authfile(pathlib.Path(str(given_)).read_text(encoding="utf-8"), "x")
    assert theirs.find(parsed) == files.for_reference(parsed)


def test_no_secret_shows_where_the_files_are_printed() -> None:
    files = CredentialFiles({"quay.io": _OWN}, None)
    assert _SECRET not in repr(files) + repr(vars(files))


def test_a_username_with_a_colon_would_be_another_user() -> None:
    with pytest.raises(InputError, match=r"quay\.io must not contain a colon") as caught:
        CredentialFiles({"quay.io": Credential("reader:x", _SECRET)}, None)
    assert _SECRET not in str(caught.value)


# The file that a container's label names.


@pytest.fixture
def trusted() -> t.Iterator[pathlib.Path]:
    """A folder that nobody else can write, all the way up: the folder for temporary files is none."""
    with tempfile.TemporaryDirectory(dir="/root" if os.geteuid() == 0 else pathlib.Path.home()) as folder:
        yield pathlib.Path(folder).resolve()


def test_a_labels_file_comes_before_the_tasks_file_and_after_the_tasks_credentials(
    home: pathlib.Path, trusted: pathlib.Path
) -> None:
    label = str(_authfile(trusted / "label.json", "quay.io", "ghcr.io"))
    files = CredentialFiles({"ghcr.io": _OWN}, str(_authfile(home / "a.json", "quay.io/team", "gcr.io")))
    assert _user(files, "quay.io/team/app", label) == "quay.io"
    assert _user(files, "quay.io/team/app") == "quay.io/team"
    assert _user(files, "ghcr.io/app", label) == "task"
    assert _user(files, "gcr.io/app", label) is None


def test_podman_gets_a_labels_file_as_it_is(trusted: pathlib.Path) -> None:
    label = str(_authfile(trusted / "label.json", "quay.io"))
    with CredentialFiles({}, None).for_podman(_APP, label) as given_:
        assert given_ == label


def test_podman_gets_the_tasks_credentials_beside_a_labels_file(trusted: pathlib.Path) -> None:
    label = str(_authfile(trusted / "label.json", "quay.io"))
    with CredentialFiles({"ghcr.io": _OWN}, None).for_podman(_APP, label) as given_:
        auths = parse_authfile(pathlib.Path(str(given_)).read_text(encoding="utf-8"), "x").auths
    assert {key: one.username for key, one in auths.items() if one}["quay.io"] == "quay.io"
    assert auths["ghcr.io"] == _OWN


def test_a_labels_file_that_is_missing_means_anonymous_and_is_said(home: pathlib.Path, trusted: pathlib.Path) -> None:
    _authfile(home / "run/containers/auth.json", "quay.io")
    files = CredentialFiles({}, None)
    label = str(trusted / "missing.json")
    assert _user(files, "quay.io/app", label) is None
    with files.for_podman(_APP, label) as given_:
        assert json.loads(pathlib.Path(str(given_)).read_text(encoding="utf-8")) == {"auths": {}, "credHelpers": {}}
    assert files.warnings() == (
        f"io.containers.autoupdate.authfile: {label} is not there, so the registry is asked anonymously",
    )


def test_a_labels_file_that_others_can_write_is_refused_everywhere(home: pathlib.Path) -> None:
    label = str(_authfile(home / "label.json", "quay.io"))
    pathlib.Path(label).chmod(0o666)
    files = CredentialFiles({"ghcr.io": _OWN}, None)
    with pytest.raises(RegistryError, match="others than its owner can write") as caught:
        files.for_reference(_APP, label)
    assert caught.value.reason is Reason.AUTHFILE_UNTRUSTED
    with pytest.raises(RegistryError), files.for_podman(_APP, label):
        pass
    assert not list((home / "podfleet").glob("*"))
    assert _user(files, "ghcr.io/app", label) == "task"


# Helpers.


@pytest.fixture
def helper(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], pathlib.Path]:
    """Have C(docker-credential-lab) on PATH do what a shell script says; returns where its calls are noted."""
    folder = home / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(script: str) -> pathlib.Path:
        program = folder / "docker-credential-lab"
        notes = home / "notes"
        program.write_text(f"#!/bin/sh\nread server\necho \"$* $server\" >> '{notes}'\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        return notes

    return make


_KNOWS = f"""echo '{{"ServerURL": "x", "Username": "helped", "Secret": "{_SECRET}"}}'"""
_Helper = t.Callable[[str], pathlib.Path]


def test_a_helper_is_asked_once_for_its_host(home: pathlib.Path, helper: _Helper) -> None:
    notes = helper(f"sleep 0.1; {_KNOWS}")
    files = CredentialFiles({}, str(_authfile(home / "a.json", "quay.io/team", credHelpers={"quay.io": "lab"})))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = set(pool.map(files.for_reference, [_APP, Reference.parse("quay.io/team/app")] * 8))
    assert found == {Credential("helped", _SECRET)}
    assert notes.read_text(encoding="utf-8") == "get quay.io\n"
    assert files.warnings() == ()


def test_podman_runs_the_helper_of_an_authfile_itself(home: pathlib.Path, helper: _Helper) -> None:
    notes = helper(_KNOWS)
    path = str(_authfile(home / "a.json", credHelpers={"quay.io": "lab"}))
    with CredentialFiles({}, path).for_podman(_APP) as given_:
        assert given_ == path
    assert not notes.exists()


def test_a_store_is_asked_for_what_no_file_knows_and_podman_is_told(home: pathlib.Path, helper: _Helper) -> None:
    """podman itself ignores credsStore."""
    notes = helper(_KNOWS)
    _authfile(home / "run/containers/auth.json", "ghcr.io")
    _authfile(home / "home/.docker/config.json", credsStore="lab", auths={"quay.io": {}})
    files = CredentialFiles({}, None)
    assert _user(files, "ghcr.io/app") == "ghcr.io"
    assert not notes.exists()
    assert _user(files, "quay.io/app") == "helped"
    with files.for_podman(_APP) as given_:
        theirs = parse_authfile(pathlib.Path(str(given_)).read_text(encoding="utf-8"), "x")
    assert theirs.find(_APP) == Credential("helped", _SECRET)
    assert isinstance(theirs.find(Reference.parse("ghcr.io/app")), Credential)
    assert notes.read_text(encoding="utf-8") == "get quay.io\n"


def test_a_helper_that_the_tasks_credentials_stand_before_still_serves_its_host(
    home: pathlib.Path, helper: _Helper
) -> None:
    helper(_KNOWS)
    path = str(_authfile(home / "a.json", credHelpers={"quay.io": "lab"}))
    files = CredentialFiles({"quay.io/team": _OWN}, path)
    for name, user in (("quay.io/team/app", "task"), ("quay.io/app", "helped")):
        parsed = Reference.parse(name)
        with files.for_podman(parsed) as given_:
            theirs = parse_authfile(pathlib.Path(str(given_)).read_text(encoding="utf-8"), "x").find(parsed)
        assert isinstance(theirs, Credential)
        assert (_user(files, name), theirs.username) == (user, user)


def test_a_store_that_is_not_installed_knows_nothing_as_for_podman(home: pathlib.Path) -> None:
    _authfile(home / "home/.docker/config.json", credsStore="no-such-store")
    files = CredentialFiles({}, None)
    assert _user(files, "quay.io/app") is None
    assert files.warnings() == ("credsStore: docker-credential-no-such-store is not installed",)


def test_a_failed_helper_fails_everything_that_needs_it(home: pathlib.Path, helper: _Helper) -> None:
    helper(f"echo {_SECRET}; exit 1")
    files = CredentialFiles({"ghcr.io": _OWN}, str(_authfile(home / "a.json", credHelpers={"quay.io": "lab"})))
    for _time in range(2):
        with pytest.raises(RegistryError, match="ended with exit code 1") as caught:
            files.for_reference(_APP)
        assert caught.value.reason is Reason.CREDENTIAL_HELPER
        assert _SECRET not in str(caught.value)
    with pytest.raises(RegistryError), files.for_podman(_APP):
        pass
    assert _user(files, "ghcr.io/app") == "task"


def test_another_user_gets_a_private_folder_of_their_own(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    (home / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    with pytest.raises(InputError, match="only this user can enter"):  # It belongs to the real user.
        private_files._run_directory()
    assert (home / "run/podfleet").is_dir()


def test_a_run_folder_that_others_can_enter_is_not_used(home: pathlib.Path) -> None:
    (home / "podfleet").mkdir(mode=0o755)
    with pytest.raises(InputError, match="only this user can enter"), CredentialFiles({"a": _OWN}, None).for_podman():
        pass


def test_a_user_without_xdg_runtime_dir_has_the_folder_of_logind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.os, "geteuid", lambda: os.getuid() or 4711)
    monkeypatch.setattr(private_files, "_USERS_RUNTIME", str(tmp_path))
    folder = tmp_path / str(os.getuid() or 4711)
    assert edge._default_places({})[0].path == f"/run/containers/{os.getuid()}/auth.json"
    folder.mkdir()
    os.chown(folder, os.getuid() or 4711, -1)
    assert edge._default_places({})[0].path == f"{folder}/containers/auth.json"
    assert edge._default_places({"XDG_RUNTIME_DIR": "/x"})[0].path == "/x/containers/auth.json"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_entered_holds_no_credentials(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "auth.json").write_text("{}", encoding="utf-8")
    assert edge._text(str(tmp_path / "auth.json")) == "{}"
    child = os.fork()
    if not child:
        told = 1
        try:
            os.setuid(4711)
            told = 0 if edge._text(str(tmp_path / "auth.json")) is None else 2
        finally:
            os._exit(told)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
