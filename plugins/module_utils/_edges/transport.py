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
import functools
import ipaddress
import socket
import ssl
import threading
import traceback
import typing as t
import urllib.parse
from dataclasses import dataclass, replace

from .._pure.errors import MissingLibraryError, RegistryError
from .._pure.reasons import Reason
from .ahead import KNOCK_SECONDS, Ahead, is_proxied, place_of
from .deadlines import Deadline
from .tls import tls_context

_LONGEST_BODY = 4 * 1024 * 1024
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_BAD_REQUEST = 400
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_RESETS = ("ConnectionResetError", "RemoteDisconnected", "IncompleteRead", "BrokenPipeError", "ConnectionAbortedError")


class ConnectionLostError(RegistryError):
    """The connection broke while it was in use: the same request is worth repeating."""


@dataclass(frozen=True)
class TlsOptions:
    """What the task says of TLS: C(verify) is None where registries.conf decides."""

    verify: bool | None = None
    ca_path: str | None = None


@dataclass(frozen=True)
class Answer:
    """One answer, read to its end; header names are case-insensitive.

    C(elsewhere): it came from another host, to which a redirect led; what that one asks for is not to be given.
    """

    status: int
    headers: t.Mapping[str, str]
    body: bytes
    elsewhere: bool = False


@dataclass
class Counters:
    """What one registry was asked for so far."""

    requests: int = 0
    manifest_gets: int = 0
    bytes: int = 0


