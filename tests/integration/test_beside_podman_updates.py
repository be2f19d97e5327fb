# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: updates, rollbacks and restarts, on the same host and the same images."""

from __future__ import annotations

import pytest
from access import Asked
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from lablib.lab import Lab
from lablib.units import ContainerSpec, deploy, deploy_many
from locations import DROP_INS, SCRATCH
from peer import HEARD, TELLS, podman, started
from pushing import Push, id_of
from sight import look, starts, unit

#: Let a unit start that has enough(), and have enough then.
_AGAIN = f"""rm {SCRATCH}/enough; systemctl stop it-down.service; systemctl reset-failed
systemctl start it-down.service; touch {SCRATCH}/enough"""


def test_what_a_check_asks_beside_podman(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    """Two containers on one image: podman fetches the manifest for each, and here one HEAD is for both."""
    names = ("it-one", "it-two")
    old = push("asked")
    for name in names:
        deploy(host, name, image=old.reference)
    push("asked", version="2")
    before, mark = look(host), lab.registry.mark()

    podman(host, "--dry-run").said(0, one="pending", two="pending")
    peer = Asked.by(host, lab.registry, mark)
    mark = lab.registry.mark()
    checked = ansible.update(host.name, check=True).succeeded()
    ours = Asked.by(host, lab.registry, mark)

    assert (len(peer.gets), len(ours.heads), len(ours.gets)) == (2, 1, 1)
    assert checked.verdicts() == dict.fromkeys(names, ("pending", "check_mode"))
    assert look(host) == before


def test_the_same_image_under_another_digest_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """Compressed anew, or built here, pushed and never pulled: podman restarts the unit once for nothing."""
    old = push("same")
    deploy(host, "it-same", image=old.reference)
    again = push("same", recompress=True)
    assert (id_of(again), again.digest == old.digest) == (id_of(old), False)
    before, restarts = look(host), starts(host, "it-same.service")

    assert ansible.update(host.name).succeeded().verdicts() == {"it-same": ("current", "same_content")}
    assert (look(host), starts(host, "it-same.service")) == (before, restarts)

    podman(host, "--dry-run").said(0, same="pending")
    podman(host).said(0, same="true")
    assert len(starts(host, "it-same.service") - restarts) == 1
    podman(host).said(0, same="false")
    assert look(host).runs("it-same") == id_of(old)


def test_a_broken_image_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """Both put the old image back; podman's exit code is 0, and it gives no reason."""
    old = push("broken")
    deploy(host, "it-broken", image=old.reference)
    bad, before = push("broken", version="2", kind=Kind.NO_START), look(host)

    podman(host, "--dry-run").said(0, broken="pending")
    told = podman(host).said(0, broken="rolled back")
    assert "Error" not in told.stderr
    after = look(host)
    assert after.runs("it-broken") == id_of(old) == after.names[old.reference]
    assert after.containers["it-broken"].id != before.containers["it-broken"].id

    result = ansible.update(host.name).failed()
    assert result.verdicts() == {"it-broken": ("rolled_back", "job_failed")}
    assert "it-broken.service" in result.row("it-broken")["error"]
    after = look(host)
    assert after.runs("it-broken") == id_of(old) == after.names[old.reference]

    # The next night: what failed is remembered here, and podman restarts the unit on it once more.
    restarts = starts(host, "it-broken.service")
    assert ansible.update(host.name).succeeded().verdicts() == {"it-broken": ("held", "bad_digest")}
    assert starts(host, "it-broken.service") == restarts
    podman(host).said(0, broken="rolled back")
    assert starts(host, "it-broken.service") > restarts
    assert id_of(bad) in look(host).images


def test_a_broken_image_of_two_units_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """podman calls the second unit updated after the first was put back, and both run the old image."""
    names = ("it-first", "it-second")
    old = push("twice")
    for name in names:
        deploy(host, name, image=old.reference)
    push("twice", version="2", kind=Kind.NO_START)

    told = podman(host)
    assert (told.rc, sorted(told.updated.values()), told.pulls) == (0, ["rolled back", "true"], 1)
    assert {look(host).runs(name) for name in names} == {id_of(old)}

    result = ansible.update(host.name).failed()
    assert sorted(result.verdicts().values()) == [("failed", "group_failed"), ("rolled_back", "job_failed")]
    assert {look(host).runs(name) for name in names} == {id_of(old)}


def test_one_answer_of_two_in_a_unit_beside_podman(host: Host, ansible: Ansible, push: Push, distro: str) -> None:
    """podman gives every container of a restarted unit the unit's word, so one without an answer is called updated."""
    old = {name: push(name) for name in ("told", "untold")}
    deploy_many(host, "it-pair", [ContainerSpec(f"it-{name}", old[name].reference) for name in old])
    push.maker.delete(push.repository("untold"), old["untold"].digest)

    new, restarts = push("told", version="2"), starts(host, "it-pair.service")
    # Debian 12's podman drops the error that the other had.
    told = podman(host).said(0 if distro == "bookworm" else 125, told="true", untold="true")
    assert ("manifest unknown" in told.stderr) == (distro == "trixie")
    after = look(host)
    assert (after.runs("it-told"), after.runs("it-untold")) == (id_of(new), id_of(old["untold"]))
    assert len(starts(host, "it-pair.service") - restarts) == 1

    new, restarts = push("told", version="3"), starts(host, "it-pair.service")
    result = ansible.update(host.name).succeeded()
    assert result.verdicts() == {"it-told": ("updated", None), "it-untold": ("unknown", "not_found")}
    after = look(host)
    assert (after.runs("it-told"), after.runs("it-untold")) == (id_of(new), id_of(old["untold"]))
    assert len(starts(host, "it-pair.service") - restarts) == 1


def test_neither_image_starts_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("down")
    deploy(host, "it-down", image=old.reference)
    once = f"[Service]\nExecStartPre=/usr/bin/test ! -e {SCRATCH}/enough\n"
    host.write(f"{DROP_INS.replace('*', 'down')}/once.conf", once)
    host.write(f"{SCRATCH}/enough", "")
    host.run(["systemctl", "daemon-reload"])
    push("down", version="2")

    told = podman(host).said(125, down="failed")
    assert "during rollback" in told.stderr
    assert look(host).names[old.reference] == id_of(old)

    host.run(["sh", "-ec", _AGAIN])
    result = ansible.update(host.name).failed()
    assert result.verdicts() == {"it-down": ("failed", "unit_down")}
    assert look(host).names[old.reference] == id_of(old)


@pytest.mark.parametrize(
    ("limit", "result"),
    [
        ("[Service]\nTimeoutStartSec=2\nRestart=no\n", "failed"),
        ("[Unit]\nJobTimeoutSec=6\n[Service]\nRestart=no\n", "timeout"),
    ],
    ids=["of-the-unit", "of-the-job"],
)
def test_a_start_without_end_beside_podman(
    host: Host, ansible: Ansible, push: Push, distro: str, limit: str, result: str
) -> None:
    """Without rollback: a unit that is never ready fails by its timeout, or systemd gives its job up and podman leaves it on
    its way; the other unit is updated all the same."""
    old, other = push("late", config=TELLS), push("prompt")
    deploy(host, "it-late", image=old.reference, extra_args=HEARD)
    deploy(host, "it-prompt", image=other.reference)
    host.write(f"{DROP_INS.replace('*', 'late')}/soon.conf", limit)
    host.run(["systemctl", "daemon-reload"])
    push("late", version="2")

    new = push("prompt", version="2")
    # Debian 12's podman has the word only, and no error.
    told = podman(host, "--rollback=false").said(0 if distro == "bookworm" else 125, late="failed", prompt="true")
    assert (f'expected "done" but received "{result}"' in told.stderr) == (distro == "trixie")
    assert look(host).runs("it-prompt") == id_of(new)

    again = f"systemctl stop it-late; podman tag {id_of(old)} {old.reference}; systemctl start it-late"
    host.run(["sh", "-ec", again])
    assert look(host).runs("it-late") == id_of(old)
    new = push("prompt", version="3")
    done = ansible.update(host.name, rollback=False).failed()
    assert done.verdicts() == {"it-late": ("failed", f"job_{result}"), "it-prompt": ("updated", None)}
    assert done.row("it-late")["job_result"] == result
    assert look(host).runs("it-prompt") == id_of(new)


def test_a_unit_that_does_not_exist_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """podman pulls, asks systemd for the impossible and fails. What exists it restarts, whoever it belongs to."""
    image = push("claimed")
    claims = {"it-missing": "it-no-such.service", "it-forged": "it-victim.service"}
    started(host, "it-victim.service", "[Service]\nExecStart=/usr/bin/sleep 1000\n")
    runs = [
        f"podman run --detach --name={name} --label=io.containers.autoupdate=registry"
        f" --label=PODMAN_SYSTEMD_UNIT={claimed} {image.reference}"
        for name, claimed in claims.items()
    ]
    host.run(["sh", "-ec", "\n".join(runs)])
    push("claimed", version="2")
    before, victim = look(host), unit(host, "it-victim.service")

    result = ansible.update(host.name).failed()
    assert result.verdicts() == dict.fromkeys(claims, ("failed", "unit_mismatch"))
    assert (look(host), unit(host, "it-victim.service")) == (before, victim)

    told = podman(host).said(125, missing="failed", forged="true")
    assert "it-no-such.service" in told.stderr
    assert unit(host, "it-victim.service").invocation != victim.invocation
    assert look(host).runs("it-forged") == id_of(image)
