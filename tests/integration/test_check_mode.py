# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode changes nothing, and its diff names the images."""

from __future__ import annotations

from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from lablib.lab import Lab
from lablib.units import deploy
from pushing import Push, id_of
from sight import look, unit


def test_nothing_is_pulled_or_restarted(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    push("web", version="2")
    before, unit_before = look(host), unit(host, "it-web.service")
    mark = lab.registry.mark()

    assert ansible.update(host.name, check=True, diff=True).succeeded().changed

    assert look(host) == before
    assert unit(host, "it-web.service") == unit_before
    asked = [request for request in lab.registry.requests(mark) if request.remote == host.address]
    assert any(
        request.method == "HEAD" and f"/{push.repository('web')}/manifests/" in request.path for request in asked
    )
    assert [request.path for request in asked if "/blobs/" in request.path] == []
    assert {request.user_agent for request in asked} == {"podfleet-autoupdate"}


def test_the_diff_shows_both_images(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")

    for check, header in ((True, "+++ after: images that would run"), (False, "+++ after: images that run now")):
        lines = [line.strip() for line in ansible.update(host.name, check=check, diff=True).stdout.splitlines()]
        assert header in lines
        for sign, pushed in (("-", old), ("+", new)):
            assert f"{sign}  id: {id_of(pushed)}" in lines
            assert f"{sign}  digest: {pushed.digest}" in lines


def test_a_broken_image_is_pending_as_long_as_nobody_tries_it(host: Host, ansible: Ansible, push: Push) -> None:
    """A check cannot know more, and must not fail the task for it."""
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    push("web", version="2", kind=Kind.NO_START)

    result = ansible.update(host.name, check=True).succeeded()

    assert result.verdicts() == {"it-web": ("pending", "check_mode")}
    assert look(host).runs("it-web") == id_of(old)
