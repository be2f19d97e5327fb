# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies from the environment: used for plain and for TLS registries, and never a way around trust or time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import typing as t

import pytest
import trustme

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    SECRET,
    Server,
    always,
    manifest,
    raw_server,
    resolve,
)

_HOST = "registry.test"


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _proxy(server: Server) -> t.Iterator[tuple[str, list[str]]]:
    """A proxy that takes everybody to this server; its address, and the first lines of what it was asked."""
    lines: list[str] = []

    def script(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(65536)
            if not piece:
                return
            head += piece
        line = head.partition(b"\r\n")[0].decode()
        lines.append(line)
        with socket.create_connection(("127.0.0.1", server.port)) as there:
            if line.startswith("CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                there.sendall(head.replace(b"http://" + _HOST.encode(), b"", 1))
            back = threading.Thread(target=_pump, args=(there, client), daemon=True)
            back.start()
            _pump(client, there)
            back.join()

    with raw_server(script) as (address, _seen):
        yield address, lines


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("upper", [False, True])
def test_a_plain_registry_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch, upper: bool) -> None:
    with Server(always(manifest())) as server, _proxy(server) as (address, lines):
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name.upper() if upper else name, f"http://{address}")
        assert resolve(_HOST, DIGEST).digest == DIGEST
        assert [line.rpartition(" ")[0] for line in lines] == [
            f"CONNECT {_HOST}:443",
            f"HEAD http://{_HOST}/v2/team/app/manifests/1",
        ]


def test_a_registry_behind_a_proxy_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(_HOST).configure_cert(context)
    with Server(always(manifest()), context) as server, _proxy(server) as (address, lines):
        monkeypatch.setenv("https_proxy", f"http://{address}")
        trusted = TlsOptions(ca_path=str(tmp_path / "ca.crt"))
        assert resolve(_HOST, DIGEST, insecure=False, tls=trusted).digest == DIGEST
        assert [line.partition(" ")[0] for line in lines] == ["CONNECT"]
        with pytest.raises(RegistryError) as caught:
            resolve(_HOST, DIGEST, insecure=False)
        assert caught.value.reason is Reason.TLS
        with pytest.raises(RegistryError, match=r"another\.test") as caught:
            resolve("another.test", DIGEST, insecure=False, tls=trusted)
        assert caught.value.reason is Reason.TLS


def test_a_registry_that_needs_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(always(manifest())) as server, _proxy(server) as (address, lines):
        monkeypatch.setenv("http_proxy", f"http://{address}")
        monkeypatch.setenv("https_proxy", f"http://{address}")
        assert resolve(server.address, DIGEST).digest == DIGEST, "this machine itself"
        monkeypatch.setenv("no_proxy", "test")
        with pytest.raises(RegistryError, match="cannot be reached"):
            resolve(_HOST, DIGEST)
        assert lines == []


def test_a_proxy_that_refuses_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(connection: t.Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with raw_server(script) as (address, _seen):
        monkeypatch.setenv("https_proxy", f"http://someone:{SECRET}@{address}")
        with pytest.raises(RegistryError, match="407") as caught:
            resolve(_HOST, DIGEST, insecure=False)
    assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
    assert SECRET not in repr(caught.value) + repr(caught.value.__context__) + repr(caught.value.__cause__)


def test_a_proxy_that_drips_is_given_up_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(connection: t.Any) -> None:
        connection.recv(65536)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    with raw_server(script) as (address, _seen):
        monkeypatch.setenv("https_proxy", f"http://{address}")
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            resolve(_HOST, DIGEST, insecure=False, timeout=0.3)
        assert time.monotonic() - started < 20
    assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
