# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential helpers: real programs, good ones and bad ones."""

from __future__ import annotations

import os
import pathlib
import time
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import credential_helpers as edge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.credential_helpers import Helpers
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.authfiles import HelperCall
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_SECRET = "tr0ub4dor"
_CALL = HelperCall("lab", "quay.io")


@pytest.fixture
def program(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], None]:
    """Have C(docker-credential-lab) on PATH do what a shell script says."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def make(script: str) -> None:
        path = tmp_path / "docker-credential-lab"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    return make


_Program = t.Callable[[str], None]


def test_it_is_told_the_server_and_tells_user_and_secret(program: _Program) -> None:
    program("""printf '{"ServerURL":"%s","Username":"%s","Secret":"'"$(cat)"' pw"}' "$#" "$1" """)
    assert Helpers().ask(_CALL) == Credential("get", "quay.io pw")


def test_a_token_is_an_identity_token(program: _Program) -> None:
    program(f"""echo '{{"Username":"<token>","Secret":"{_SECRET}"}}'""")
    found = Helpers().ask(_CALL)
    assert found == Credential("<token>", "", _SECRET)
    assert _SECRET not in repr(found)


@pytest.mark.parametrize(
    "script",
    ["echo credentials not found in native keychain; exit 1", """echo '{"Username":"","Secret":""}'"""],
)
def test_what_it_does_not_know_is_no_error(program: _Program, script: str) -> None:
    program(script)
    assert Helpers().ask(_CALL) is None


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (f"echo {_SECRET}; echo {_SECRET} >&2; exit 3", "ended with exit code 3; to see why: echo quay.io"),
        ("exit 0", "not a JSON object"),
        (f"echo '[\"{_SECRET}\"]'", "not a JSON object"),
        (f'echo \'{{"Secret": "{_SECRET}"}}\'', "neither a user name nor a secret"),
        ("""echo '{"Username": 1, "Secret": 2}'""", "neither a user name nor a secret"),
        ("yes", "printed more than 65536 bytes"),
        ("kill -9 $$", "ended with exit code -9"),
    ],
)
def test_what_goes_wrong_is_said_without_the_secret(program: _Program, script: str, message: str) -> None:
    program(script)
    with pytest.raises(RegistryError, match=message) as caught:
        Helpers().ask(_CALL)
    assert caught.value.reason is Reason.CREDENTIAL_HELPER
    assert _SECRET not in str(caught.value)


def test_one_that_never_answers_is_killed(program: _Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "_SECONDS", 0.3)
    program("sleep 60 & sleep 60")
    started = time.monotonic()
    with pytest.raises(RegistryError, match="did not answer"):
        Helpers().ask(_CALL)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["../lab", "lab;reboot", "a b", "", "lab\n", "$(x)", "/bin/sh", "x" * 101])
def test_a_name_that_is_not_a_plain_word_is_never_run(name: str) -> None:
    with pytest.raises(RegistryError, match="not a plain word"):
        Helpers().ask(HelperCall(name, "quay.io", optional=True))


def test_one_that_is_not_installed() -> None:
    helpers = Helpers()
    with pytest.raises(RegistryError, match="docker-credential-none is not installed"):
        helpers.ask(HelperCall("none", "quay.io"))
    assert helpers.missing() == ()
    assert helpers.ask(HelperCall("none", "quay.io", optional=True)) is None
    assert helpers.missing() == ("none",)


def test_one_that_cannot_be_started(program: _Program, tmp_path: pathlib.Path) -> None:
    program("")
    (tmp_path / "docker-credential-lab").write_text("#!/no/such/shell\n", encoding="utf-8")
    with pytest.raises(RegistryError, match="could not be started"):
        Helpers().ask(_CALL)
