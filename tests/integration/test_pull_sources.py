# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from archives, layouts, folders, dockerd and the own store: loaded once, named as podman names them."""

from __future__ import annotations

import pytest
from harness import Ansible
from lablib.engines import dockerd
from lablib.host import Host
from lablib.images import Pushed
from locations import SCRATCH
from pulling import pull, quartet, rows
from pushing import Push, id_of
from sight import look


def make(host: Host, *commands: str) -> None:
    """Make sources in the scratch folder, and leave no image behind."""
    script = ["set -e", f"mkdir -p {SCRATCH}", f"cd {SCRATCH}", *commands, "podman rmi --all --force > /dev/null"]
    host.run(["sh", "-s"], input="\n".join(script))


def copy(image: Pushed, target: str) -> str:
    return f"skopeo copy --quiet --src-tls-verify=false docker://{image.reference} {target}"


def temporary(host: Host) -> set[str]:
    """What lies about in the folders for temporary files, but for Ansible's."""
    listed = host.run(["sh", "-c", "ls -A /var/tmp /tmp"]).stdout.split()
    return {name for name in listed if "ansible" not in name}


def podmans_names(host: Host, source: str) -> dict[str, str]:
    """What podman itself makes of a source; the host is left empty again."""
    host.run(["podman", "pull", "--quiet", source])
    names = dict(look(host).names)
    host.run(["podman", "rmi", "--all", "--force"])
    return names


