# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's timer follows, read from the files that the role writes."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.timer_settings import followed, settings_path


@pytest.mark.parametrize("user", [None, "shop"])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{}", "registry"),
        ('{"follow": "registry"}', "registry"),
        ('{"follow": "plan", "parallel": 2}', "plan"),
        ('{"follow": ["plan"]}', "registry"),
        ("[]", None),
        ("{", None),
        ("[" * 100000, None),
    ],
)
def test_what_the_timer_follows(tmp_path: pathlib.Path, user: str | None, body: str, told: str | None) -> None:
    assert followed(user, tmp_path) is None
    path = settings_path(user, tmp_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body, encoding="utf-8")
    assert followed(user, tmp_path) == told


def test_each_user_has_a_timer_of_their_own(tmp_path: pathlib.Path) -> None:
    assert settings_path(None, tmp_path) == tmp_path / "timer.json"
    settings_path(None, tmp_path).write_text("{}", encoding="utf-8")
    assert (followed(None, tmp_path), followed("shop", tmp_path)) == ("registry", None)
