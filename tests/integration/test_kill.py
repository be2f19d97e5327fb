# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed: at every step, in the middle of a pull, and together with their host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness import Ansible, Result
from hooks import hooked
from killing import Scene, hang, install, problems, told
from lablib.host import Host
from lablib.images import Kind
from lablib.proxy import FaultProxy
from lablib.units import deploy
from pushing import Push, id_of
from sight import look, starts
from test_memory import history, state


def _scene(host: Host, push: Push, *names: str, kind: Kind = Kind.GOOD) -> Scene:
    old = push("kill")
    for name in names:
        deploy(host, name, image=old.reference)
    new = push("kill", version="2", kind=kind)
    install(host)
    ids = (id_of(one).rpartition(":")[2] for one in (old, new))
    return Scene(old.reference, tuple(f"{name}.service" for name in names), *ids)


def _killed_everywhere(host: Host, scene: Scene, **more: Any) -> dict[int, Any]:
    """What one more run made of each step that it can tell from others; asserts that nothing is wrong."""
    first, _before, *points = told(host, scene.job("everywhere", **more))
    assert problems(scene, first["seen"], first["dry"]) == []
    wrong, seen = [], {}
    for one in points:
        assert one["killed"] == 9, one
        where = f"step {one['step']} before {one['call']}"
        if one["as"] != one["step"]:
            continue  # Nothing was touched, or the host looks as after an earlier step: one more run cannot tell them apart.
        if "check" in one:
            assert one["unchanged"], where
            told_ = [(each["unit"], each["did"]) for each in one["check"]["result"]["repaired"]]
            done = [(each["unit"], each["did"]) for each in one["more"]["result"]["repaired"]]
            assert told_ == done, where
        wrong += [f"{where}: {problem}" for problem in problems(scene, one["seen"], one["more"])]
        seen[one["step"]] = one
    assert wrong == []
    touched = [one for one in points if one["as"] >= 0]
    assert len(touched) >= 15
    return seen


def test_one_more_run_after_a_kill_at_every_step(host: Host, push: Push) -> None:
    scene = _scene(host, push, "it-one", "it-two")
    found = _killed_everywhere(host, scene)
    dids = {each["did"] for one in found.values() for each in one["more"]["result"]["repaired"]}
    assert dids == {"nothing", "undone", "finished"}
    for one in found.values():
        assert {image for _state, image in one["seen"]["containers"].values()} == {scene.new}


def test_one_repair_after_a_kill_at_every_step_of_a_way_back(host: Host, push: Push) -> None:
    scene = _scene(host, push, "it-back", kind=Kind.NO_START)
    found = _killed_everywhere(host, scene, more={"repair_only": True})
    for one in found.values():
        assert one["seen"]["containers"]["it-back"] == ["running", scene.old]
        assert one["seen"]["names"][scene.reference] == scene.old


def _repaired(result: Result) -> list[tuple[str, str, str | None]]:
    return [(one["unit"], one["did"], one["error"]) for one in result.data["repaired"]]


def test_a_module_that_was_killed_while_it_moved_a_tag(host: Host, ansible: Ansible, push: Push) -> None:
    """The quartet, with a run that is killed before it."""
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    with hooked(host, f"tag {id_of(new).rpartition(':')[2]} ", before="kill -9 $PPID"):
        assert ansible.update(host.name).rc != 0
    before, count = look(host), len(starts(host, "it-web.service"))
    assert (before.runs("it-web"), before.names[old.reference]) == (id_of(old), id_of(new))
    (intent,) = state(host)["intents"]
    assert intent["unit"] == "it-web.service"

    wanted = [("it-web.service", "undone", None)]
    checked = ansible.update(host.name, check=True).succeeded()
    assert (_repaired(checked), checked.changed) == (wanted, True)
    assert look(host) == before
    assert state(host)["intents"] == [intent]
    done = ansible.update(host.name).succeeded()
    assert (_repaired(done), done.verdicts(), done.changed) == (wanted, {"it-web": ("updated", None)}, True)
    assert look(host).runs("it-web") == id_of(new) == look(host).names[old.reference]
    assert list(look(host).slots.values()) == [id_of(old)]
    assert len(starts(host, "it-web.service")) == count + 1
    assert [one["verdict"] for one in history(host)] == ["rolled_back", "updated"]
    for check in (True, False):
        again = ansible.update(host.name, check=check).succeeded()
        assert (_repaired(again), again.verdicts(), again.changed) == ([], {"it-web": ("current", None)}, False)


