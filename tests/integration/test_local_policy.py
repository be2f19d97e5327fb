# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy local: what was built here is what counts, and no registry is asked."""

from __future__ import annotations

import pytest
from harness import Ansible, same_prediction
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.lab import Lab
from lablib.units import deploy
from pushing import Push, build, id_of
from sight import look

NAME = "localhost/it-built:latest"


@pytest.fixture
def old(host: Host, push: Push) -> Pushed:
    """The image that a deployed unit runs."""
    image = push("built")
    build(host, image, NAME)
    deploy(host, "it-built", image=NAME, policy="local", pull_first=False)
    return image


def test_a_build_is_activated(lab: Lab, host: Host, ansible: Ansible, push: Push, old: Pushed) -> None:
    new = push("built", version="2")
    build(host, new, NAME)
    mark = lab.registry.mark()

    predicted = ansible.update(host.name, check=True).succeeded()
    real = ansible.update(host.name).succeeded()

    assert predicted.verdicts() == {"it-built": ("pending", "check_mode")}
    assert real.verdicts() == {"it-built": ("updated", None)}
    assert same_prediction(predicted, real)
    assert real.row("it-built")["policy"] == "local"
    after = look(host)
    assert after.runs("it-built") == id_of(new) == after.names[NAME]
    assert list(after.slots.values()) == [id_of(old)]
    assert real.data["registries"] == []
    assert [request for request in lab.registry.requests(mark) if request.remote == host.address] == []

    assert ansible.update(host.name).succeeded().verdicts() == {"it-built": ("current", None)}


def test_a_short_name_will_do(host: Host, ansible: Ansible, push: Push, old: Pushed) -> None:
    deploy(host, "it-short", image="it-built", policy="local", pull_first=False)
    new = push("built", version="2")
    build(host, new, NAME)

    result = ansible.update(host.name, only=["container:it-short"]).succeeded()

    assert result.verdicts() == {"it-short": ("updated", None)}
    assert result.row("it-short")["image"] == "it-built"
    after = look(host)
    assert (after.runs("it-short"), after.runs("it-built")) == (id_of(new), id_of(old))


def test_a_broken_build_is_put_back_and_not_lost(host: Host, ansible: Ansible, push: Push, old: Pushed) -> None:
    bad = push("built", version="2", kind=Kind.NO_START)
    build(host, bad, NAME)

    assert ansible.update(host.name).failed().verdicts() == {"it-built": ("rolled_back", "job_failed")}

    host.run(["podman", "image", "prune", "--force"])
    after = look(host)
    assert after.runs("it-built") == id_of(old) == after.names[NAME]
    assert list(after.rejected.values()) == [id_of(bad)]


def test_a_name_that_is_gone_is_a_failure(host: Host, ansible: Ansible, old: Pushed) -> None:
    host.run(["podman", "untag", NAME, NAME])
    before = look(host)

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-built": ("failed", "no_local_tag")}
    assert look(host) == before
    assert before.runs("it-built") == id_of(old)
