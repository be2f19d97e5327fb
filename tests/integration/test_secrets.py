# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password that was given to the module is nowhere to be read: not in output, journal or process table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from harness import Ansible
from lablib.host import Host
from pushing import id_of
from secrecy import Watch, forget, know
from secure import Vault
from sight import look

WRONG = "it-is-Wrong-7f3a9c"
know(WRONG)


#: How each net is told a secret: a command and its input.
_TELLING = {
    "hook": (["python3", "-"], "import subprocess; subprocess.run(['true', '{secret}'], check=True)"),
    "journal": (["logger"], "{secret}"),
    "connector": (["sh", "-s"], "sh -c 'exec /usr/bin/sleep 0.1 {secret}'; true"),
}


@pytest.mark.parametrize("net", sorted(_TELLING))
def test_what_is_told_is_seen(host: Host, watch: Watch, net: str) -> None:
    """Without this, that no secret is seen in any test would mean nothing."""
    secret, (command, text) = f"it-is-told-{host.name}-{net}", _TELLING[net]
    if net == "connector" and not watch.connector.heard:
        pytest.skip("the tests may not listen to the kernel's process connector")
    know(secret)
    try:
        host.run(command, input=text.format(secret=secret))
        with pytest.raises(AssertionError, match=secret):
            watch.end(host)
    finally:
        forget(secret)
    watch.end(host)


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_no_password_is_seen(
    host: Host, ansible: Ansible, vault: Vault, watch: Watch, tmp_path: Path, right: bool
) -> None:
    """A wrong one is as secret: most are right, but for a typing error or another registry."""
    old = vault.push("guarded")
    vault.deploy(host, "it-guarded", old)
    new = vault.push("guarded", version="2")
    password = vault.registry.password if right else WRONG
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({"it_password": password}), encoding="utf-8")
    cursor = _journal_end(host)

    run = ansible.update(
        host.name,
        options=["-vvv", "--diff", f"--extra-vars=@{variables}"],
        credentials=vault.credentials("{{ it_password }}"),
    )

    assert run.succeeded().verdicts() == {"it-guarded": ("updated", None) if right else ("unknown", "auth_required")}
    assert look(host).runs("it-guarded") == id_of(new if right else old)
    secrets = (password, vault.pair) if right else (password,)
    journal = host.run(["journalctl", "--quiet", "--no-pager", f"--after-cursor={cursor}"]).stdout
    lines = watch.children(host)
    table = "\n".join(lines)
    for secret in secrets:
        assert secret not in run.stdout + run.stderr
        assert secret not in journal
        assert secret not in table
    # That there was something to see is what makes the lines above mean anything.
    assert '"credentials"' in run.stdout
    assert "image_autoupdate" in journal
    assert "Invoked with" in journal
    assert re.search(r"podman (images|ps|info|image|inspect) ", table)
    pulls = [line for line in lines if "podman pull" in line and new.pinned in line]
    assert any("--authfile=/run/podfleet-autoupdate/" in line for line in pulls) == right
    left = host.run(["find", "/run/podfleet-autoupdate", "-type", "f", "!", "-name", "store.lock"], check=False)
    assert left.stdout == ""


@pytest.mark.parametrize("kind", ["password", "identity_token"])
def test_no_secret_of_a_comparison_is_seen(
    host: Host, ansible: Ansible, vault: Vault, watch: Watch, tmp_path: Path, kind: str
) -> None:
    """The identity token is of no use for this registry, which gives none; it is no less secret."""
    image = vault.push("compared")
    secret = vault.registry.password if kind == "password" else WRONG
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({"it_secret": secret}), encoding="utf-8")
    entry = {"registry": vault.registry.address, kind: "{{ it_secret }}"}
    if kind == "password":
        entry["username"] = vault.registry.username
    cursor = _journal_end(host)

    run = ansible.compare(
        host.name, image.reference, options=["-vvv", f"--extra-vars=@{variables}"], credentials=[entry]
    )

    expected = ("missing", None) if kind == "password" else ("unknown", "auth_required")
    assert run.succeeded().compared() == {image.reference: expected}
    journal = host.run(["journalctl", "--quiet", "--no-pager", f"--after-cursor={cursor}"]).stdout
    lines = watch.children(host)
    table = "\n".join(lines)
    for one in (secret, vault.pair):
        assert one not in run.stdout + run.stderr
        assert one not in journal
        assert one not in table
    assert '"credentials"' in run.stdout
    assert "image_digest_info" in journal
    assert re.search(r"podman (images|ps|info|image|inspect) ", table)


def _journal_end(host: Host) -> str:
    answer = host.run(["journalctl", "--quiet", "--lines=0", "--show-cursor"]).stdout
    return answer.strip().rpartition("-- cursor: ")[2]