def test_archives_layouts_and_folders(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("source")
    bare, named = f"{SCRATCH}/layout", "quay.io/libpod/named:1"
    sources = {
        f"docker-archive:{SCRATCH}/one.tar": f"docker-archive:{SCRATCH}/one.tar:localhost/pretty-empty:latest",
        f"docker-archive:{SCRATCH}/unnamed.tar": f"docker-archive:{SCRATCH}/unnamed.tar",
        f"oci-archive:{SCRATCH}/oci.tar": f"oci-archive:{SCRATCH}/oci.tar:example.com/empty:latest",
        f"oci:{bare}": f"oci:{bare}",
        f"oci:{SCRATCH}/layout2:{named}": f"oci:{SCRATCH}/layout2:{named}",
        f"dir:{SCRATCH}/scratch-dir-5pec!@L": f"'dir:{SCRATCH}/scratch-dir-5pec!@L'",
    }
    make(host, f"mkdir '{SCRATCH}/scratch-dir-5pec!@L'", *(copy(image, target) for target in sources.values()))
    litter = temporary(host)
    for source, made in sources.items():
        expected = podmans_names(host, source)
        row = rows(quartet(ansible, host, source, policy="always"))[source]
        assert (row["error"], row["pulled"], row["changed"]) == (None, True, True), row
        assert row["after"]["id"] in look(host).images
        assert expected.items() <= look(host).names.items()
        # podman 4.3 names what has no name after its folder; nothing that the source says.
        has_name = made != source and not source.startswith("dir:")
        assert (row["resolved_name"] is not None) is (has_name or source.endswith(":1"))
        assert set(look(host).names) == {*expected, *filter(None, [row["resolved_name"]])}
        assert temporary(host) == litter
        host.run(["podman", "rmi", "--all", "--force"])


def test_an_archive_with_two_images_needs_a_choice_and_one_with_two_names_gives_both(
    host: Host, ansible: Ansible, push: Push
) -> None:
    one, two = push("first"), push("second")
    archive = f"docker-archive:{SCRATCH}/two.tar"
    make(
        host,
        f"podman pull --quiet {one.reference} > /dev/null",
        f"podman pull --quiet {two.reference} > /dev/null",
        f"podman tag {one.reference} example.com/empty:latest localhost/pretty-empty:latest",
        f"podman tag {two.reference} example.com/empty/but:different",
        "podman save --quiet --format=docker-archive --multi-image-archive --output=two.tar"
        " example.com/empty:latest example.com/empty/but:different",
        "podman save --quiet --format=docker-archive --output=names.tar example.com/empty:latest localhost/pretty-empty:latest",
    )
    row = rows(pull(ansible, host, archive).failed())[archive]
    assert row["reason"] == "ambiguous"
    assert host.run(["podman", "pull", "--quiet", archive], check=False).returncode != 0
    for chosen in (f"{archive}:example.com/empty/but:different", f"{archive}:@1"):
        row = rows(quartet(ansible, host, chosen))[chosen]
        assert row["after"]["id"] == id_of(two)
    assert look(host).names == {"example.com/empty/but:different": id_of(two)}

    names = f"docker-archive:{SCRATCH}/names.tar"
    assert rows(quartet(ansible, host, names))[names]["pulled"] is True
    both = {name: id_of(one) for name in ("example.com/empty:latest", "localhost/pretty-empty:latest")}
    assert both.items() <= look(host).names.items()
    # A name that is missing is set; the image is not loaded again for it.
    host.run(["podman", "untag", "localhost/pretty-empty:latest", "localhost/pretty-empty:latest"])
    row = rows(quartet(ansible, host, names))[names]
    assert (row["pulled"], row["changed"]) == (False, True)
    assert both.items() <= look(host).names.items()


def test_an_archive_that_is_gzipped(host: Host, ansible: Ansible, push: Push, distro: str) -> None:
    """podman 4.3 does not read it, which the check knows too; where its image is there, nothing is to be read."""
    image = push("zipped")
    named = f"docker-archive:{SCRATCH}/zipped.tar:localhost/pretty-empty:latest"
    make(host, copy(image, named), "gzip zipped.tar")
    source = f"docker-archive:{SCRATCH}/zipped.tar.gz"
    if distro == "bookworm":
        for check in (True, False):
            row = rows(pull(ansible, host, source, check=check).failed())[source]
            assert (row["reason"], row["changed"]) == ("unsupported_transport", False)
        assert host.run(["podman", "pull", "--quiet", source], check=False).returncode != 0
        pull(ansible, host, image.reference).succeeded()
    row = rows(quartet(ansible, host, source))[source]
    assert (row["pulled"], row["changed"], row["after"]["id"]) == (distro == "trixie", True, id_of(image))


def test_a_source_that_is_not_there_or_is_something_else(host: Host, ansible: Ansible) -> None:
    host.write(f"{SCRATCH}/junk.tar", "junk")
    gone, junk = f"oci-archive:{SCRATCH}/gone.tar", f"docker-archive:{SCRATCH}/junk.tar"
    found = rows(pull(ansible, host, gone, junk).failed())
    assert {name: row["reason"] for name, row in found.items()} == {gone: "archive_unreadable", junk: "archive_invalid"}
    assert look(host).images == frozenset()


def test_the_own_store(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("own")
    source = f"containers-storage:{image.reference}"
    assert rows(pull(ansible, host, source).failed())[source]["reason"] == "image_unknown"
    pull(ansible, host, image.reference).succeeded()
    row = rows(pull(ansible, host, source, policy="always").succeeded())[source]
    assert (row["pulled"], row["changed"], row["after"]["id"]) == (False, False, id_of(image))


def test_dockerd(host: Host, ansible: Ansible, push: Push) -> None:
    """docker's command is not needed, neither by podman nor by us: trixie has it in a package of its own."""
    image = push("docker")
    make(host)
    with dockerd(host):
        load = "docker-daemon:team/web:1"
        host.run(["sh", "-c", copy(image, load)])
        docker_has_it(host, ansible, image)


@pytest.mark.parametrize("distro", ["trixie"], indirect=True)
def test_dockerd_with_containerds_store(host: Host, ansible: Ansible, push: Push) -> None:
    """There dockerd's ID is the digest of a manifest (bookworm's dockerd is too old for it)."""
    image = push("docker-store", media="docker")
    name = "docker.io/team/web:1"
    make(
        host,
        f"podman pull --quiet {image.reference} > /dev/null",
        f"podman tag {image.reference} {name}",
        f"podman save --quiet --output=docker.tar {name}",
    )
    with dockerd(host, containerd_store=True):
        host.run(["docker", "load", "--input", f"{SCRATCH}/docker.tar"])
        docker_has_it(host, ansible, image)


def docker_has_it(host: Host, ansible: Ansible, image: Pushed) -> None:
    source = "docker-daemon:team/web:1"
    expected = podmans_names(host, source)
    row = rows(quartet(ansible, host, source))[source]
    assert row["after"]["id"] == id_of(image)
    assert look(host).names == expected == {"docker.io/team/web:1": id_of(image)}
    gone = "docker-daemon:team/gone:1"
    assert rows(pull(ansible, host, gone).failed())[gone]["reason"] == "image_unknown"
