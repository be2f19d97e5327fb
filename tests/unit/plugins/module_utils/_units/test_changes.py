# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs from what there should be, in real folders."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_files import marker
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_styles import Folder
from ansible_collections.podfleet.autoupdate.plugins.module_utils._units.changes import Change, find_changes
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._units.hosts import GROUP, Host, unit

_HEAD = marker(GROUP)


def test_nothing_wanted_and_nothing_there_is_no_change(host: Host) -> None:
    assert not find_changes([], host.folders, GROUP)
    host.run(unit("web"))
    assert not find_changes([unit("web")], host.folders, GROUP)


def test_each_file_is_compared_by_its_whole_text(host: Host) -> None:
    host.run(unit("web"), unit("db"))
    changes = find_changes([unit("web", "localhost/app:2"), unit("new")], host.folders, GROUP)
    assert [(one.name, one.before is None, one.after is None) for one in changes.writes] == [
        ("web.container", False, False),
        ("new.container", True, False),
    ]
    assert [(one.name, one.after) for one in changes.removals] == [("db.container", None)]
    assert changes.going == ("db.service",)
    assert changes.of(unit("new").files) == [changes.writes[1]]


def test_a_service_of_somebody_elses_would_hide_what_quadlet_makes(host: Host) -> None:
    host.folders.write(Folder.SYSTEMD, "web.service", "[Service]\n", keep_time=False)
    with pytest.raises(InputError, match=r"systemd/web\.service is there already and was not made by this"):
        find_changes([unit("web")], host.folders, GROUP)


@pytest.mark.parametrize(
    ("folder", "name", "service"),
    [
        (Folder.SYSTEMD, "web.service", "web.service"),
        (Folder.QUADLET, "web.container", "web.service"),
        (Folder.QUADLET, "web.kube", "web.service"),
        (Folder.QUADLET, "web.pod", "web-pod.service"),
        (Folder.QUADLET, "web.volume", None),
        (Folder.KUBE, "web.yml", None),
    ],
)
def test_the_unit_that_a_file_takes_along(host: Host, folder: Folder, name: str, service: str | None) -> None:
    host.folders.write(folder, name, f"{_HEAD}\n", keep_time=False)
    changes = find_changes([], host.folders, GROUP)
    assert [one.path for one in changes.removals] == [f"{host.root}/{folder.value}/{name}"]
    assert changes.going == ((service,) if service else ())


@pytest.mark.parametrize(
    ("folder", "before", "after", "matters"),
    [
        (Folder.QUADLET, None, "x", True),
        (Folder.QUADLET, "x", None, True),
        (Folder.QUADLET, f"{_HEAD}\n[Container]\nImage=a\n", f"{_HEAD}\n[Container]\nImage=b\n", True),
        (Folder.QUADLET, f"{_HEAD}\n[Container]\nImage=a\n", f"{marker('other')}\n[Container]\nImage=a\n", False),
        (Folder.SYSTEMD, f"{_HEAD}\n[Unit]\nA=b\n\n[Install]\nWantedBy=c\n", f"{_HEAD}\n[Unit]\nA=b\n", False),
        (Folder.KUBE, f"{_HEAD}\na: b\n", f"{_HEAD}\na: b \n", True),
    ],
)
def test_what_matters_to_a_unit_that_runs(folder: Folder, before: str | None, after: str | None, matters: bool) -> None:
    assert Change(folder, "web", "/web", before, after).matters is matters
