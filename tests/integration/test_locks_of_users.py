# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each user has a store, and so a lock, of their own; so has the second engine that is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness import Ansible, Run
from lablib.host import Host
from lablib.units import deploy
from pushing import Push
from users import USER, lingering

_SECONDS = 120


@contextmanager
def _at_work(host: Host, script: str, user: str) -> Iterator[None]:
    """A process of a user's, until the end of the block."""
    started = f"({script}) > /dev/null 2>&1 & echo $!"
    pid = host.run(["setsid", "sh", "-c", started], user=user).stdout.strip()
    try:
        yield
    finally:
        host.run(["kill", pid])


def _reason(run: Run) -> str:
    return str(run.failed().data["reason"])


def test_users_do_not_wait_for_each_other(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-web", image=push("web").reference)
    with lingering(host) as user:
        user.deploy("it-mine", push("mine").reference)

        def roots() -> Run:
            return ansible.update(host.name, lock_timeout=0)

        def users() -> Run:
            return ansible.update(host.name, scope="user", user=USER, lock_timeout=0)

        for run in (roots, users):
            assert set(run().succeeded().verdicts().values()) == {("current", None)}
        hold = f"exec flock --no-fork {{place}}/podfleet-autoupdate/store.lock sleep {_SECONDS}"
        with _at_work(host, hold.format(place="/run"), "root"):
            assert _reason(roots()) == "lock_busy"
            users().succeeded()
        with _at_work(host, hold.format(place=f"/run/user/{user.uid}"), USER):
            assert _reason(users()) == "lock_busy"
            roots().succeeded()
        # It looks as podman's own update does, and waits for nothing.
        second = f"cd /tmp && touch auto-update && exec timeout {_SECONDS} bash -c 'exec -a podman tail -f auto-update'"
        with _at_work(host, second, USER):
            assert _reason(users()) == "second_engine"
            roots().succeeded()
        users().succeeded()
