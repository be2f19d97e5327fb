# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy's faults, against a small HTTP server of this process."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from lablib.proxy import Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b"x" * 1000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(BODY)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with FaultProxy(("127.0.0.1", server.server_address[1]), ("127.0.0.1", free_port())) as running:
            yield running
        server.shutdown()


def ask(proxy: FaultProxy, method: str = "GET", timeout: float = 5) -> tuple[int, bytes]:
    client = http.client.HTTPConnection(*proxy.listen, timeout=timeout)
    try:
        client.request(method, "/v2/")
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()


def test_no_fault_changes_nothing_and_counts(proxy: FaultProxy) -> None:
    assert ask(proxy) == (200, BODY)
    assert proxy.connections == 1
    assert proxy.bytes_down > len(BODY)
    assert proxy.bytes_up > 0


def test_refuse_and_back(proxy: FaultProxy) -> None:
    proxy.fault = Fault.REFUSE
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)
    proxy.fault = Fault.NONE
    assert ask(proxy)[0] == 200


def test_reset(proxy: FaultProxy) -> None:
    proxy.fault = Fault.RESET
    with pytest.raises(ConnectionResetError):
        ask(proxy)


def test_hang(proxy: FaultProxy) -> None:
    proxy.fault = Fault.HANG
    with pytest.raises(socket.timeout):
        ask(proxy, timeout=0.3)


def test_drip_gives_a_byte_a_second(proxy: FaultProxy) -> None:
    proxy.fault = Fault.DRIP
    with socket.create_connection(proxy.listen, timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
        assert client.recv(100) == b"H"
        started = time.monotonic()
        assert client.recv(100) == b"T"
        assert time.monotonic() - started > 0.8


def test_garbage(proxy: FaultProxy) -> None:
    proxy.fault = Fault.GARBAGE
    with pytest.raises(http.client.BadStatusLine):
        ask(proxy)


def test_html_answers_every_request_of_a_connection(proxy: FaultProxy) -> None:
    proxy.fault = Fault.HTML
    client = http.client.HTTPConnection(*proxy.listen, timeout=5)
    for method, has_body in (("GET", True), ("HEAD", False), ("GET", True)):
        client.request(method, "/")
        response = client.getresponse()
        assert (response.status, response.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
        assert (b"<html>" in response.read()) is has_body
    client.close()
    assert proxy.connections == 1


@pytest.mark.parametrize(("fault", "status"), [(Fault.SERVER_ERROR, 503), (Fault.RATE_LIMITED, 429)])
def test_status_faults(proxy: FaultProxy, fault: Fault, status: int) -> None:
    proxy.fault = fault
    assert ask(proxy)[0] == status


def test_truncate_cuts_bodies_and_leaves_the_rest(proxy: FaultProxy) -> None:
    proxy.fault = Fault.TRUNCATE
    assert ask(proxy, "HEAD") == (200, b"")
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(proxy)
    assert len(cut.value.partial) == len(BODY) // 2


def test_delay_is_one_round_trip_and_one_more_for_a_new_connection(proxy: FaultProxy) -> None:
    proxy.delay_ms = 100
    client = http.client.HTTPConnection(*proxy.listen, timeout=5)
    times = []
    for _request in range(2):
        started = time.monotonic()
        client.request("GET", "/")
        client.getresponse().read()
        times.append(time.monotonic() - started)
    client.close()
    assert 0.2 <= times[0] < 0.4
    assert 0.1 <= times[1] < 0.2


def test_changing_the_fault_resets_open_connections(proxy: FaultProxy) -> None:
    client = http.client.HTTPConnection(*proxy.listen, timeout=5)
    client.request("GET", "/")
    assert client.getresponse().read() == BODY
    proxy.fault = Fault.SERVER_ERROR
    with pytest.raises(ConnectionError):
        _ask_again(client)
    client.close()


def _ask_again(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/")
    client.getresponse()
