# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host follows a plan: what it is asked to run comes by digest, also before its time, and nothing else comes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from harness import Ansible, same_prediction
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.lab import Lab
from lablib.proxy import Fault, FaultProxy
from lablib.units import deploy
from planned import plan, sealed
from pushing import Push, id_of
from sight import look, starts
from signing import sign, signed_only

STATE = "/var/lib/podfleet-autoupdate/state.json"
HISTORY = "/var/lib/podfleet-autoupdate/history.jsonl"
TIMER = "/etc/podfleet-autoupdate/timer.json"


def test_a_plan_is_followed_by_digest_while_the_tag_moves_on(
    lab: Lab, host: Host, ansible: Ansible, push: Push
) -> None:
    """The quartet; another container is not in the plan, a third one is elsewhere than the plan thought."""
    old = {name: push(name) for name in ("web", "other", "drift")}
    for name, image in old.items():
        deploy(host, f"it-{name}", image=image.reference)
    new = {name: push(name, version="2") for name in old}
    later = {name: push(name, version="3") for name in old}
    told = plan(host.name, {"it-web": (old["web"], new["web"]), "it-drift": (later["drift"], new["drift"])})
    before, mark = look(host), lab.registry.mark()

    checked = ansible.update(host.name, check=True, plan=told).succeeded()
    assert checked.verdicts() == {"it-web": ("pending", "check_mode"), "it-drift": ("held", "plan_drift")}
    assert (checked.data["plan"], checked.data["plan_verdict"]) == (told["id"], None)
    assert look(host) == before
    assert asked(lab, push, mark) == []

    done = ansible.update(host.name, plan=told).succeeded()
    assert done.verdicts() == {"it-web": ("updated", None), "it-drift": ("held", "plan_drift")}
    assert same_prediction(checked, done)
    assert done.data["plan_verdict"] == "halted"
    assert done.data["registries"] == []
    seen = look(host)
    assert seen.runs("it-web") == id_of(new["web"]) == seen.names[old["web"].reference]
    assert {seen.runs("it-other"), seen.runs("it-drift")} == {id_of(old["other"]), id_of(old["drift"])}
    assert seen.names_by_digest == []
    pulled = asked(lab, push, mark)
    assert pulled
    assert {(method, one) for method, path in pulled if "/manifests/" in path for one in [path.rpartition("/")[2]]} == {
        ("GET", new["web"].digest)
    }
    assert all(method == "GET" for method, _path in pulled)

    mark, count = lab.registry.mark(), len(starts(host, "it-web.service"))
    for check in (True, False):
        again = ansible.update(host.name, check=check, plan=told, only=["unit:it-web"]).succeeded()
        assert (again.verdicts(), again.changed) == ({"it-web": ("current", None)}, False)
    assert (asked(lab, push, mark), len(starts(host, "it-web.service"))) == ([], count)
    state = json.loads(host.read(STATE))
    assert (state["plan"]["id"], state["plan"]["verdict"]) == (told["id"], "halted")
    assert json.loads(host.read(HISTORY).splitlines()[-1])["plan"] == told["id"]

    # Without a plan it goes on to what the registry has.
    assert ansible.update(host.name, only=["unit:it-web"]).succeeded().verdicts() == {"it-web": ("updated", None)}
    assert look(host).runs("it-web") == id_of(later["web"])


def test_staged_first_and_activated_while_the_registry_is_away(
    lab: Lab, host: Host, ansible: Ansible, push: Push, proxy: FaultProxy
) -> None:
    def fronted(image: Pushed) -> Pushed:
        return replace(image, reference=image.reference.replace(push.maker.address, proxy.address))

    old, second = fronted(push("web")), push("second")
    for name, image in (("it-web", old), ("it-second", second)):
        deploy(host, name, image=image.reference)
    new, newer = push("web", version="2"), push("second", version="2")
    told = plan(host.name, {"it-web": (old, new)})
    before = look(host)

    staged = [
        ansible.update(host.name, check=check, plan=told, state="staged").succeeded()
        for check in (True, False, True, False)
    ]
    assert [one.verdicts()["it-web"] for one in staged] == [("pending", "check_mode"), *[("pending", "staged")] * 3]
    assert [one.changed for one in staged] == [True, True, False, False]
    assert same_prediction(*staged[:2])
    assert staged[1].data["plan_verdict"] == "staged"
    seen = look(host)
    assert (seen.containers, set(seen.staged.values())) == (before.containers, {id_of(new)})
    assert {name: seen.names[name] for name in before.names} == before.names
    assert seen.names_by_digest == []

    # From the registry too, for what the plan does not name; what the plan wants stays.
    rest = ansible.update(host.name, state="staged", only=["unit:it-second"]).succeeded()
    assert rest.verdicts() == {"it-second": ("pending", "staged")}
    host.run(["podman", "image", "prune", "--force"])
    assert set(look(host).staged.values()) == {id_of(new), id_of(newer)}

    proxy.fault = Fault.RESET
    mark = lab.registry.mark()
    done = ansible.update(host.name, plan=told).succeeded()
    assert (done.verdicts(), done.data["plan_verdict"]) == ({"it-web": ("updated", None)}, "converged")
    assert asked(lab, push, mark) == []
    seen = look(host)
    assert seen.runs("it-web") == id_of(new) == seen.names[old.reference]
    assert set(seen.staged.values()) == {id_of(newer)}

    proxy.fault = Fault.NONE
    # Without a plan the registry is asked, and nothing is pulled.
    last = ansible.update(host.name).succeeded()
    assert last.verdicts() == {"it-second": ("updated", None), "it-web": ("current", None)}
    assert not [path for _method, path in asked(lab, push, mark) if "/blobs/" in path]
    assert look(host).staged == {}


