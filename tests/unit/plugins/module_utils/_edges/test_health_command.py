# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's command, with real programs."""

from __future__ import annotations

import time

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import health_command


def test_a_command_that_ends_with_0_says_nothing() -> None:
    assert health_command.check(["/bin/sh", "-c", "echo fine; echo >&2 fine too"], "app.service") is None


def test_it_is_told_the_unit_and_its_words_are_kept() -> None:
    said = health_command.check(["/bin/sh", "-c", 'echo "$UNIT is sick" >&2; exit 7'], "app.service")
    assert said == "health_command /bin/sh ended with 7 for app.service: app.service is sick"


def test_arguments_are_not_read_by_a_shell() -> None:
    said = health_command.check(["/usr/bin/env", "sh", "-c", 'echo "$0"; exit 1', "$(id); *"], "app.service")
    assert str(said).endswith(": $(id); *")


def test_long_and_strange_output_is_cut() -> None:
    said = health_command.check(
        ["/bin/sh", "-c", "head -c 100000 /dev/zero; printf '\\033[31m'; exit 1"], "app.service"
    )
    assert said is not None
    assert len(said) < 2500
    assert "\033" not in said


def test_one_that_hangs_is_killed() -> None:
    began = time.monotonic()
    said = health_command.check(["/bin/sh", "-c", "sleep 60"], "app.service", seconds=0.3)
    assert "did not end within" in str(said)
    assert time.monotonic() - began < 30


def test_one_that_is_not_there_is_told() -> None:
    assert "could not be run" in str(health_command.check(["/nonexistent/program"], "app.service"))
