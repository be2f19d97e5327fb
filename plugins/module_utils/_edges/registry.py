# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""All registries of one run: what do these references name now? Asked by HEAD, opened only when unknown."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from dataclasses import replace

from .._pure import manifests
from .._pure.credentials import Credential, Credentials
from .._pure.decisions import RemoteImage
from .._pure.errors import RegistryError
from .._pure.image_configs import ImageConfigError, parse_config
from .._pure.image_facts import ImageFacts
from .._pure.platforms import Platform
from .._pure.questions import Question, RegistryUsage
from .._pure.reasons import Reason
from .._pure.references import InvalidReferenceError, Reference
from .._pure.registries import Endpoint, RegistriesConf
from .ahead import Ahead
from .hosts import RegistryHost
from .pacing import Lease
from .repositories import Repository
from .transport import Connection, TlsOptions

#: An index in an index is rare, and deeper ones do not exist.
_DEEPEST_INDEX = 3
#: One question may take so many times the timeout of one request, with everything: mirrors, tokens, pauses.
_WHOLE_QUESTION = 4
#: A registry may ask for pauses that add up to so many timeouts in one run.
_PATIENCE = 2

_Said = t.TypeVar("_Said")


class RegistryClient:
    """All registries of one run, asked from several threads.

    C(timeout) bounds each request in seconds, four times that each question, and twice that the pauses that one
    registry may ask for in the whole run. C(width) is how many requests one registry gets at once. C(budget) is how many
    manifests one registry is asked for in the run; requests by HEAD, which tell a digest, are free. C(begun) are
    connections that were begun already, by host.
    """

    def __init__(
        self,
        conf: RegistriesConf,
        credentials: Credentials,
        tls: TlsOptions,
        *,
        timeout: float,
        width: int,
        budget: int | None = None,
        begun: t.Mapping[str, Ahead] | None = None,
    ) -> None:
        self._begun = begun or {}
        self._conf = conf
        self._credentials = credentials
        self._tls = tls
        self._timeout = timeout
        self._width = width
        self._budget = budget
        self._hosts: dict[tuple[str, bool], RegistryHost] = {}
        self._lock = threading.Lock()
        #: By host: the repositories that are asked for there, each with the way to its credentials, which are several
        #: where containers name authfiles of their own.
        self._wanted: dict[str, dict[tuple[str, str | None], Reference]] = {}

    def prepare(self, questions: t.Iterable[Question]) -> None:
        """Tell all questions beforehand: their repositories can then share a token. Nothing is asked yet."""
        for question in questions:
            for place in self._conf.endpoints(question.reference):
                with contextlib.suppress(RegistryError):  # The question itself will tell.
                    self._want(place, question.reference, question.authfile)

    def knock(self, references: t.Iterable[Reference]) -> None:
        """Begin to connect to where these will be asked for first; returns at once, makes no request, tells no failure."""
        for place in {self._conf.endpoints(reference)[0] for reference in references}:
            if not place.blocked:
                with contextlib.suppress(RegistryError):  # The questions themselves will tell.
                    self._host(place).knock()

    def resolve(self, question: Question) -> RemoteImage:
        """Answer one question, with one HEAD where nothing is new.

        Raises:
            RegistryError: The registry does not say; C(reason) tells why.
        """
        found, passed = self._asked(
            question.reference, question.authfile, lambda repository: _resolve(repository, question)
        )
        return replace(found, passed_over=passed)

    def digest(self, reference: Reference) -> RemoteImage:
        """What a tag answers with now, the index's own digest where it is one; nothing is opened.

        Raises:
            RegistryError: The registry does not say; C(reason) tells why.
        """
        found, passed = self._asked(reference, None, lambda repository: _digest(repository, reference))
        return replace(found, passed_over=passed)

    def describe(self, reference: Reference, platform: Platform) -> ImageFacts:
        """What the registry holds under a tag or digest for one platform; C(size) is of the layers as transferred.

        Raises:
            RegistryError: The registry does not say; C(reason) tells why.
        """
        return self._asked(reference, None, lambda repository: _describe(repository, reference, platform))[0]

    def usage(self) -> tuple[RegistryUsage, ...]:
        """What was asked so far, by registry."""
        with self._lock:
            hosts = dict(self._hosts)
        return tuple(host.usage() for _name, host in sorted(hosts.items()))

    def _asked(
        self, reference: Reference, authfile: str | None, ask: t.Callable[[Repository], _Said]
    ) -> tuple[_Said, tuple[str, ...]]:
        """What the first place says that says something: the mirrors in order, and then the origin."""
        if not reference.fully_qualified:
            raise RegistryError(f"{reference.name} does not say which registry to ask", Reason.SHORT_NAME)
        until = time.monotonic() + _WHOLE_QUESTION * self._timeout
        passed: list[RegistryError] = []
        for place in self._conf.endpoints(reference):
            try:
                return self._asked_at(place, reference, authfile, ask, until), tuple(map(str, passed))
            except RegistryError as error:
                passed.append(error)
        *mirrors, origin = passed
        said = "".join(f"; its mirror: {one}" for one in mirrors)
        raise RegistryError(f"{origin}{said}", origin.reason)

    def _asked_at(
        self,
        place: Endpoint,
        reference: Reference,
        authfile: str | None,
        ask: t.Callable[[Repository], _Said],
        until: float,
    ) -> _Said:
        if place.blocked:
            raise RegistryError(f"registries.conf blocks {place.name}", Reason.BLOCKED)
        credential = self._credential(*self._want(place, reference, authfile))
        try:
            return ask(Repository(self._host(place), place.repository, credential, until))
        except manifests.NoInstanceError as error:
            raise RegistryError(f"{place.name}: {error}", Reason.NOT_FOUND) from None
        except (manifests.ManifestError, ImageConfigError) as error:
            raise RegistryError(f"{place.name}: {error}", Reason.REGISTRY_INVALID) from None
        except ValueError as error:  # A hostile URL in a redirect or a challenge, most likely.
            raise RegistryError(f"{place.host} answers with nonsense: {error}", Reason.REGISTRY_INVALID) from None

    def _want(self, place: Endpoint, asked: Reference, authfile: str | None) -> tuple[Reference, str | None]:
        """Note what will be asked for at a place: credentials are those of the place, never those of what it mirrors."""
        try:
            there = place.reference(asked)
        except InvalidReferenceError as error:
            raise RegistryError(f"registries.conf rewrites {asked.name}: {error}", Reason.REGISTRY_INVALID) from None
        with self._lock:
            self._wanted.setdefault(place.host, {})[place.repository, authfile] = there
        return there, authfile

    def _credential(self, reference: Reference, authfile: str | None) -> Credential | None:
        return self._credentials.for_reference(reference, authfile)

    def _wanted_at(self, host: str, credential: Credential | None) -> t.Iterator[str]:
        with self._lock:
            wanted = dict(self._wanted.get(host, {}))
        told = set()
        for (repository, authfile), reference in wanted.items():
            try:
                if repository not in told and self._credential(reference, authfile) == credential:
                    told.add(repository)
                    yield repository
            except RegistryError:
                continue  # Its own question tells.

    def _host(self, place: Endpoint) -> RegistryHost:
        with self._lock:
            key = (place.host, place.insecure)
            if key not in self._hosts:
                connection = Connection(
                    place.host,
                    insecure=place.insecure,
                    tls=self._tls,
                    timeout=self._timeout,
                    width=self._width,
                    certificates=place.certificates,
                    ahead=self._begun.get(place.host),
                )
                self._hosts[key] = RegistryHost(
                    connection,
                    lambda credential: self._wanted_at(place.host, credential),
                    width=self._width,
                    patience=_PATIENCE * self._timeout,
                    budget=self._budget,
                )
            return self._hosts[key]


