# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real HTTP servers on 127.0.0.1 that answer as a test says, and note what they were asked."""

from __future__ import annotations

import contextlib
import http.server
import json
import secrets
import socket
import socketserver
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.ahead import Ahead
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.hosts import RegistryHost
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.registry import RegistryClient
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import Connection, TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import manifests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential, CredentialBook
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import RemoteImage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import Question
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf

AMD64 = Platform("linux", "amd64")
CONFIG = "sha256:" + "c0" * 32
MANIFEST = json.dumps({"schemaVersion": 2, "config": {"digest": CONFIG}, "layers": [{"size": 42}]}).encode()
DIGEST = manifests.digest_of(MANIFEST)
SECRET = "tr0ub4dor"
USER = Credential("someone", SECRET)


@dataclass(frozen=True)
class Asked:
    """One request that a server saw; header names are in lower case."""

    method: str
    path: str
    headers: t.Mapping[str, str]
    body: bytes = b""

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")


@dataclass(frozen=True)
class Reply:
    """What to answer; C(drip) is the pause after each byte of the body, C(length) what is said of the body."""

    status: int = 200
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    drip: float = 0.0
    length: int | None = None


Answering = t.Callable[[Asked], Reply]


class Server:
    """Listens while the C(with) block runs."""

    def __init__(self, answer: Answering, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._answer = answer
        self._http = _Listener(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._http.server_address[1]
        self.address = f"127.0.0.1:{self.port}"

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        return self._answer(asked)

    @property
    def methods(self) -> list[str]:
        return [one.method for one in self.asked]

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing of clients that go away; that is what many tests are about."""


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            server.connections += 1

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = self.rfile.read(int(headers.get("content-length", "0")))
            reply = server.reply(Asked(self.command, self.path, headers, sent))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            length = len(reply.body) if reply.length is None else reply.length
            if "Transfer-Encoding" not in reply.headers:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                for piece in [reply.body] if not reply.drip else [bytes([byte]) for byte in reply.body]:
                    self.wfile.write(piece)
                    time.sleep(reply.drip)
            if length != len(reply.body):
                self.close_connection = True

        do_HEAD = do_GET  # noqa: N815 (the names are http.server's)
        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is logged."""

    return Handler


@contextlib.contextmanager
def raw_server(script: t.Callable[[t.Any], None]) -> t.Iterator[tuple[str, list[int]]]:
    """A TCP server that does with each connection what the script says; its address and a list of connections."""
    seen: list[int] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(1)
            with contextlib.suppress(OSError):
                script(self.request)

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

    listener = Listener(("127.0.0.1", 0), Handler)
    try:
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{listener.server_address[1]}", seen
        listener.shutdown()
    finally:
        listener.server_close()


def manifest(body: bytes = MANIFEST, digest: str | None = None, headers: t.Mapping[str, str] | None = None) -> Reply:
    """A manifest with its digest in the header; an empty digest leaves the header out."""
    told = {"Docker-Content-Digest": digest} if digest else {} if digest == "" else {"Docker-Content-Digest": DIGEST}
    return Reply(200, {"Content-Type": manifests.IMAGE_TYPES[0], **told, **(headers or {})}, body)


def always(reply: Reply) -> Answering:
    """The same answer to everything."""
    return lambda _asked: reply


def index_of(*instances: tuple[str, str], media_type: str = manifests.INDEX_TYPES[0]) -> bytes:
    """An index of pairs of platform and digest."""
    entries = [
        {"digest": digest, "platform": dict(zip(("os", "architecture"), platform.split("/")))}
        for platform, digest in instances
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).encode()


def client(
    *addresses: str,
    credentials: t.Mapping[str, Credential] | None = None,
    tls: TlsOptions | None = None,
    insecure: bool = True,
    timeout: float = 5.0,
    extra: t.Mapping[str, t.Mapping[str, object]] | None = None,
    width: int = 4,
    budget: int | None = None,
    begun: t.Mapping[str, Ahead] | None = None,
) -> RegistryClient:
    """A client to which the addresses are insecure registries, or secure ones; C(width) threads will ask it."""
    rules = {address: {"Prefix": address, "Location": address, "Insecure": insecure} for address in addresses}
    conf = RegistriesConf.from_podman_info({**rules, **(extra or {})})
    book = CredentialBook(credentials or {})
    return RegistryClient(conf, book, tls or TlsOptions(), timeout=timeout, width=width, budget=budget, begun=begun)


def question(address: str, *known: str, repository: str = "team/app", tag: str = "1") -> Question:
    """What is asked of one repository."""
    return Question(Reference.parse(f"{address}/{repository}:{tag}"), AMD64, frozenset(known))


def resolve(address: str, *known: str, **more: t.Any) -> RemoteImage:
    """Ask one question with a client of its own."""
    return client(address, **more).resolve(question(address, *known))


def free_port() -> int:
    """A port at which nobody listens; below those that the kernel gives to any connection, and so to others meanwhile."""
    for _attempt in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def ask_plainly(address: str, timeout: float) -> None:
    """One question over HTTP, without finding out the scheme first."""
    plain_host(address, timeout).ask(
        "GET", "/v2/", {}, repository="team/app", credential=None, until=time.monotonic() + 4 * timeout
    )


def plain_host(address: str, timeout: float) -> RegistryHost:
    """A host that is known to speak plain HTTP."""
    connection = Connection(address, insecure=True, tls=TlsOptions(), timeout=timeout, width=1)
    connection._scheme = "http"
    return RegistryHost(connection, lambda _credential: (), width=1, patience=2 * timeout, budget=None)
