# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""HTTP to one registry: bounded in time, size and redirects; TLS as the host's configuration says.

requests is imported when the first connection is made: most of what this collection does needs none.
"""

from __future__ import annotations

import contextlib
import pathlib
import socket
import ssl
import threading
import time
import traceback
import typing as t
import urllib.parse
from dataclasses import dataclass

from .._pure.errors import MissingLibraryError, RegistryError
from .._pure.reasons import Reason
from .ahead import Ahead

_LONGEST_BODY = 4 * 1024 * 1024
_MOST_REDIRECTS = 5
_ATTEMPTS = 3
_RETRY_SECONDS = 0.2
_WORTH_RETRYING = (502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_CERTS_D = ("/etc/containers/certs.d", "/etc/docker/certs.d")


@dataclass(frozen=True)
class TlsOptions:
    """What the task says of TLS: C(verify) is None where registries.conf decides."""

    verify: bool | None = None
    ca_path: str | None = None


@dataclass(frozen=True)
class Answer:
    """One answer, read to its end; header names are case-insensitive."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes


@dataclass
class Counters:
    """What one registry was asked for so far."""

    requests: int = 0
    manifest_gets: int = 0
    bytes: int = 0
    retries: int = 0


class Connection:
    """Connections to one registry host, shared by all threads. C(timeout) bounds each request in seconds."""

    def __init__(self, host: str, *, insecure: bool, tls: TlsOptions, timeout: float, width: int) -> None:
        self.host = host
        self.counters = Counters()
        self.insecure = insecure if tls.verify is None else not tls.verify
        self._timeout = timeout
        self._scheme: str | None = None
        self._lock = threading.Lock()
        self._requests = import_libraries()
        self._session = _session(self._requests, host, self.insecure, tls.ca_path, width)

    def request(self, method: str, path: str, headers: t.Mapping[str, str]) -> Answer:
        """Ask the registry, over HTTPS; an insecure registry is also asked over HTTP, as podman does.

        Raises:
            RegistryError: There was no answer, or it broke a bound.
        """
        if self._scheme is not None:
            return self.fetch(method, f"{self._scheme}://{self.host}{path}", headers)
        refusal: RegistryError | None = None
        try:
            answer = self.fetch(method, f"https://{self.host}{path}", headers)
            self._scheme = "https"
        except RegistryError as error:
            if not self.insecure or error.reason not in (Reason.TLS, Reason.REGISTRY_UNREACHABLE):
                raise
            refusal = error
        if refusal is not None:  # Not within the handler: the first failure must not be told as the second one's cause.
            answer = self.fetch(method, f"http://{self.host}{path}", headers)
            self._scheme = "http"
        return answer

    def fetch(self, method: str, url: str, headers: t.Mapping[str, str]) -> Answer:
        """Ask any URL (a token service has its own): retries what is worth it, follows redirects without secrets."""
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                answer = self._follow(method, url, headers)
                if last or answer.status not in _WORTH_RETRYING:
                    return answer
            except self._requests.exceptions.RequestException as error:
                refusal = self._refusal(error, url)
                if last or not _is_reset(error):
                    raise refusal from None
            with self._lock:
                self.counters.retries += 1
            time.sleep(_RETRY_SECONDS * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _follow(self, method: str, url: str, headers: t.Mapping[str, str]) -> Answer:
        headers = dict(headers)
        for _hop in range(_MOST_REDIRECTS + 1):
            answer = self._once(method, url, headers)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            target = urllib.parse.urljoin(url, location)
            here, there = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
            if there.scheme not in ("http", "https") or (
                here.scheme == "https" and there.scheme == "http" and not self.insecure
            ):
                raise RegistryError(
                    f"{self.host} redirects to {there.scheme}://{there.netloc}, which is not followed",
                    Reason.REGISTRY_INVALID,
                )
            if (there.scheme, there.netloc) != (here.scheme, here.netloc):
                headers.pop("Authorization", None)
            url = target
        raise RegistryError(f"{self.host} redirects more than {_MOST_REDIRECTS} times", Reason.REGISTRY_INVALID)

    def _once(self, method: str, url: str, headers: t.Mapping[str, str]) -> Answer:
        with self._lock:
            self.counters.requests += 1
            self.counters.manifest_gets += method == "GET" and "/manifests/" in url
        options = {"timeout": self._timeout, "stream": True, "allow_redirects": False, "verify": not self.insecure}
        deadline = Deadline(self._timeout)
        try:
            with deadline, self._session.request(method, url, headers=headers, **options) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise RegistryError(f"{self.host} compressed its answer unasked", Reason.REGISTRY_INVALID)
                body = self._read(response)  # Also of a HEAD, which has none: only a read answer frees its connection.
        except self._requests.exceptions.RequestException:
            if deadline.expired:
                raise self._late(url) from None
            raise
        if deadline.expired:  # Where no length was announced, the end of the connection looks like that of the body.
            raise self._late(url)
        told = response.headers.get("Content-Length", "")
        if method != "HEAD" and told.isdigit() and int(told) != len(body):  # urllib3's version 1 does not look.
            raise RegistryError(f"{self.host} cut its answer short", Reason.REGISTRY_UNREACHABLE)
        with self._lock:
            self.counters.bytes += len(body)
        return Answer(response.status_code, response.headers, body)

    def _read(self, response: t.Any) -> bytes:
        body = bytearray()
        for piece in response.iter_content(65536):
            body += piece
            if len(body) > _LONGEST_BODY:
                raise RegistryError(
                    f"{self.host} answers with more than {_LONGEST_BODY} bytes", Reason.REGISTRY_INVALID
                )
        return bytes(body)

    def _refusal(self, error: Exception, url: str) -> RegistryError:
        exceptions = self._requests.exceptions
        host = urllib.parse.urlsplit(url).netloc
        if isinstance(error, exceptions.SSLError):
            return RegistryError(f"TLS with {host} failed: {_cause(error)}", Reason.TLS)
        if isinstance(error, exceptions.Timeout):
            return self._late(url)
        if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError)):
            if "BadStatusLine" in repr(error) or "HeaderParsing" in repr(error):
                return RegistryError(f"{host} does not answer in HTTP", Reason.REGISTRY_INVALID)
            return RegistryError(f"{host} cannot be reached: {_cause(error)}", Reason.REGISTRY_UNREACHABLE)
        return RegistryError(f"{host} cannot be asked: {_cause(error)}", Reason.REGISTRY_INVALID)

    def _late(self, url: str) -> RegistryError:
        host = urllib.parse.urlsplit(url).netloc
        return RegistryError(f"{host} did not answer within {self._timeout:g} s", Reason.REGISTRY_UNREACHABLE)


