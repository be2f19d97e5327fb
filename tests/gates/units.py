# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit gate: plain pytest on every Python of managed hosts, and ansible-test units for the modules."""

from __future__ import annotations

import interpreters
import trees
import unsteady
import venvs
from ansible_test import run as run_ansible_test
from running import Lane, Log

_ENGINE_TESTS = ("tests/unit",)
_TOOL_TESTS = ("tests/lab/tests", "tests/gates/tests")
_ENDS = (interpreters.HOST_VERSIONS[0], interpreters.HOST_VERSIONS[-1])


def lanes() -> list[Lane]:
    # The slowest first.
    plain = [_pytest(version) for version in interpreters.HOST_VERSIONS]
    return [Lane("ansible-test", _ansible_test), *plain]


def _pytest(version: str) -> Lane:
    def work(log: Log) -> None:
        binaries, env = venvs.tool(venvs.unit_room(version), log)
        env["PYTHONPATH"] = str(trees.link())
        # What differs between Pythons shows with few examples; the oldest and the newest try them all.
        everything = version in _ENDS
        env["HYPOTHESIS_PROFILE"] = "ci" if everything else "few"
        tests = [*_ENGINE_TESTS, *(_TOOL_TESTS if version == _ENDS[0] else ())]
        command = [binaries / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        unsteady.twice("unit", lambda: log.run(command, env=env, timeout=600), log)

    return Lane(f"pytest {version}", work)


def _ansible_test(log: Log) -> None:
    """On the current core: modules and module_utils on the oldest Python of managed hosts, the rest on the controller's."""
    oldest = interpreters.HOST_VERSIONS[0]
    python, _path = interpreters.find_first(interpreters.TOOL_VERSIONS, log)
    # It forks for each test and waits most of the time: two workers, although the lanes beside it keep the cores busy.
    argv = ["units", "--requirements", "--num-workers", "2", "--target-python", f"venv/{oldest}", "--color", "no"]
    unsteady.twice("unit", lambda: run_ansible_test("units", python, argv, log), log)