class Connection:
    """Connections to one registry host, shared by all threads. C(timeout) bounds each request in seconds.

    C(certificates) is the name of its folder in certs.d, its own where none is given. C(ahead) are connections to it that
    were begun already.
    """

    def __init__(
        self,
        host: str,
        *,
        insecure: bool,
        tls: TlsOptions,
        timeout: float,
        width: int,
        certificates: str | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        self.host = host
        self.counters = Counters()
        self.insecure = insecure if tls.verify is None else not tls.verify
        self._timeout = timeout
        self._scheme: str | None = None
        self._lock = threading.Lock()
        self._context = tls_context(certificates or host, insecure=self.insecure, ca_path=tls.ca_path)
        # An insecure registry's first connection may find that it speaks no TLS, so that its user needs another one.
        self._ahead = ahead or Ahead(width if self.insecure else width - 1)
        self._width = width
        self._knocking: threading.Thread | None = None

    @functools.cached_property
    def _requests(self) -> t.Any:
        return import_libraries()

    @functools.cached_property
    def _session(self) -> t.Any:
        return _session(self._requests, self._context, self._width, self._ahead)

    def knock(self) -> None:
        """Begin to connect, when it is known that something will be asked. No request is made, and no failure told."""
        if self._knocking is None and not is_proxied():
            self._knocking = threading.Thread(target=self._find, daemon=True)
            self._knocking.start()

    def _find(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # The first request will meet the same, and tell.
            place = place_of(self.host)
            speaks_tls = self._ahead.find(place, self._context if self.insecure else None)
            if not speaks_tls and urllib.parse.urlsplit(f"//{self.host}").port:
                self._scheme = "http"

    def request(self, method: str, path: str, headers: t.Mapping[str, str], *, seconds: float | None = None) -> Answer:
        """Ask the registry, over HTTPS; an insecure registry is also asked over HTTP, as podman does.

        Raises:
            RegistryError: There was no answer, or it broke a bound.
            ConnectionLostError: The same, and asking again may help.
        """
        if self._knocking is not None:
            self._knocking.join(KNOCK_SECONDS)
        if self._scheme is not None:
            return self.fetch(method, f"{self._scheme}://{self.host}{path}", headers, seconds=seconds)
        refusal: RegistryError | None = None
        try:
            answer = self.fetch(method, f"https://{self.host}{path}", headers, seconds=seconds)
            self._scheme = "https"
        except RegistryError as error:
            if not self.insecure or error.reason not in (Reason.TLS, Reason.REGISTRY_UNREACHABLE):
                raise
            refusal = error
        if refusal is not None:  # Not within the handler: the first failure must not be told as the second one's cause.
            answer = self.fetch(method, f"http://{self.host}{path}", headers, seconds=seconds)
            # A server that wants HTTPS, and had a bad moment before, says that the request is a bad one.
            if refusal.reason is Reason.TLS or answer.status != _BAD_REQUEST:
                self._scheme = "http"
        return answer

    def fetch(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        *,
        body: bytes | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Ask any URL (a token service has its own); redirects are followed without secrets, and never with a body.

        Raises:
            RegistryError: There was no answer, or it broke a bound.
            ConnectionLostError: The same, and asking again may help.
        """
        headers, asked = dict(headers), _origin(url)
        for _hop in range(_MOST_REDIRECTS + 1):
            refusal: RegistryError | None = None
            try:
                answer = self._once(method, url, headers, body, min(seconds or self._timeout, self._timeout))
            except self._requests.exceptions.RequestException as error:
                refusal = self._refusal(error, url)
            if refusal is not None:  # Not within the handler: what requests said may quote an address with secrets.
                raise refusal
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location or body is not None:
                return replace(answer, elsewhere=_origin(url) != asked)
            url = self._next(url, location, headers)
        raise RegistryError(f"{self.host} redirects more than {_MOST_REDIRECTS} times", Reason.REGISTRY_INVALID)

    def _next(self, url: str, location: str, headers: dict[str, str]) -> str:
        """Where a redirect leads to; headers that are for this host alone are taken out."""
        target = urllib.parse.urljoin(url, location)
        here, there = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
        if there.scheme not in ("http", "https") or (
            here.scheme == "https" and there.scheme == "http" and not self.insecure
        ):
            raise RegistryError(
                f"{self.host} redirects to {there.scheme}://{_shown(target)}, which is not followed",
                Reason.REGISTRY_INVALID,
            )
        if _origin(target) != _origin(url):
            headers.pop("Authorization", None)
        return target

    def _once(self, method: str, url: str, headers: t.Mapping[str, str], sent: bytes | None, seconds: float) -> Answer:
        with self._lock:
            self.counters.requests += 1
        options = {"timeout": seconds, "stream": True, "allow_redirects": False, "verify": not self.insecure}
        deadline = Deadline(seconds)
        try:
            with deadline, self._session.request(method, url, headers=headers, data=sent, **options) as response:
                with self._lock:  # Only what was answered counts against a pull limit.
                    self.counters.manifest_gets += method == "GET" and "/manifests/" in url
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise RegistryError(f"{self.host} compressed its answer unasked", Reason.REGISTRY_INVALID)
                body = self._read(response)  # Also of a HEAD, which has none: only a read answer frees its connection.
        except self._requests.exceptions.RequestException:
            if deadline.expired:
                raise self._late(url, seconds) from None
            raise
        if deadline.expired:  # Where no length was announced, the end of the connection looks like that of the body.
            raise self._late(url, seconds)
        told = response.headers.get("Content-Length", "")
        if method != "HEAD" and told.isdigit() and int(told[:20]) != len(body):  # urllib3's version 1 does not look.
            raise ConnectionLostError(f"{self.host} cut its answer short", Reason.REGISTRY_UNREACHABLE)
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
        host = _shown(url)
        if isinstance(error, exceptions.ProxyError):
            return RegistryError(f"the proxy for {host} refuses: {_cause(error)}", Reason.REGISTRY_UNREACHABLE)
        if isinstance(error, exceptions.SSLError):
            return RegistryError(f"TLS with {host} failed: {_cause(error)}{_remedy(error)}", Reason.TLS)
        if isinstance(error, exceptions.Timeout):
            return self._late(url, self._timeout)
        if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError)):
            if "BadStatusLine" in repr(error) or "HeaderParsing" in repr(error):
                return RegistryError(f"{host} does not answer in HTTP", Reason.REGISTRY_INVALID)
            kind = ConnectionLostError if any(word in repr(error) for word in _RESETS) else RegistryError
            return kind(f"{host} cannot be reached: {_cause(error)}", Reason.REGISTRY_UNREACHABLE)
        return RegistryError(f"{host} cannot be asked: {_cause(error)}", Reason.REGISTRY_INVALID)

    def _late(self, url: str, seconds: float) -> RegistryError:
        return RegistryError(f"{_shown(url)} did not answer within {seconds:g} s", Reason.REGISTRY_UNREACHABLE)


def _remedy(error: Exception) -> str:
    """What to do where a server answers TLS in plain text: OpenSSL's words for it, which changed with 3.2."""
    if not any(word in repr(error).upper().replace(" ", "_") for word in _NO_TLS):
        return ""
    return (
        "; it seems to speak plain HTTP. If that is meant, say insecure = true for it in registries.conf, where podman and"
        " modules heed it, or set validate_certs: false"
    )


def _session(requests: t.Any, context: ssl.SSLContext, width: int, ahead: Ahead) -> t.Any:
    class Adapter(requests.adapters.HTTPAdapter):  # type: ignore[misc]
        """Pools whose connections can be ended by a deadline, and that trust what this host trusts."""

        def init_poolmanager(self, *arguments: t.Any, **options: t.Any) -> None:
            super().init_poolmanager(*arguments, ssl_context=context, **options)
            _watch_all(self.poolmanager, ahead)

        def proxy_manager_for(self, proxy: str, **options: t.Any) -> t.Any:
            known = proxy in self.proxy_manager
            manager = super().proxy_manager_for(proxy, ssl_context=context, **options)
            if not known:
                _watch_all(manager, ahead)
            return manager

        def cert_verify(self, conn: t.Any, url: str, verify: bool, cert: object) -> None:
            """The context says it all; requests would read a whole bundle of CAs again for each connection."""
            del url, cert
            conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"

    class Session(requests.Session):  # type: ignore[misc]
        def merge_environment_settings(
            self, url: str, proxies: t.Any, stream: t.Any, verify: t.Any, cert: t.Any
        ) -> t.Any:
            """Of the environment only the proxies count, and none for this machine itself, as with podman."""
            del proxies
            found = {} if _is_here(url) else requests.utils.get_environ_proxies(url)
            return {"proxies": found, "stream": stream, "verify": verify, "cert": cert}

    session = Session()
    adapter = Adapter(pool_connections=2, pool_maxsize=width, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers = {"User-Agent": "podfleet-autoupdate", "Accept-Encoding": "identity"}
    # Without this, requests sends what ~/.netrc holds for a host; credentials come from the authfiles only.
    session.auth = lambda request: request
    return session


def _watch_all(manager: t.Any, ahead: Ahead) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _watched(pool, ahead) for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _watched(pool: t.Any, ahead: Ahead) -> t.Any:
    class Watched(pool.ConnectionCls):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            place = (self.host, self.port)
            connected = ahead.take(place, self.timeout)
            if connected is None:
                connected = super()._new_conn()
                ahead.follow(place, connected)
            Deadline.watch(connected)  # From here on a proxy's tunnel and the TLS handshake are watched too.
            return connected

        def getresponse(self, *arguments: t.Any, **options: t.Any) -> t.Any:
            Deadline.watch(self.sock)
            return super().getresponse(*arguments, **options)

    return type("WatchedPool", (pool,), {"ConnectionCls": Watched})


def _is_here(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str]:
    """Who answers at an address: its scheme, host and port."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _shown(url: str) -> str:
    """The host of an address for people; a user name and password in it are not for them."""
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def _cause(error: BaseException) -> str:
    """The innermost message: requests and urllib3 wrap one sentence in four layers."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if inner is None and error.args and isinstance(error.args[0], BaseException):
            inner = error.args[0]
        if not isinstance(inner, BaseException):
            return str(error)[:300] or "the connection broke"
        error = inner


def import_libraries() -> t.Any:
    """requests, with all that it needs.

    Raises:
        MissingLibraryError: It is not installed for this Python.
    """
    # urllib3 1.26 comes with six, which imports these while it holds Python's one lock for all imports. Another thread
    # that is half-way through one of them then waits for ever, and so does this one. Imported before, they are there.
    import http.client  # noqa: F401, PLC0415
    import queue  # noqa: F401, PLC0415

    try:
        import requests  # noqa: PLC0415 (what asks no registry does not import it)
        import requests.adapters  # noqa: PLC0415
        import urllib3  # noqa: PLC0415
    except ImportError:
        raise MissingLibraryError("requests", traceback.format_exc()) from None
    # Whoever declared a registry insecure knows; a warning for each request would drown everything else.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return requests
