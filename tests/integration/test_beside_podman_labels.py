# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: which containers take part, and what becomes of the others."""

from __future__ import annotations

import pytest
from harness import Ansible
from lablib.errors import HostCommandError
from lablib.host import Host
from lablib.units import deploy
from peer import LABEL, podman
from pushing import Push, build, id_of
from sight import look

#: Unit → the policy of its label.
POLICIES = {"alias": "image", "good": "registry", "off": "disabled", "wrong": "fake_xyz", "built": "local"}


def system_events(host: Host, since: str) -> int:
    """How often podman wrote down that it looked for updates."""
    argv = ["podman", "events", "--stream=false", f"--since={since}", "--filter=type=system", "--format={{.Status}}"]
    return host.run(argv).stdout.splitlines().count("auto-update")


def now(host: Host) -> str:
    return host.run(["date", "+%s.%N"]).stdout.strip()


def test_a_host_without_workloads(host: Host, ansible: Ansible) -> None:
    """podman prints nothing at all, also where JSON was asked for; here it is an empty list."""
    since = now(host)

    assert (podman(host).said(0).stdout, podman(host, "--dry-run").said(0).stdout) == ("", "")
    assert system_events(host, since) == 0

    assert ansible.update(host.name).succeeded().rows == []


def test_what_cannot_take_part_is_refused_when_it_is_created(host: Host, push: Push) -> None:
    """This is podman's own, for everyone: what comes into being with the label can be followed by name."""
    image = push("created")
    short, archive = "it-created:latest", "/run/podfleet-integration/it-created.tar"
    script = f"""podman pull --quiet {image.reference}; podman tag {image.reference} {short}
        mkdir -p /run/podfleet-integration; podman save --quiet --output {archive} {image.reference}"""
    host.run(["sh", "-ec", script])
    create = ["podman", "create", f"--label={LABEL}=registry"]

    host.run([*create, image.reference])
    for source, word in (
        (short, "short name: auto updates require fully-qualified image reference"),
        (f"docker-archive:{archive}", "auto updates require the docker image transport"),
        (id_of(image).partition(":")[2], "short name: auto updates require fully-qualified image reference"),
    ):
        with pytest.raises(HostCommandError) as refused:
            host.run([*create, source])
        assert (refused.value.returncode, word in refused.value.stderr) == (125, True), refused.value.stderr


def test_names_that_only_the_host_knows_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """With the policy local podman does not refuse them. What came from an archive has no name to follow."""
    image = push("known")
    short, archive = "it-known:latest", "/run/podfleet-integration/it-known.tar"
    build(host, image, f"localhost/{short}")
    host.run(
        ["sh", "-ec", f"mkdir -p {archive.rpartition('/')[0]}; podman save --quiet -o {archive} localhost/{short}"]
    )
    for name, source in (("it-short", short), ("it-archive", f"docker-archive:{archive}")):
        deploy(host, name, image=source, policy="local", pull_first=False)
    podman(host, "--dry-run").said(125, short="false", archive="failed")
    verdicts = ansible.update(host.name, check=True).failed().verdicts()
    assert verdicts == {"it-short": ("current", None), "it-archive": ("failed", "raw_name_unknown")}

    new = push("known", version="2")
    build(host, new, f"localhost/{short}")
    assert ansible.update(host.name).failed().verdicts()["it-short"] == ("updated", None)
    after = look(host)
    assert (after.runs("it-short"), after.runs("it-archive")) == (id_of(new), id_of(image))


def test_each_label_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """A policy that is none: podman has an error for it that names no container, and no row."""
    old = {name: push(name) for name in (*POLICIES, "empty", "plain")}
    local = "localhost/it-built:latest"
    build(host, old["built"], local)
    for name, policy in POLICIES.items():
        reference = local if policy == "local" else old[name].reference
        deploy(host, f"it-{name}", image=reference, policy=policy, pull_first=policy != "local")
    deploy(host, "it-empty", image=old["empty"].reference, policy=None, extra_args=[f"--label={LABEL}="])
    deploy(host, "it-plain", image=old["plain"].reference, policy=None)
    moving = ("alias", "good", "built")

    def rebuilt(version: str) -> dict[str, str]:
        new = {name: push(name, version=version) for name in old}
        build(host, new["built"], local)
        return {f"it-{name}": id_of(new[name]) for name in moving}

    wanted, before, since = rebuilt("2"), look(host), now(host)
    told = podman(host, "--rollback=false").said(125, alias="true", good="true", built="true")
    assert "invalid auto-update policy" in told.stderr
    assert "it-wrong" not in told.stderr
    assert before.containers["it-wrong"].id not in told.stderr
    assert {row["ContainerName"]: row["Policy"] for row in told.rows} == {
        "it-alias": "registry",
        "it-good": "registry",
        "it-built": "local",
    }
    assert (told.pulls, system_events(host, since)) == (2, 1)
    after = look(host)
    assert {name: after.runs(name) for name in wanted} == wanted

    wanted = rebuilt("3")
    result = ansible.update(host.name).failed()
    assert result.verdicts() == {**dict.fromkeys(wanted, ("updated", None)), "it-wrong": ("failed", "invalid_policy")}
    after = look(host)
    assert {name: after.runs(name) for name in wanted} == wanted
    for name in ("off", "wrong", "empty", "plain"):
        assert after.containers[f"it-{name}"] == before.containers[f"it-{name}"]


def test_others_than_running_units_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """A label of the image counts, a container that does not run is not seen, and one without a unit cannot be helped."""
    labels = {LABEL: "registry"}
    old = {name: push(name, labels=labels) for name in ("labelled", "idle", "by-hand")}
    deploy(host, "it-labelled", image=old["labelled"].reference, policy=None)
    script = f"""podman pull --quiet {old["idle"].reference} {old["by-hand"].reference}
        PODMAN_SYSTEMD_UNIT=it-idle.service podman create --name=it-idle {old["idle"].reference}
        podman run --detach --name=it-by-hand {old["by-hand"].reference}"""
    host.run(["sh", "-ec", script])

    def moved(version: str) -> str:
        new = {name: push(name, version=version, labels=labels) for name in old}
        return id_of(new["labelled"])

    wanted = moved("2")
    told = podman(host).said(125, labelled="true")
    assert "no PODMAN_SYSTEMD_UNIT label found" in told.stderr
    assert look(host).containers["it-by-hand"].id in told.stderr
    assert look(host).runs("it-labelled") == wanted

    wanted = moved("3")
    result = ansible.update(host.name).failed()
    assert result.verdicts() == {"it-labelled": ("updated", None), "it-by-hand": ("failed", "no_unit_label")}
    after = look(host)
    assert after.runs("it-labelled") == wanted
    assert (after.containers["it-idle"].state, after.runs("it-by-hand")) == ("created", id_of(old["by-hand"]))
