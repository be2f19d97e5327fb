# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers write into labels touches nothing outside of their own workload, and the report stays a report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from harness import Ansible
from lablib.host import Host
from locations import SCRATCH
from peer import LABEL, started
from pushing import Push
from secrecy import know
from sight import look, unit
from users import lingering

VICTIM = "it-victim.service"
FILE = f"{SCRATCH}/nobody-may-read-this"
#: Container name → the unit that its label claims.
CLAIMS = {
    "it-path": "../../../etc/systemd/system/it-victim.service",
    "it-newline": f"it-none.service\n{VICTIM}",
    "it-trailing": f"{VICTIM}\n",
    "it-long": f"{'x' * 65536}.service",
    "it-sshd": "ssh.service",
    "it-option": "--all.service",
    "it-glob": "it-vict*.service",
    "it-shell": "$(touch /run/injected).service",
    "it-specifier": "%n",
    "it-template": "it-none@../../it-victim.service",
    "it-manager": "user@0.service",
    "it-target": "reboot.target",
    "it-backwards": "\u202eecivres.mitciv-ti",
    "it-theirs": "it-mine.service",
    "it-victims": VICTIM,
}
#: Those that no manager could have.
NO_SERVICES = frozenset(CLAIMS) - {"it-sshd", "it-option", "it-manager", "it-theirs", "it-victims"}
#: Container name → what it has for a policy.
POLICIES = {"it-fake": "registry\nlocal", "it-vast": "x" * 65536}
_NO_REASON = ("failed", "unit_mismatch")


def run_by_hand(name: str, image: str, labels: Mapping[str, str]) -> str:
    """The line of a script that starts a container."""
    given = [f"--label={key}={value}" for key, value in labels.items()]
    return shlex.join(["podman", "run", "--detach", f"--name={name}", *given, image])


def test_labels_of_strangers_touch_nothing(host: Host, ansible: Ansible, push: Push, distro: str) -> None:
    secret = f"it-is-in-a-file-{distro}-c41d"
    know(secret)
    host.write(FILE, secret, mode=0o600)
    image = push("hostile").reference
    borne = push(
        "borne", labels={LABEL: "registry", "PODMAN_SYSTEMD_UNIT": VICTIM, f"{LABEL}.authfile": FILE}
    ).reference
    with lingering(host) as user:
        user.deploy("it-mine", push("mine").reference)
        started(host, VICTIM, "[Service]\nExecStart=/usr/bin/sleep 1000\n")
        unit_of, file = "PODMAN_SYSTEMD_UNIT", f"{LABEL}.authfile"
        script = [
            *(run_by_hand(name, image, {LABEL: "registry", unit_of: claim}) for name, claim in CLAIMS.items()),
            *(run_by_hand(name, image, {LABEL: policy, unit_of: VICTIM}) for name, policy in POLICIES.items()),
            run_by_hand("it-file", image, {LABEL: "registry", file: FILE, unit_of: VICTIM}),
            run_by_hand("it-borne", borne, {}),
        ]
        host.run(["sh", "-es"], input="\n".join(script), timeout=120)
        for name in ("hostile", "borne", "mine"):
            push(name, version="2")
        before = look(host)
        units = {name: unit(host, name) for name in (VICTIM, "ssh.service")}
        theirs = user.container("it-mine")["Id"]

        checked = ansible.update(host.name, check=True, options=["-vvv"]).failed()
        run = ansible.update(host.name, options=["-vvv", "--diff"])
        info = ansible.info(host.name)

        expected = dict.fromkeys((*CLAIMS, "it-borne", "it-file"), _NO_REASON)
        expected |= dict.fromkeys(POLICIES, ("failed", "invalid_policy"))
        assert checked.verdicts() == run.failed().verdicts() == expected
        assert not run.result.changed
        assert look(host) == before
        assert {name: unit(host, name) for name in units} == units
        assert user.container("it-mine")["Id"] == theirs
        assert host.run(["test", "-e", "/run/injected"], check=False).returncode == 1
        rows = [*run.result.rows, *info.succeeded().data["workloads"]]
        assert max(len(text) for row in rows for text in row.values() if isinstance(text, str)) < 1000

        # An operator may trust labels; what is not the name of a service is none all the same.
        named = ansible.update(host.name, trust_labels=True, only=[f"container:{name}" for name in sorted(NO_SERVICES)])
        assert named.failed().verdicts() == dict.fromkeys(NO_SERVICES, _NO_REASON)
        assert (look(host), {name: unit(host, name) for name in units}) == (before, units)
