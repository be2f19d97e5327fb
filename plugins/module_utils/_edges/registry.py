# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The pull side of the distribution spec: what does a tag answer with now? Asked by HEAD, opened only when unknown."""

from __future__ import annotations

import json
import re
import threading
import time
import typing as t
import urllib.parse

from .._pure import manifests
from .._pure.challenges import Challenge, parse_challenges
from .._pure.credentials import Credential, Credentials
from .._pure.decisions import RemoteImage
from .._pure.errors import RegistryError
from .._pure.image_configs import ImageConfigError, parse_config
from .._pure.image_facts import ImageFacts
from .._pure.platforms import Platform
from .._pure.questions import Question, RegistryUsage
from .._pure.reasons import Reason
from .._pure.references import Reference, is_digest
from .._pure.registries import Endpoint, RegistriesConf
from .transport import Answer, Connection, TlsOptions

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 200, 401, 403, 404, 429, 500
_NO_HEAD = (400, 405, 501)
#: What a first failure says of all other questions; that one repository is private says nothing of the next.
_ABOUT_THE_HOST = (Reason.REGISTRY_UNREACHABLE, Reason.TLS)
#: An index in an index is rare, and deeper ones do not exist.
_DEEPEST_INDEX = 3
_DEFAULT_TOKEN_SECONDS = 60.0
_TOKEN_MARGIN_SECONDS = 5.0


_Said = t.TypeVar("_Said")


class RegistryClient:
    """All registries of one run. C(timeout) bounds each request in seconds; C(width) is the number of threads."""

    def __init__(
        self, conf: RegistriesConf, credentials: Credentials, tls: TlsOptions, *, timeout: float, width: int
    ) -> None:
        self._conf = conf
        self._credentials = credentials
        self._tls = tls
        self._timeout = timeout
        self._width = width
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def resolve(self, question: Question) -> RemoteImage:
        """Answer one question, with one HEAD where nothing is new.

        Raises:
            RegistryError: The registry does not say; C(reason) tells why.
        """
        return self._asked(question.reference, lambda repository: _resolve(repository, question), question.authfile)

    def describe(self, reference: Reference, platform: Platform) -> ImageFacts:
        """What the registry holds under a tag or digest for one platform; C(size) is of the layers as transferred.

        Raises:
            RegistryError: The registry does not say; C(reason) tells why.
        """
        return self._asked(reference, lambda repository: _describe(repository, reference, platform))

    def _asked(self, reference: Reference, ask: t.Callable[[_Repository], _Said], authfile: str | None = None) -> _Said:
        if not reference.fully_qualified:
            raise RegistryError(f"{reference.name} does not say which registry to ask", Reason.SHORT_NAME)
        endpoint = self._conf.endpoint(reference)
        if endpoint.blocked:
            raise RegistryError(f"registries.conf blocks {reference.repository}", Reason.BLOCKED)
        credential = self._credentials.for_reference(reference, authfile)
        repository = _Repository(self._host(endpoint), endpoint.repository, credential)
        try:
            return ask(repository)
        except manifests.NoInstanceError as error:
            raise RegistryError(f"{reference.name}: {error}", Reason.NOT_FOUND) from None
        except (manifests.ManifestError, ImageConfigError) as error:
            raise RegistryError(f"{reference.name}: {error}", Reason.REGISTRY_INVALID) from None
        except ValueError as error:  # A hostile URL in a redirect or a challenge, most likely.
            raise RegistryError(f"{endpoint.host} answers with nonsense: {error}", Reason.REGISTRY_INVALID) from None

    def usage(self) -> tuple[RegistryUsage, ...]:
        """What was asked so far, by registry."""
        return tuple(host.usage() for _name, host in sorted(self._hosts.items()))

    def _host(self, endpoint: Endpoint) -> _Host:
        with self._lock:
            if endpoint.host not in self._hosts:
                connection = Connection(
                    endpoint.host,
                    insecure=endpoint.insecure,
                    tls=self._tls,
                    timeout=self._timeout,
                    width=self._width,
                )
                self._hosts[endpoint.host] = _Host(connection)
            return self._hosts[endpoint.host]


def _resolve(repository: _Repository, question: Question) -> RemoteImage:
    reference = question.reference
    digest, media_type, body = repository.digest_of(reference.digest or t.cast("str", reference.tag))
    if reference.digest and digest != reference.digest:
        raise manifests.ManifestError(f"the registry answers with the digest {digest}")
    if digest in question.known:
        return RemoteImage(digest, media_type=media_type, registry=repository.host_name)
    instance, opened = _opened(repository, body if body is not None else repository.manifest(digest), question)
    return RemoteImage(
        digest,
        instance,
        opened.config_digest if opened else None,
        opened.layers_size if opened else None,
        opened.layers if opened else (),
        media_type,
        repository.host_name,
    )


