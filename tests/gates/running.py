# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lanes: named pieces of work that write a log, run side by side, and pass or fail."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import places

_LONGEST_COMMAND_SECONDS = 3600
_TAIL_LINES = 200
_print_lock = threading.Lock()
_alive: set[subprocess.Popen[bytes]] = set()
_interrupted = threading.Event()


class GateError(Exception):
    """A gate says no; the text is for the person who reads the log, as is the excerpt where the log itself is too long."""

    def __init__(self, text: str, excerpt: str = "") -> None:
        super().__init__(text)
        self.excerpt = excerpt


def say(text: str) -> None:
    """One line (or block) on the terminal, whole, although lanes run side by side."""
    with _print_lock:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()


class Log:
    """What one lane did and saw, in a file; shown live if the lane runs long, else only when it fails."""

    def __init__(self, path: Path, live: bool = False) -> None:
        self.path = path
        self.live = live
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    def note(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as log:
            log.write(text + "\n")
        if self.live:
            say(text)

    def run(
        self,
        argv: t.Sequence[str | Path],
        *,
        cwd: Path = places.ROOT,
        env: t.Mapping[str, str] | None = None,
        timeout: float = _LONGEST_COMMAND_SECONDS,
    ) -> None:
        """Run a command; GateError unless it ends with 0."""
        if _interrupted.is_set():
            raise GateError("interrupted")
        words = [str(word) for word in argv]
        self.note("$ " + " ".join(words))
        # A file and no pipe: what a command leaves running in the background would hold a pipe open for ever.
        with self.path.open("ab") as log:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=dict(places.environment() if env is None else env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _alive.add(process)
        try:
            with self._shown_live():
                code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise GateError(f"{words[0]} did not end within {timeout:.0f} s") from None
        finally:
            _alive.discard(process)
        if code != 0:
            raise GateError(f"{Path(words[0]).name} ended with {code}")

    @contextlib.contextmanager
    def _shown_live(self) -> t.Iterator[None]:
        if not self.live:
            yield
            return
        finished = threading.Event()
        start = self.path.stat().st_size
        shower = threading.Thread(target=self._follow, args=(start, finished), daemon=True)
        shower.start()
        try:
            yield
        finally:
            finished.set()
            shower.join()

    def _follow(self, start: int, finished: threading.Event) -> None:
        with self.path.open("rb") as log:
            log.seek(start)
            last_look = False
            while True:
                fresh = log.read()
                if fresh:
                    with _print_lock:
                        sys.stdout.buffer.write(fresh)
                        sys.stdout.flush()
                if last_look:
                    return
                last_look = finished.wait(0.2)

    def tail(self) -> str:
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        left_out = len(lines) - _TAIL_LINES
        head = [f"[{left_out} earlier lines are in {self.path}]"] if left_out > 0 else []
        return "\n".join(head + lines[-_TAIL_LINES:])


@dataclass(frozen=True)
class Lane:
    """One piece of a gate that passes or fails by itself."""

    name: str
    work: t.Callable[[Log], None]
    live: bool = False


@dataclass(frozen=True)
class Outcome:
    lane: str
    passed: bool
    seconds: float


def run_lanes(gate: str, lanes: t.Sequence[Lane], width: int = 2) -> list[Outcome]:
    """Run all lanes, `width` at a time, whatever some of them say."""
    with ThreadPoolExecutor(max_workers=width) as pool:
        try:
            return list(pool.map(lambda lane: _run_lane(gate, lane), lanes))
        except KeyboardInterrupt:
            # The pool waits for its threads, and they for their commands: those end first.
            end_what_still_runs()
            raise


def _run_lane(gate: str, lane: Lane) -> Outcome:
    log = Log(places.part("logs") / f"{gate}-{lane.name}.log".replace("/", "-").replace(" ", "-"), lane.live)
    begin = time.monotonic()
    problem = excerpt = ""
    try:
        lane.work(log)
    except GateError as error:
        problem, excerpt = str(error), error.excerpt
    except (OSError, subprocess.SubprocessError) as error:
        problem = str(error)
    seconds = time.monotonic() - begin
    if not problem:
        say(f"  ok    {gate} / {lane.name}  ({seconds:.1f} s)")
    else:
        shown = "" if lane.live else f"{excerpt or log.tail()}\n"
        say(f"  FAIL  {gate} / {lane.name}  ({seconds:.1f} s)\n{shown}  FAIL  {gate} / {lane.name}: {problem}")
    return Outcome(lane.name, not problem, seconds)


@contextlib.contextmanager
def locked(name: str, log: Log | None = None) -> t.Iterator[None]:
    """One process and thread at a time, also among several checkouts that share the cache."""
    with (places.part("locks") / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if log:
                log.note(f"waiting for another run that uses {name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that this process started, with the children in its own session."""
    for kind, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return


def end_what_still_runs() -> None:
    """For an interrupted run: nothing that it started stays behind, and nothing more is started."""
    _interrupted.set()
    for process in list(_alive):
        _end(process)
