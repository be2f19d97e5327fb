# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose timer follows plans: it asks no registry what is new, and stays on what the last plan said."""

from __future__ import annotations

from harness import Ansible
from lablib.host import Host
from lablib.lab import Lab
from lablib.registry import Request
from lablib.units import deploy
from planned import plan, sealed
from pushing import Push, id_of
from sight import look
from users import USER, lingering

from roles import play

_SERVICE = "podfleet-autoupdate.service"


def _run_now(host: Host) -> str:
    """What the engine said in one run, which must be a success."""
    cursor = host.run(["journalctl", "--quiet", "--lines=0", "--show-cursor"]).stdout.strip().partition("cursor: ")[2]
    host.run(["systemctl", "start", _SERVICE], timeout=120)
    return host.run(["journalctl", "--quiet", "--output=cat", f"--unit={_SERVICE}", f"--after-cursor={cursor}"]).stdout


def test_the_timer_keeps_to_the_last_plan(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    old = push("follow")
    deploy(host, "it-follow", image=old.reference)
    new = push("follow", version="2")
    timer = {"container_units_timer_follow": "plan", "container_units_timer_settings": {"settle": 0}}
    play(ansible, host, timer, entry="timer").succeeded()

    mark = lab.registry.mark()
    assert "no plan was given to this host as yet; only what was interrupted" in _run_now(host)
    assert look(host).runs("it-follow") == id_of(old)

    told = plan(host.name, {"it-follow": (old, new)})
    given = ansible.update(host.name, plan=told).succeeded()
    assert (given.data["plan_verdict"], look(host).runs("it-follow")) == ("converged", id_of(new))
    assert ansible.info(host.name).succeeded().data["follows"] == "plan"
    push("follow", version="3")
    assert f"following the plan {told['id']}" in _run_now(host)
    assert look(host).runs("it-follow") == id_of(new), "what the registry has is not asked for"

    moved = f"podman tag {id_of(old)[7:]} {old.reference} && systemctl restart it-follow.service"
    host.run(["sh", "-ec", moved])
    assert look(host).runs("it-follow") == id_of(old)
    assert "1 updated" in _run_now(host)
    assert look(host).runs("it-follow") == id_of(new)

    path = f"/v2/{push.repository('follow')}/manifests/"
    asked = [one.path[len(path) :] for one in lab.registry.requests(mark) if one.path.startswith(path) and _theirs(one)]
    assert set(asked) == {new.digest}, "nothing is asked for but the plan's digest"


def test_with_scope_all_each_keeps_to_their_own_last_plan(host: Host, ansible: Ansible, push: Push) -> None:
    """What the system has already may only be staged for a user, and then stays so."""
    old = push("each")
    with lingering(host) as user:
        user.deploy("it-own", old.reference)
        new = push("each", version="2")
        deploy(host, "it-each", image=old.reference)  # Its tag names the new one by now.
        variables = {"follow": "plan", "scope": "all", "settings": {"settle": 0}}
        given = {f"container_units_timer_{key}": value for key, value in variables.items()}
        play(ansible, host, given, entry="timer").succeeded()
        told = plan(host.name, {"it-each": (old, new)})
        units = told["hosts"][host.name]["units"]
        (entry,) = units["it-each.service"]
        units["it-own.service"] = [{**entry, "scope": "user", "user": USER, "container": "it-own"}]
        told = sealed(told)

        staged = ansible.update(host.name, scope="all", plan=told, state="staged").succeeded()
        assert staged.verdicts() == {"it-each": ("current", None), "it-own": ("pending", "staged")}
        assert "was only staged, and waits to be activated" in _run_now(host)
        assert (look(host).runs("it-each"), user.runs("it-own")) == (id_of(new), id_of(old))

        moved = ansible.update(host.name, scope="all", plan=told).succeeded()
        assert moved.data["plan_verdict"] == "converged"
        push("each", version="3")
        user.run("podman", "tag", id_of(old)[7:], old.reference)
        user.run("systemctl", "--user", "restart", "it-own.service")
        assert user.runs("it-own") == id_of(old)
        assert "1 updated" in _run_now(host)
        assert (look(host).runs("it-each"), user.runs("it-own")) == (id_of(new), id_of(new))


def _theirs(request: Request) -> bool:
    return "image-maker" not in request.user_agent
