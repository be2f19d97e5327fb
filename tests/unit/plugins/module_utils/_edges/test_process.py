# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes: bounded, without a shell, and with an environment that smuggles nothing in."""

from __future__ import annotations

import os
import pathlib
import sys
import time

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import process


def _python(code: str, *arguments: str, timeout: float = 20) -> process.Completed:
    return process.run([sys.executable, "-c", code, *arguments], timeout=timeout)


def test_code_output_and_errors_come_back() -> None:
    done = _python("import sys; print('out \u00e4'); print('err', file=sys.stderr); sys.exit(7)")
    assert done == process.Completed(7, "out \u00e4\n", "err\n")


def test_no_shell_reads_the_arguments() -> None:
    words = ["$(reboot)", "; exit 1", "a  b", "*", ""]
    assert _python("import sys; print(sys.argv[1:])", *words).output == f"{words}\n"


def test_bytes_that_are_no_text_are_replaced() -> None:
    done = _python("import sys; sys.stdout.buffer.write(b'a\\xffb')")
    assert done.output == "a\ufffdb"


def test_there_is_nothing_to_read_from_stdin() -> None:
    assert _python("import sys; print(repr(sys.stdin.read()))").output == "''\n"


@pytest.mark.parametrize(
    "name", ["CONTAINER_HOST", "CONTAINER_CONNECTION", "NOTIFY_SOCKET", "PODMAN_SYSTEMD_UNIT", "INVOCATION_ID"]
)
def test_what_would_lead_podman_astray_is_not_passed_on(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    done = _python("import os; print(*sorted(f'{k}={v}' for k, v in os.environ.items()), sep='\\n')")
    lines = done.output.splitlines()
    assert not [line for line in lines if line.startswith(f"{name}=")]
    assert {"HTTPS_PROXY=http://proxy.example.com", "LC_ALL=C.UTF-8"} <= set(lines)
    assert os.environ[name] == "x"


def test_what_a_caller_adds_is_passed_on_to_that_child_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOGC", "7")
    code = "import os; print(os.environ.get('GOGC'), os.environ.get('LC_ALL'), 'PATH' in os.environ)"
    done = process.run([sys.executable, "-c", code], timeout=10, environment={"GOGC": "400", "LC_ALL": "de_DE"})
    assert done.output.split() == ["400", "C.UTF-8", "True"]
    assert os.environ["GOGC"] == "7"
    assert process.run([sys.executable, "-c", code], timeout=10).output.split()[0] == "7"


@pytest.mark.parametrize("name", ["DOCKER_HOST", "CONTAINER_RUNTIME_ENDPOINT", "IMAGE_SERVICE_ENDPOINT"])
@pytest.mark.parametrize(
    ("value", "kept"),
    [("unix:///run/user/1000/docker.sock", True), ("tcp://10.0.0.1:2375", False), ("ssh://root@other", False)],
)
def test_an_engine_of_another_machine_is_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, kept: bool
) -> None:
    monkeypatch.setenv(name, value)
    lines = _python("import os; print(*(f'{k}={v}' for k, v in os.environ.items()), sep='\\n')").output.splitlines()
    assert [line for line in lines if line.startswith(f"{name}=")] == ([f"{name}={value}"] if kept else [])


@pytest.mark.parametrize("then", ["sleep 60", "exit 0"], ids=["waits for it", "leaves it behind"])
def test_a_child_that_is_late_is_killed_with_its_children(tmp_path: pathlib.Path, then: str) -> None:
    """The grandchild holds the pipe open, so that only the end of the whole group ends the wait."""
    started = time.monotonic()
    with pytest.raises(process.ProcessTimeoutError):
        process.run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; {then}"], timeout=1)
    assert time.monotonic() - started < 10
    assert _is_gone(int((tmp_path / "pid").read_text(encoding="utf-8")))


def _is_gone(pid: int) -> bool:
    """Whether the process has ended; whoever inherits it may take a moment to bury it."""
    for _attempt in range(100):
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_program_that_is_not_there_is_an_os_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match="missing"):
        process.run([str(tmp_path / "missing")], timeout=1)


def test_a_program_is_found_on_the_path_and_where_a_login_shell_looks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process.find_program("podman") == str(program)
    assert process.find_program("sh") in ("/usr/bin/sh", "/bin/sh")
    assert process.find_program("no-such-program") is None


def _ask(code: str, text: str = "hello", timeout: float = 20, most: int = 100) -> process.Completed:
    return process.ask([sys.executable, "-c", code], text, timeout=timeout, most=most)


def test_a_program_is_told_a_text_and_answers() -> None:
    done = _ask("import sys; print(sys.stdin.read() * 2); print('err', file=sys.stderr); sys.exit(3)")
    assert done == process.Completed(3, "hellohello\n", "")


def test_a_program_need_not_read_what_it_is_told() -> None:
    assert _ask("import sys; sys.stdin.close(); print('x')").output == "x\n"


def test_a_program_that_prints_too_much_is_killed() -> None:
    assert _ask("print('x' * 99)").output == "x" * 99 + "\n"
    with pytest.raises(process.ProcessOutputError):
        _ask("print('x' * 100)")
    with pytest.raises(process.ProcessOutputError):
        _ask("while True: print('x')")


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "import os, time; os.close(1); time.sleep(60)"])
def test_a_program_that_does_not_answer_is_killed(code: str) -> None:
    started = time.monotonic()
    with pytest.raises(process.ProcessTimeoutError):
        _ask(code, timeout=0.5)
    assert time.monotonic() - started < 10