class Deadline:
    """Ends one request of the current thread for good: a peer that drips bytes never meets a socket's own timeout."""

    _current = threading.local()

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.expired = False

    def __enter__(self) -> Deadline:
        Deadline._current.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._timer.cancel()
        Deadline._current.deadline = None

    @classmethod
    def watch(cls, connected: socket.socket | None) -> None:
        """Note the socket that the current thread is about to read its answer from."""
        deadline: Deadline | None = getattr(cls._current, "deadline", None)
        if deadline is not None:
            deadline.guard(connected)

    def guard(self, connected: socket.socket | None) -> None:
        """End this socket when the time is up, at once if it is already."""
        with self._lock:
            self._socket = connected
            if self.expired:
                self._shut()

    def _end(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # It may be closed already.
                # Not the TLS socket's own shutdown: that would pull the TLS state away under the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _session(requests: t.Any, host: str, insecure: bool, ca_path: str | None, width: int) -> t.Any:
    context = _tls_context(host, insecure, ca_path)
    # An insecure registry's first connection may find that it speaks no TLS, so that its user needs another one.
    ahead = Ahead(width if insecure else width - 1)

    class Adapter(requests.adapters.HTTPAdapter):  # type: ignore[misc]
        """Pools whose connections can be ended by a deadline, and that trust what this host trusts."""

        def init_poolmanager(self, *arguments: t.Any, **options: t.Any) -> None:
            super().init_poolmanager(*arguments, ssl_context=context, **options)
            self.poolmanager.pool_classes_by_scheme = {
                scheme: _watched(pool, ahead) for scheme, pool in self.poolmanager.pool_classes_by_scheme.items()
            }

        def cert_verify(self, conn: t.Any, url: str, verify: bool, cert: object) -> None:
            """The context says it all; requests would read a whole bundle of CAs again for each connection."""
            del url, cert
            conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"

    session = requests.Session()
    adapter = Adapter(pool_connections=2, pool_maxsize=width, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers = {"User-Agent": "podfleet-autoupdate", "Accept-Encoding": "identity"}
    # Without this, requests sends what ~/.netrc holds for a host; credentials come from the authfiles only.
    session.auth = lambda request: request
    return session


def _tls_context(host: str, insecure: bool, ca_path: str | None) -> ssl.SSLContext:
    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context = ssl.create_default_context()
    # urllib3 compares the certificate with the host itself, also where that is an IP address, for which its version 1
    # would give the context no name to compare.
    context.check_hostname = False
    # Python 3.13 asks more of a CA than podman does, and refuses what "openssl req -x509" makes.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    own = [ca_path] if ca_path else []
    for path in own + sorted(str(path) for folder in _CERTS_D for path in pathlib.Path(folder, host).glob("*.crt")):
        _trust(context, path)
    return context


def _watched(pool: t.Any, ahead: Ahead) -> t.Any:
    class Watched(pool.ConnectionCls):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            place = (self.host, self.port)
            connected = ahead.take(place, self.timeout)
            if connected is None:
                connected = super()._new_conn()
                ahead.follow(place, connected)
            return connected

        def getresponse(self, *arguments: t.Any, **options: t.Any) -> t.Any:
            Deadline.watch(self.sock)
            return super().getresponse(*arguments, **options)

    return type("WatchedPool", (pool,), {"ConnectionCls": Watched})


def _trust(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise RegistryError(f"the CA certificate {path} cannot be used: {error}", Reason.TLS) from None


def _is_reset(error: Exception) -> bool:
    return any(word in repr(error) for word in ("ConnectionResetError", "RemoteDisconnected", "IncompleteRead"))


def _cause(error: BaseException) -> str:
    """The innermost message: requests and urllib3 wrap one sentence in four layers."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if inner is None and error.args and isinstance(error.args[0], BaseException):
            inner = error.args[0]
        if not isinstance(inner, BaseException):
            return str(error)[:300] or type(error).__name__
        error = inner


def import_libraries() -> t.Any:
    try:
        import requests  # noqa: PLC0415 (what asks no registry does not import it)
        import requests.adapters  # noqa: PLC0415
        import urllib3  # noqa: PLC0415
    except ImportError:
        raise MissingLibraryError("requests", traceback.format_exc()) from None
    # Whoever declared a registry insecure knows; a warning for each request would drown everything else.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return requests