def _kill_in_the_middle(host: Host, ansible: Ansible, whom: str) -> int:
    """Kill podman while it pulls, or whoever waits for it; the exit status of the run."""
    find = "for each in $(seq 200); do pid=$(pgrep -n -f '[p]odman pull --quiet') && break; sleep 0.1; done"
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(ansible.update, host.name)
        host.run(["sh", "-ec", f"{find}; kill -9 {whom}"])
        return running.result().rc


def test_a_pull_that_is_killed_or_loses_its_run(host: Host, ansible: Ansible, push: Push, proxy: FaultProxy) -> None:
    old = push("slow")
    reference = old.reference.replace(push.maker.address, proxy.address, 1)
    deploy(host, "it-slow", image=reference)
    new = push("slow", version="2")
    before = look(host)
    proxy.delay_ms = 500

    assert _kill_in_the_middle(host, ansible, "$pid") != 0
    assert look(host) == before
    assert state(host)["intents"] == []

    assert _kill_in_the_middle(host, ansible, "$(ps -o ppid= -p $pid)") != 0
    assert [one["unit"] for one in state(host)["intents"]] == ["it-slow.service"]
    proxy.delay_ms = 0
    done = ansible.update(host.name).succeeded()
    assert _repaired(done) == [("it-slow.service", "nothing", None)]
    assert done.verdicts() == {"it-slow": ("updated", None)}
    assert look(host).runs("it-slow") == id_of(new)
    assert look(host).names_by_digest == []


def test_a_host_that_goes_down_in_the_middle(host: Host, ansible: Ansible, push: Push) -> None:
    names = ("it-one", "it-two")
    scene = _scene(host, push, *names)
    host.run(["systemctl", "enable", *scene.units])
    at = {
        "Podman.pull": "undone",  # Its new containers could be those of a way back.
        "ServiceManager.restart": "finished",  # It boots on what the tag says by then.
        "ServiceManager._queue done": "finished",
        "HistoryFile.add": "finished",
    }
    version = 2
    for call, did in at.items():
        install(host)  # Where it lies does not outlive a boot.
        hang(host, scene, call)
        host.power_cut()
        if call != "Podman.pull":
            host.run(
                ["sh", "-c", "for each in $(seq 100); do systemctl is-active it-one it-two && exit; sleep 0.1; done"]
            )
        done = ansible.update(host.name).succeeded()
        assert {(one["did"], one["error"]) for one in done.data["repaired"]} == {(did, None)}, call
        now = look(host)
        assert {now.runs(name) for name in names} == {now.names[scene.reference]} == {f"sha256:{scene.new}"}, call
        assert now.names_by_digest == [], call
        assert state(host)["intents"] == []
        assert len(history(host)) == 2 * version, call
        version += 1
        newer = push("kill", version=str(version))
        scene = Scene(scene.reference, scene.units, scene.new, id_of(newer).rpartition(":")[2])


def test_a_host_that_boots_on_a_broken_image(host: Host, ansible: Ansible, push: Push) -> None:
    scene = _scene(host, push, "it-back", kind=Kind.NO_START)
    host.run(["systemctl", "enable", *scene.units])
    hang(host, scene, "ServiceManager.restart")
    host.power_cut()
    done = ansible.update(host.name).failed()
    assert _repaired(done) == [("it-back.service", "undone", None)]
    assert done.verdicts() == {"it-back": ("rolled_back", "job_failed")}
    assert look(host).runs("it-back") == f"sha256:{scene.old}" == look(host).names[scene.reference]
    assert ansible.update(host.name).succeeded().verdicts() == {"it-back": ("held", "bad_digest")}


def test_a_host_that_goes_down_twice_with_one_image(host: Host, ansible: Ansible, push: Push) -> None:
    scene = _scene(host, push, "it-twice")
    host.run(["systemctl", "enable", *scene.units])
    for call in ("ServiceManager.restart", "HistoryFile.add"):  # The second one while the repair judges the new image.
        install(host)
        hang(host, scene, call)
        host.power_cut()
    (counted,) = ansible.info(host.name).succeeded().data["interruptions"]
    assert (counted["id"], counted["unit"], counted["times"]) == (f"sha256:{scene.new}", "it-twice.service", 1)
    done = ansible.update(host.name).succeeded()
    assert _repaired(done) == [("it-twice.service", "undone", None)]
    assert done.verdicts() == {"it-twice": ("held", "bad_digest")}
    assert look(host).runs("it-twice") == f"sha256:{scene.old}" == look(host).names[scene.reference]
    assert [(one["verdict"], one["reason"]) for one in history(host)] == [("rolled_back", "interrupted")]
    assert state(host)["interruptions"] == []
