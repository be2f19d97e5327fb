# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run image_pull, and registries of these tests' own in front of the lab's."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness import COLLECTION, Ansible, Result, Run
from lablib.host import Host
from lablib.paths import GATEWAY

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_TIMEOUT = 60.0


def pull(
    ansible: Ansible, host: Host, *names: str, check: bool = False, options: tuple[str, ...] = (), **more: Any
) -> Run:
    """One run of image_pull."""
    given = [*(["--check"] if check else []), *options]
    return ansible.run(host.name, f"{COLLECTION}.image_pull", {"name": list(names), **more}, options=given)


def rows(result: Result) -> dict[str, Mapping[str, Any]]:
    """The rows by name."""
    return {row["name"]: row for row in result.data["images"]}


def stories(result: Result) -> list[dict[str, Any]]:
    """What a check and the run after it must say alike: all of the rows, but how long it took and what podman wrote."""
    return [{key: row[key] for key in row if key not in ("duration", "log")} for row in result.data["images"]]


def quartet(ansible: Ansible, host: Host, *names: str, **more: Any) -> Result:
    """Check, run, check, run: the check says what the run does, and the second time there is nothing to do."""
    predicted = pull(ansible, host, *names, check=True, **more).result
    done = pull(ansible, host, *names, **more).result
    assert stories(predicted) == stories(done), (stories(predicted), stories(done))
    assert predicted.changed == done.changed
    for check in (True, False):
        again = pull(ansible, host, *names, check=check, **more).result
        assert not again.changed
        assert not any(row["changed"] for row in again.data["images"])
        known = {row["name"]: row["after"] for row in done.data["images"]}
        for row in again.data["images"]:
            assert row["before"] == row["after"] == known[row["name"]], row
    return done


class _Front(http.server.BaseHTTPRequestHandler):
    """Hands requests on; C(seen) is told of each before it is, and C(answered) after its answer was sent."""

    protocol_version = "HTTP/1.1"
    upstream: tuple[str, int]
    seen: Callable[[str, str], None]
    answered: Callable[[str, str], None]

    def do_GET(self) -> None:
        self._hand_on()

    def do_HEAD(self) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        type(self).seen(self.command, self.path)
        connection = http.client.HTTPConnection(*self.upstream, timeout=_TIMEOUT)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for key, value in self.headers.items():  # Go sends a line for each media type that it accepts.
                if key.lower() not in _HOP_BY_HOP:
                    connection.putheader(key, value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in _HOP_BY_HOP:
                self.send_header(key, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        type(self).answered(self.command, self.path)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _nothing(_method: str, _path: str) -> None:
    """Neither looks nor touches."""


@contextmanager
def front(
    port: int,
    upstream_port: int,
    *,
    seen: Callable[[str, str], None] = _nothing,
    answered: Callable[[str, str], None] = _nothing,
) -> Iterator[str]:
    """A registry in front of the lab's; its address."""
    members = {"upstream": (GATEWAY, upstream_port), "seen": staticmethod(seen), "answered": staticmethod(answered)}
    handler = type("Front", (_Front,), members)
    server = http.server.ThreadingHTTPServer((GATEWAY, port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"{GATEWAY}:{port}"
    finally:
        server.shutdown()
        server.server_close()
