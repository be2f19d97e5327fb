# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers take part: the values of the label, and where it comes from."""

from __future__ import annotations

from harness import Ansible
from lablib.host import Host
from lablib.units import deploy
from pushing import Push, id_of
from sight import look

LABEL = "io.containers.autoupdate"
WHY = {"alias": "image", "good": "registry", "off": "disabled", "wrong": "fake_xyz"}


def test_each_value_has_its_meaning(host: Host, ansible: Ansible, push: Push) -> None:
    old = {name: push(name) for name in (*WHY, "empty", "plain")}
    for name, policy in WHY.items():
        deploy(host, f"it-{name}", image=old[name].reference, policy=policy)
    deploy(host, "it-empty", image=old["empty"].reference, policy=None, extra_args=[f"--label={LABEL}="])
    deploy(host, "it-plain", image=old["plain"].reference, policy=None)
    new = {name: push(name, version="2") for name in old}
    before = look(host)

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {
        "it-alias": ("updated", None),
        "it-good": ("updated", None),
        "it-wrong": ("failed", "invalid_policy"),
    }
    assert result.row("it-alias")["policy"] == "registry"
    assert (result.row("it-wrong")["policy"], result.row("it-wrong")["changed"]) == (None, False)
    assert "fake_xyz" in result.row("it-wrong")["error"]
    after = look(host)
    for name in ("alias", "good"):
        assert after.runs(f"it-{name}") == id_of(new[name])
    for name in ("off", "wrong", "empty", "plain"):
        assert after.containers[f"it-{name}"] == before.containers[f"it-{name}"]


def test_a_label_of_the_image_counts(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("labelled", labels={LABEL: "registry"})
    deploy(host, "it-labelled", image=old.reference, policy=None)
    new = push("labelled", version="2", labels={LABEL: "registry"})

    assert ansible.update(host.name).succeeded().verdicts() == {"it-labelled": ("updated", None)}

    assert look(host).runs("it-labelled") == id_of(new)


def test_a_container_that_does_not_run_takes_no_part(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("idle")
    host.run(["podman", "pull", "--quiet", old.reference])
    host.run(
        ["podman", "create", "--name=it-idle", f"--label={LABEL}=registry", old.reference],
        env={"PODMAN_SYSTEMD_UNIT": "it-idle.service"},
    )
    push("idle", version="2")
    before = look(host)

    assert ansible.update(host.name).succeeded().rows == []

    assert look(host) == before
