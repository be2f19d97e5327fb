# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new image moves the unit to it, a check says so before, and a second run finds nothing to do."""

from __future__ import annotations

import pytest
from harness import Ansible, same_prediction
from lablib.host import Host
from lablib.units import deploy
from pushing import Push, id_of
from sight import look, starts, unit

STYLES = [("trixie", "service"), ("trixie", "quadlet"), ("trixie", "pod"), ("bookworm", "service"), ("bookworm", "pod")]


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_a_new_image_is_activated_once(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    old = push("web")
    deployed = deploy(host, "it-web", image=old.reference, style=style)
    root = deployed.pod_unit or deployed.unit
    new = push("web", version="2")
    before, starts_before = look(host), starts(host, root)

    predicted = ansible.update(host.name, check=True).succeeded()

    assert predicted.verdicts() == {"it-web": ("pending", "check_mode")}
    assert look(host) == before

    real = ansible.update(host.name).succeeded()

    assert real.verdicts() == {"it-web": ("updated", None)}
    assert same_prediction(predicted, real)
    row = real.row("it-web")
    assert (row["unit"], row["image"], row["policy"]) == (root, old.reference, "registry")
    assert row["before"] == {"id": id_of(old), "digest": old.digest}
    assert row["after"] == {"id": id_of(new), "digest": new.digest}
    assert (row["job_result"], row["podman_updated"], row["changed"]) == ("done", "true", True)
    after = look(host)
    assert after.runs("it-web") == id_of(new) == after.names[old.reference]
    assert after.containers["it-web"].id != before.containers["it-web"].id
    assert list(after.slots.values()) == [id_of(old)]
    assert after.names_by_digest == []
    assert len(starts(host, root) - starts_before) == 1
    assert unit(host, root).active == "active"

    for check in (True, False):
        again = ansible.update(host.name, check=check).succeeded()
        assert again.verdicts() == {"it-web": ("current", None)}
        assert not again.changed
        assert again.row("it-web")["after"] == row["after"]
    assert look(host) == after


def test_two_updates_keep_the_image_that_ran_last(host: Host, ansible: Ansible, push: Push) -> None:
    first = push("web")
    deploy(host, "it-web", image=first.reference)
    second = push("web", version="2")
    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("updated", None)}
    third = push("web", version="3")

    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("updated", None)}

    after = look(host)
    assert after.runs("it-web") == id_of(third)
    assert list(after.slots.values()) == [id_of(second)]


def test_what_the_container_runs_counts_not_the_tag(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    host.run(["podman", "pull", "--quiet", new.reference])

    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("updated", None)}

    assert look(host).runs("it-web") == id_of(new)


def test_a_host_without_containers_has_nothing_to_do(host: Host, ansible: Ansible) -> None:
    result = ansible.update(host.name).succeeded()

    assert result.rows == []
    assert not result.changed
