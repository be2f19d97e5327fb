# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates' own promises: no lane disappears, no failure is lost, and interpreters are the real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import interpreters
import labs
import places
import running
import trees
import unsteady


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODFLEET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)


def _fake_python(path: Path, answer: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    path.chmod(0o755)


def test_a_shim_is_passed_over_for_the_interpreter_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_python(tmp_path / "shims" / "python3.99", "3.99 True")
    _fake_python(tmp_path / "versions" / "3.99.1" / "bin" / "python3.99", "3.99 True")
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:/usr/bin")
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr(interpreters, "_make_able_to_make_venvs", lambda *_: None)
    found = interpreters.find("3.99", running.Log(tmp_path / "log"))
    assert found == tmp_path / "versions" / "3.99.1" / "bin" / "python3.99"


@pytest.mark.parametrize(
    "answer", ["3.98 True", "3.99 False", ""], ids=["another version", "of an environment", "broken"]
)
def test_what_is_not_the_interpreter_is_not_taken(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_python(tmp_path / "bin" / "python3.99", answer)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin")
    monkeypatch.setattr(interpreters, "_fetch", lambda *_: None)
    interpreters._asked_for.discard("3.99")
    with pytest.raises(running.GateError, match=r"Python 3\.99 is not on this machine.*[Ii]nstall"):
        interpreters.find("3.99", running.Log(tmp_path / "log"))


def test_every_lane_runs_and_a_failure_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def bad(log: running.Log) -> None:
        log.run([sys.executable, "-c", "print('the finding'); raise SystemExit(3)"], cwd=tmp_path)

    lanes = [running.Lane("bad", bad), running.Lane("good", lambda log: log.run(["true"], cwd=tmp_path))]
    outcomes = running.run_lanes("gate", lanes)
    assert [(outcome.lane, outcome.passed) for outcome in outcomes] == [("bad", False), ("good", True)]
    shown = capfd.readouterr().out
    assert "the finding" in shown
    assert "ended with 3" in shown


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    log = running.Log(tmp_path / "log")
    with pytest.raises(running.GateError, match="did not end within"):
        log.run(["sh", "-c", "sleep 60 & sleep 60"], cwd=tmp_path, timeout=0.2)


def test_a_copy_has_the_work_tree_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "checkout"
    files = {".gitignore": "ignored\n", "kept": "1", "ignored": "2", "tests/lab/script": "3", "deep/gone": "4"}
    for name, text in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)
    monkeypatch.setattr(places, "ROOT", checkout)

    def copied() -> set[str]:
        target = trees.copy("a lane", without=("tests/lab",))
        return {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}

    assert copied() == {".gitignore", "kept", "deep/gone"}
    (checkout / "deep" / "gone").unlink()
    (checkout / "new").write_text("5", encoding="utf-8")
    assert copied() == {".gitignore", "kept", "new"}


@pytest.mark.parametrize("home", [None, ""], ids=["unset", "empty"])
def test_the_cache_has_a_place_without_a_home(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PODFLEET_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert places.cache().is_absolute()
    assert places.cache().name == "podfleet-autoupdate"


def test_failed_tests_are_read_from_pytests_own_notes(tmp_path: Path) -> None:
    assert labs._failed_tests(tmp_path) == []
    notes = tmp_path / "v" / "cache"
    notes.mkdir(parents=True)
    (notes / "lastfailed").write_text('{"tests/test_b.py::test_b": true, "tests/test_a.py::test_a": true}')
    assert labs._failed_tests(tmp_path) == ["tests/test_a.py::test_a", "tests/test_b.py::test_b"]
    (notes / "lastfailed").write_text("{")
    assert labs._failed_tests(tmp_path) == []


@pytest.mark.parametrize(("failing", "good_at", "runs"), [(1, 2, 2), (3, 2, 2), (3, 3, 2), (4, 2, 1), (0, 2, 1)])
def test_a_few_tests_that_fail_are_tried_once_more_and_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], failing: int, good_at: int, runs: int
) -> None:
    log = running.Log(tmp_path / "log")
    ran = []

    def work() -> None:
        ran.append(1)
        if len(ran) < good_at:
            for number in range(failing):
                log.note(f"FAILED tests/test_a.py::test_{number}[a b] - assert 1 == 2")
            raise running.GateError("pytest ended with 1")

    if runs >= good_at:
        unsteady.twice("unit", work, log)
    else:
        with pytest.raises(running.GateError):
            unsteady.twice("unit", work, log)
    told = capfd.readouterr().out
    assert len(ran) == runs
    assert told.count("UNSTEADY  unit: ") == (failing if runs >= good_at else 0)
    assert "test_0[a b]\n" in told or runs < good_at


def test_every_integration_test_is_in_one_lane() -> None:
    """Each distribution's lanes take the files in turn; what needs several hosts has a lane of its own."""
    folder = places.ROOT / "tests" / "integration"
    files, of_fleets = labs.integration_files(), list(folder.rglob(labs.FLEET_TESTS))
    assert of_fleets
    assert sorted([*files, *of_fleets]) == sorted(folder.rglob("test_*.py"))
    halves = [files[number :: labs.INTEGRATION_HOSTS] for number in range(labs.INTEGRATION_HOSTS)]
    assert sorted(path for half in halves for path in half) == files
    assert len(labs.integration_lanes()) == labs.INTEGRATION_HOSTS * len(labs.DISTRIBUTIONS) + 1


def test_every_bench_can_be_chosen() -> None:
    folder = places.ROOT / "tests" / "bench"
    every = [script for script, _options in labs.benches("")]
    assert every == [folder / f"{name}.py" for name in labs.BENCHES]
    assert all("argparse.ArgumentParser(" in script.read_text(encoding="utf-8") for script in every)
    assert labs.benches("--growth") == [(folder / "bench.py", ["--growth"])]
    assert labs.benches("fleet_scale --hosts 100") == [(folder / "fleet_scale.py", ["--hosts", "100"])]
    with pytest.raises(running.GateError, match="none of bench, images"):
        labs.benches("growth")