def _opened(repository: _Repository, body: bytes, question: Question) -> tuple[str | None, manifests.Manifest | None]:
    """The digest of an index's instance (None where there is no index), and its manifest unless that is known."""
    opened = manifests.parse(body)
    instance: str | None = None
    for _depth in range(_DEEPEST_INDEX):
        if isinstance(opened, manifests.Manifest):
            break
        instance = opened.choose(question.platform).digest
        if instance in question.known:
            return instance, None
        opened = manifests.parse(repository.manifest(instance))
    if not isinstance(opened, manifests.Manifest):
        raise manifests.ManifestError("the index is nested too deeply")
    return instance, opened


def _describe(repository: _Repository, reference: Reference, platform: Platform) -> ImageFacts:
    body = repository.manifest(reference.digest or t.cast("str", reference.tag))
    digest = manifests.digest_of(body)
    instance, opened = _opened(repository, body, Question(reference, platform, frozenset()))
    image = t.cast("manifests.Manifest", opened)
    config = parse_config(repository.blob(image.config_digest))
    digests = {digest, instance or digest}
    return ImageFacts(
        id=image.config_digest,
        source="registry",
        name=reference.name,
        digest=digest,
        digests=frozenset(digests),
        tags=() if reference.digest else (reference.name,),
        repo_digests=tuple(sorted(reference.at(one) for one in digests)),
        platform=config.platform,
        created=config.created,
        size=image.layers_size,
        labels=config.labels,
    )


