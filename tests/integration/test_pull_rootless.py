# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_pull for a user who lingers: the images are the user's, and root's stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from harness import Ansible
from lablib.host import Host
from pulling import quartet, rows
from pushing import Push, id_of
from sight import look

_USER = "it-puller"
_AWAY = f"""loginctl disable-linger {_USER}
systemctl stop user@$(id -u {_USER}).service
userdel --force --remove {_USER}
true
"""
_BECOME = ("--become", f"--become-user={_USER}")


@dataclass(frozen=True)
class User:
    """The user, as the host sees it."""

    host: Host
    uid: int

    def podman(self, *arguments: str) -> str:
        environment = {"XDG_RUNTIME_DIR": f"/run/user/{self.uid}", "HOME": f"/home/{_USER}"}
        return self.host.run(["podman", *arguments], user=_USER, env=environment).stdout


@pytest.fixture
def user(host: Host) -> Iterator[User]:
    host.run(["sh", "-c", _AWAY], check=False)
    host.run(["useradd", "--create-home", _USER])
    host.run(["loginctl", "enable-linger", _USER])
    uid = int(host.run(["id", "-u", _USER]).stdout)
    host.run(["sh", "-c", f"until test -S /run/user/{uid}/bus; do sleep 0.1; done"])
    yield User(host, uid)
    host.run(["sh", "-c", _AWAY], check=False)


def test_the_images_of_a_user(host: Host, ansible: Ansible, push: Push, user: User) -> None:
    old = push("rootless")
    kept = look(host)

    row = rows(quartet(ansible, host, old.reference, options=_BECOME))[old.reference]
    assert (row["pulled"], row["changed"], row["after"]["id"]) == (True, True, id_of(old))
    new = push("rootless", version="2")
    row = rows(quartet(ansible, host, old.reference, policy="newer", options=_BECOME))[old.reference]
    assert (row["before"]["id"], row["after"]["id"]) == (id_of(old), id_of(new))

    names = user.podman("image", "inspect", "--format={{.Id}} {{.RepoTags}}", old.reference).split()
    assert names == [id_of(new)[7:], f"[{old.reference}]"]
    assert look(host) == kept, "root has no image of it"
    places = ["/run/podfleet-autoupdate", f"/run/user/{user.uid}/podfleet-autoupdate"]
    left = host.run(["find", *places, "-type", "f", "!", "-name", "store.lock"], check=False)
    assert left.stdout == ""


def test_an_archive_of_a_user_and_a_tag_that_is_gone(host: Host, ansible: Ansible, push: Push, user: User) -> None:
    image = push("rootless-archive")
    user.podman("pull", "--quiet", "--tls-verify=false", image.reference)
    user.podman("save", "--quiet", "--format=docker-archive", f"--output=/home/{_USER}/one.tar", image.reference)
    user.podman("rmi", "--all", "--force")
    source = f"docker-archive:/home/{_USER}/one.tar"

    row = rows(quartet(ansible, host, source, options=_BECOME))[source]
    assert (row["resolved_name"], row["after"]["id"]) == (image.reference, id_of(image))
    user.podman("untag", image.reference)
    row = rows(quartet(ansible, host, source, options=_BECOME))[source]
    assert (row["pulled"], row["changed"]) == (False, True)