def test_a_plan_that_cannot_be_meant_is_refused_before_anything(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    pair = {"it-web": (old, new)}
    good, before = plan(host.name, pair), look(host)
    refused = {
        "it expired at": plan(host.name, pair, lasts=-timedelta(seconds=1)),
        "was changed after": {**good, "expires": "2099-01-01T00:00:00Z"},
        "its schema is 2": sealed({**good, "schema": 2}),
        "not of": plan("another", pair, of="ab" * 32),
        "plan_host": sealed({**good, "hosts": {**good["hosts"], "another": {"units": {}}}}),
    }
    for said, told in refused.items():
        given: dict[str, Any] = {} if said == "plan_host" else {"plan_host": host.name}
        failed = ansible.update(host.name, plan=told, **given).failed()
        assert said in failed.data["msg"], failed.data["msg"]
    host.write(TIMER, "{}")
    try:
        assert "timer follows the registry" in ansible.update(host.name, plan=good).failed().data["msg"]
        assert look(host) == before
        allowed = ansible.update(host.name, plan=good, plan_host=host.name, allow_follower=True).succeeded()
        assert allowed.verdicts() == {"it-web": ("updated", None)}
    finally:
        host.run(["rm", "-rf", TIMER.rpartition("/")[0]])


def test_what_failed_elsewhere_is_held_and_what_fails_here_goes_back(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    bad = push("web", version="2", kind=Kind.NO_START)
    told = plan(host.name, {"it-web": (old, bad)})
    failed = ansible.update(host.name, plan=told).failed()
    assert failed.verdicts()["it-web"][0] == "rolled_back"
    assert (failed.data["plan_verdict"], look(host).runs("it-web")) == ("failed", id_of(old))
    again = ansible.update(host.name, plan=told).succeeded()
    assert (again.verdicts(), again.data["plan_verdict"]) == ({"it-web": ("held", "bad_digest")}, "halted")

    other = push("web", version="3")
    image = {"reference": old.reference, "id": id_of(other), "digests": [other.digest], "reason": "unhealthy on web-1"}
    told = plan(host.name, {"it-web": (old, other)})
    empty = sealed({**told, "targets": {}, "hosts": {host.name: {"units": {}}}})
    written = [
        ansible.update(host.name, check=check, plan=empty, bad_images=[image]).succeeded().changed
        for check in (True, False, True, False)
    ]
    assert written == [True, True, False, False]
    held = ansible.update(host.name, plan=told).succeeded()
    assert held.verdicts() == {"it-web": ("held", "bad_digest")}
    assert "unhealthy on web-1" in held.row("it-web")["error"]
    lifted = ansible.update(host.name, plan=told, lift_holds=True).succeeded()
    assert lifted.verdicts() == {"it-web": ("updated", None)}
    assert "bad_images: " in ansible.update(host.name, bad_images=[{**image, "id": "x"}]).failed().data["msg"]


def test_where_signatures_are_wanted_the_tag_is_pulled_and_goes_back(
    host: Host, ansible: Ansible, push: Push, distro: str
) -> None:
    with signed_only(host, distro, push) as command:

        def signed(version: str) -> Pushed:
            image = push("web", version=version)
            sign(host, command, image)
            return image

        old = signed("1")
        deploy(host, "it-web", image=old.reference)
        new, before = signed("2"), look(host)
        told = plan(host.name, {"it-web": (old, new)})
        result = ansible.update(host.name, plan=told, state="staged").succeeded()
        assert result.verdicts() == {"it-web": ("pending", "staged")}
        seen = look(host)
        assert {name: seen.names[name] for name in before.names} == before.names
        assert set(seen.staged.values()) == {id_of(new)}

        later = signed("3")  # Its signature is good; it is not what was planned.
        assert ansible.update(host.name, plan=told).succeeded().verdicts() == {"it-web": ("updated", None)}
        before = look(host)
        assert (before.runs("it-web"), before.names[old.reference], before.staged) == (id_of(new), id_of(new), {})

        told = plan(host.name, {"it-web": (new, old)})
        for state in ("staged", "updated"):
            refused = ansible.update(host.name, plan=told, state=state).failed()
            assert refused.verdicts() == {"it-web": ("failed", "tag_moved")}
            assert id_of(later) in refused.row("it-web")["error"]
            seen = look(host)
            assert (seen.names, seen.containers) == (before.names, before.containers)
        updated = ansible.update(host.name).succeeded()
        assert updated.verdicts() == {"it-web": ("updated", None)}
        assert look(host).runs("it-web") == id_of(later)


def asked(lab: Lab, push: Push, mark: int) -> list[tuple[str, str]]:
    """What the registry was asked for since then, of the images of these tests."""
    ours = push.repository("")
    return [(one.method, one.path) for one in lab.registry.requests(since=mark) if ours in one.path]