class _Host:
    """One registry host: its connections, what it wants for authentication, and whether it is there at all.

    The first request goes alone: it finds scheme and challenge for all others, and spares them a host that is down.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.challenge: Challenge | None = None
        #: By repository and credential: the token, and until when it may be used (monotonic seconds).
        self.tokens: dict[tuple[str, Credential | None], tuple[str, float]] = {}
        self._first = threading.Lock()
        self._open = threading.Event()
        self._down: RegistryError | None = None
        self._rate_limit: dict[str, object] | None = None

    def ask(self, send: t.Callable[[], Answer]) -> Answer:
        """Send one request; the first one is waited for by all others."""
        if not self._open.is_set():
            with self._first:
                if self._down is not None:
                    raise self._down
                if not self._open.is_set():
                    return self._noted(self._knock(send))
        return self._noted(send())

    def _knock(self, send: t.Callable[[], Answer]) -> Answer:
        try:
            answer = send()
        except RegistryError as error:
            if error.reason in _ABOUT_THE_HOST:
                self._down = error
            raise
        self._open.set()
        return answer

    def usage(self) -> RegistryUsage:
        """What this host was asked for."""
        counters = self.connection.counters
        return RegistryUsage(
            registry=self.connection.host,
            requests=counters.requests,
            manifest_gets=counters.manifest_gets,
            bytes=counters.bytes,
            retries=counters.retries,
            rate_limit=self._rate_limit,
            reason=self._down.reason.value if self._down else None,
        )

    def _noted(self, answer: Answer) -> Answer:
        limit, remaining = (_quota(answer.headers.get(f"RateLimit-{name}")) for name in ("Limit", "Remaining"))
        if limit or remaining:
            self._rate_limit = {
                "limit": limit[0] if limit else None,
                "remaining": remaining[0] if remaining else None,
                "window": (limit or remaining or (None, None))[1],
                "source": answer.headers.get("Docker-RateLimit-Source"),
            }
        return answer


class _Repository:
    """One repository on one host, asked with one credential."""

    def __init__(self, host: _Host, name: str, credential: Credential | None) -> None:
        self._host = host
        self._name = name
        self._credential = credential
        self.host_name = host.connection.host

    def digest_of(self, tag: str) -> tuple[str, str | None, bytes | None]:
        """A tag's digest and media type; the body only where the registry does not tell the digest without it."""
        answer = self._ask("HEAD", "manifests", tag)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if answer.status == _OK and is_digest(digest):
            return digest, _media_type(answer), None
        if answer.status != _OK and answer.status not in _NO_HEAD:
            raise self._refusal(answer, tag)
        answer = self._got("manifests", tag)
        return manifests.digest_of(answer.body), _media_type(answer), answer.body

    def manifest(self, name: str) -> bytes:
        """The body of a manifest by tag or digest; a digest is verified."""
        return self._got("manifests", name).body

    def blob(self, digest: str) -> bytes:
        """The body of a blob; its digest is verified."""
        return self._got("blobs", digest).body

    def _got(self, kind: str, name: str) -> Answer:
        answer = self._ask("GET", kind, name)
        if answer.status != _OK:
            raise self._refusal(answer, name)
        wanted = name if is_digest(name) else answer.headers.get("Docker-Content-Digest")
        if wanted and manifests.digest_of(answer.body) != wanted:
            raise RegistryError(
                f"{self._host.connection.host} answers {self._name} with a body that does not have the digest {wanted}",
                Reason.REGISTRY_INVALID,
            )
        return answer

    def _ask(self, method: str, kind: str, name: str) -> Answer:
        path = f"/v2/{self._name}/{kind}/{name}"

        def send() -> Answer:
            sent = self._authorization()
            answer = self._send(method, path, sent)
            challenge = _usable_challenge(answer) if answer.status == _UNAUTHORIZED else None
            if challenge is None or (challenge.scheme == "basic" and (sent or not self._credential)):
                return answer
            self._host.challenge = challenge
            # None was sent, or it has expired: one new one is worth a try.
            self._host.tokens.pop((self._name, self._credential), None)
            return self._send(method, path, self._authorization())

        return self._host.ask(send)

    def _send(self, method: str, path: str, authorization: str | None) -> Answer:
        headers = {"Accept": manifests.ACCEPT}
        if authorization:
            headers["Authorization"] = authorization
        return self._host.connection.request(method, path, headers)

    def _authorization(self) -> str | None:
        challenge = self._host.challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return f"Basic {self._credential.basic()}" if self._credential else None
        key = (self._name, self._credential)
        token = self._host.tokens.get(key)
        if token is None or token[1] < time.monotonic():
            token = self._host.tokens[key] = self._fetch_token(challenge)
        return f"Bearer {token[0]}"

    def _fetch_token(self, challenge: Challenge) -> tuple[str, float]:
        """A token for pulling from this repository, and until when it may be used (monotonic seconds)."""
        realm = challenge.parameters.get("realm", "")
        parts = urllib.parse.urlsplit(realm)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise RegistryError(f"{self._host.connection.host} names no usable token service", Reason.REGISTRY_INVALID)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if challenge.parameters.get("service"):
            query["service"] = challenge.parameters["service"]
        query["scope"] = f"repository:{self._name}:pull"
        url = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, urllib.parse.urlencode(query), ""))
        headers = {"Authorization": f"Basic {self._credential.basic()}"} if self._credential else {}
        if headers and parts.scheme != "https" and not self._host.connection.insecure:
            raise RegistryError(f"the token service {realm} would see the password in clear text", Reason.TLS)
        answer = self._host.connection.fetch("GET", url, headers)
        if answer.status != _OK:
            raise self._refusal(answer, "token", service=parts.netloc)
        try:
            document = json.loads(answer.body)
            token = document.get("token") or document.get("access_token")
            expires_in = document.get("expires_in")
            seconds = _DEFAULT_TOKEN_SECONDS if expires_in in (None, 0) else float(expires_in)
        except (ValueError, TypeError, AttributeError, RecursionError):
            token, seconds = None, 0.0
        if not isinstance(token, str) or not re.match(r"[\x21-\x7e]+\Z", token):
            raise RegistryError(f"the token service {parts.netloc} gave no token", Reason.REGISTRY_INVALID)
        return token, time.monotonic() + seconds - _TOKEN_MARGIN_SECONDS

    def _refusal(self, answer: Answer, name: str, service: str | None = None) -> RegistryError:
        host = service or self._host.connection.host
        said = f"{host} answers {answer.status} for {self._name}:{name}"
        if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
            hint = "the credentials are not accepted" if self._credential else "it was asked without credentials"
            return RegistryError(f"{said}; {hint}", Reason.AUTH_REQUIRED)
        if answer.status == _NOT_FOUND:
            return RegistryError(said, Reason.NOT_FOUND)
        if answer.status == _TOO_MANY:
            return RegistryError(said, Reason.RATE_LIMITED)
        broken = answer.status >= _SERVER_ERROR
        return RegistryError(said, Reason.REGISTRY_UNREACHABLE if broken else Reason.REGISTRY_INVALID)


def _media_type(answer: Answer) -> str | None:
    """The media type that the answer claims, where it is one of those that were asked for."""
    claimed = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return claimed if claimed in manifests.IMAGE_TYPES + manifests.INDEX_TYPES else None


def _usable_challenge(answer: Answer) -> Challenge | None:
    challenges = parse_challenges(answer.headers.get("WWW-Authenticate", ""))
    return next((one for one in challenges if one.scheme in ("bearer", "basic")), None)


def _quota(header: str | None) -> tuple[int, int | None] | None:
    """C(100;w=21600) as count and window in seconds (the IETF's RateLimit draft, as Docker Hub sends it)."""
    match = re.match(r"(\d{1,9})(?:;w=(\d{1,9}))?\Z", header or "")
    return (int(match.group(1)), int(match.group(2)) if match.group(2) else None) if match else None