def _resolve(repository: Repository, question: Question) -> RemoteImage:
    reference = question.reference
    name = reference.digest or t.cast("str", reference.tag)
    digest, media_type = repository.head(name)
    host = repository.host
    if digest is not None:
        _must_be_asked_for(digest, reference)
        if digest in question.known:
            return RemoteImage(digest, media_type=media_type, registry=host.name)
    with host.quota.lease(_gets_to_open(media_type)) as lease:
        body, media_type = repository.manifest(digest or name, lease)
        if digest is None:
            digest = manifests.digest_of(body)
            if digest in question.known:
                return RemoteImage(digest, media_type=media_type, registry=host.name)
        instance, opened = _opened(repository, body, question, lease)
    found = RemoteImage(digest, instance, media_type=media_type, registry=host.name)
    if opened is None:
        return found
    return replace(found, id=opened.config_digest, size=opened.layers_size, layers=opened.layers)


def _digest(repository: Repository, reference: Reference) -> RemoteImage:
    name = reference.digest or t.cast("str", reference.tag)
    digest, media_type = repository.head(name)
    if digest is None:
        with repository.host.quota.lease(1) as lease:
            body, media_type = repository.manifest(name, lease)
        digest = manifests.digest_of(body)
    _must_be_asked_for(digest, reference)
    return RemoteImage(digest, media_type=media_type, registry=repository.host.name)


def _must_be_asked_for(digest: str, reference: Reference) -> None:
    if reference.digest and digest != reference.digest:
        raise manifests.ManifestError(f"the registry answers with the digest {digest}")


def _gets_to_open(media_type: str | None) -> int:
    """The manifests that telling an image's ID takes: an index needs one more, and so does what is not known."""
    return 1 if media_type in manifests.IMAGE_TYPES else 2


def _opened(
    repository: Repository, body: bytes, question: Question, lease: Lease
) -> tuple[str | None, manifests.Manifest | None]:
    """The digest of an index's instance (None where there is no index), and its manifest unless that is known."""
    opened = manifests.parse(body)
    instance: str | None = None
    for _depth in range(_DEEPEST_INDEX):
        if isinstance(opened, manifests.Manifest):
            break
        instance = opened.choose(question.platform).digest
        if instance in question.known:
            return instance, None
        opened = manifests.parse(repository.manifest(instance, lease)[0])
    if not isinstance(opened, manifests.Manifest):
        raise manifests.ManifestError("the index is nested too deeply")
    return instance, opened


def _describe(repository: Repository, reference: Reference, platform: Platform) -> ImageFacts:
    with repository.host.quota.lease(2) as lease:
        body, _media_type = repository.manifest(reference.digest or t.cast("str", reference.tag), lease)
        instance, opened = _opened(repository, body, Question(reference, platform, frozenset()), lease)
    digest = manifests.digest_of(body)
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
