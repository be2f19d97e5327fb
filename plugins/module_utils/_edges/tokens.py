# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What opens the repositories of one registry: nothing, a password, or tokens, one for all of them where that works."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass, field

from .._pure.challenges import Challenge, parse_challenges
from .._pure.credentials import Credential
from .._pure.errors import RegistryError
from .._pure.reasons import Reason
from .._pure.tokens import MARGIN_SECONDS, TokenError, TokenRequest, parse_token, together, token_request
from .transport import Answer

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 200, 401, 403, 404, 429, 500
#: Where a token for many repositories meets one of these, a token for the one may not.
_NOT_OPENED = (_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, 400, 431)
_ABOUT_THE_SERVICE = (Reason.REGISTRY_UNREACHABLE, Reason.TLS)


@dataclass
class Token:
    """An access token for some repositories, until C(until) (monotonic seconds); C(proved) were opened by it."""

    value: str = field(repr=False)
    until: float
    repositories: frozenset[str]
    proved: set[str] = field(default_factory=set)

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.until

    @property
    def header(self) -> str:
        return f"Bearer {self.value}"


Asking = t.Callable[[TokenRequest, float], Answer]
Wanted = t.Callable[["Credential | None"], t.Iterable[str]]


class Authorizer:
    """Answers one registry's challenges. C(ask) sends a request for a token, before a time (monotonic seconds).

    C(wanted) tells all repositories that the run asks with one credential: they share a token. Where the service does
    not grant that, or the registry does not take such a token, each gets its own.
    """

    def __init__(self, host: str, ask: Asking, wanted: Wanted) -> None:
        self._host = host
        self._ask = ask
        self._wanted = wanted
        self._challenge: Challenge | None = None
        self._one_each = False
        self._down: RegistryError | None = None
        self._tokens: dict[Credential | None, list[Token]] = {}
        #: Repositories for which the service gave no token: they must not spoil a common one.
        self._closed: set[tuple[str, Credential | None]] = set()
        self._renewed: set[Credential | None] = set()
        self._lock = threading.Lock()
        self._locks: dict[object, threading.Lock] = {}

    def meet(self, answer: Answer) -> Challenge | None:
        """The challenge in an answer, for all requests to come; None where there is none that can be met."""
        challenge = _usable_challenge(answer) if answer.status == _UNAUTHORIZED else None
        if challenge is not None:
            self._challenge = challenge
        return challenge

    def header(self, repository: str, credential: Credential | None, until: float) -> str | None:
        """The C(Authorization) for a request to a repository, as far as it is known that one is needed.

        Raises:
            RegistryError: The token service gave none.
        """
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return f"Basic {credential.basic()}" if _has_password(credential) else None
        return self._token(challenge, repository, credential, until).header

    def again(
        self, answer: Answer, repository: str, credential: Credential | None, sent: str | None, until: float
    ) -> str | None:
        """Another C(Authorization) that is worth a try after this answer; None where the answer is final.

        Raises:
            RegistryError: The token service gave none.
        """
        token = self._sent(sent, credential)
        if answer.status not in _NOT_OPENED:
            if token is not None:
                self._proved(token, repository, credential)
            return None
        challenge = self.meet(answer)
        if token is not None:
            return self._instead_of(token, challenge, repository, credential, until)
        if challenge is None or (challenge.scheme == "basic" and sent is not None):
            return None
        other = self.header(repository, credential, until)
        return other if other != sent else None

    def _instead_of(
        self, token: Token, challenge: Challenge | None, repository: str, credential: Credential | None, until: float
    ) -> str | None:
        """Another token than one that did not open the repository, or no longer does."""
        shared = len(token.repositories) > 1
        # Some call a token bad that opens too little; so this is believed once.
        renew = shared and bool(token.proved) and _is_expired(challenge) and credential not in self._renewed
        if repository in token.proved or renew:
            if challenge is None:
                return None  # What is not there, or not allowed, is no matter of the token's age.
            if renew:
                self._renewed.add(credential)
            self._drop(token, credential)
            return self.header(repository, credential, until)
        if shared and self._challenge is not None and self._challenge.scheme == "bearer":
            return self._own(self._challenge, repository, credential, until).header
        return None

    def _proved(self, token: Token, repository: str, credential: Credential | None) -> None:
        token.proved.add(repository)
        if len(token.repositories) == 1:
            with self._lock:
                kept = self._tokens.get(credential, [])
                # It opened what the shared one did not: that one is no use for the others either.
                self._one_each |= any(repository in one.repositories for one in kept if one is not token)

    # Tokens.

    def _token(self, challenge: Challenge, repository: str, credential: Credential | None, until: float) -> Token:
        found = self._kept(repository, credential)
        if found is not None:
            return found
        if not self._one_each:
            with self._lock_of(credential):
                found = self._kept(repository, credential)
                if found is not None:
                    return found
                repositories = together(repository, self._uncovered(credential))
                if len(repositories) > 1 and not self._one_each:
                    shared = self._shared(challenge, repositories, credential, until)
                    if shared is not None:
                        return shared
        return self._own(challenge, repository, credential, until)

    def _shared(
        self, challenge: Challenge, repositories: tuple[str, ...], credential: Credential | None, until: float
    ) -> Token | None:
        try:
            return self._fetch(challenge, repositories, credential, until)
        except _NoTokenError:
            self._one_each = True
            return None

    def _own(self, challenge: Challenge, repository: str, credential: Credential | None, until: float) -> Token:
        with self._lock_of((repository, credential)):
            found = self._kept(repository, credential)
            if found is not None and len(found.repositories) == 1:
                return found
            return self._fetch(challenge, (repository,), credential, until)

    def _fetch(
        self, challenge: Challenge, repositories: tuple[str, ...], credential: Credential | None, until: float
    ) -> Token:
        if self._down is not None:
            raise self._down
        try:
            request = token_request(challenge, repositories, credential)
        except TokenError as error:
            raise RegistryError(f"{self._host} asks for a token, but {error}", Reason.REGISTRY_INVALID) from None
        try:
            answer = self._ask(request, until)
        except RegistryError as error:
            if error.reason in _ABOUT_THE_SERVICE:
                self._down = error
            raise
        if answer.status != _OK:
            refused = self._refusal(answer, request, repositories, credential)
            if len(repositories) == 1:
                self._closed.add((repositories[0], credential))
                if answer.status >= _SERVER_ERROR:
                    self._down = refused
            raise refused
        try:
            value, seconds = parse_token(answer.body)
        except TokenError as error:
            raise _NoTokenError(
                f"the token service {request.service} gave no token: {error}", Reason.REGISTRY_INVALID
            ) from None
        token = Token(value, time.monotonic() + seconds - MARGIN_SECONDS, frozenset(repositories))
        with self._lock:
            # The newest first: a repository's own is asked for only where the shared one did not open it.
            self._tokens.setdefault(credential, []).insert(0, token)
        return token

    def _kept(self, repository: str, credential: Credential | None) -> Token | None:
        with self._lock:
            kept = self._tokens.get(credential, [])
            return next((one for one in kept if one.fresh and repository in one.repositories), None)

    def _uncovered(self, credential: Credential | None) -> list[str]:
        wanted = (one for one in self._wanted(credential) if (one, credential) not in self._closed)
        return [one for one in wanted if self._kept(one, credential) is None]

    def _sent(self, sent: str | None, credential: Credential | None) -> Token | None:
        with self._lock:
            return next((one for one in self._tokens.get(credential, []) if one.header == sent), None)

    def _drop(self, token: Token, credential: Credential | None) -> None:
        with self._lock:
            self._tokens[credential] = [one for one in self._tokens.get(credential, []) if one is not token]

    def _lock_of(self, key: object) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _refusal(
        self, answer: Answer, request: TokenRequest, repositories: tuple[str, ...], credential: Credential | None
    ) -> RegistryError:
        said = f"the token service {request.service} answers {answer.status} for {repositories[0]}"
        if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
            return _NoTokenError(f"{said}; {hint(credential)}", Reason.AUTH_REQUIRED)
        if answer.status == _TOO_MANY:
            return RegistryError(said, Reason.RATE_LIMITED)
        broken = answer.status >= _SERVER_ERROR
        return _NoTokenError(said, Reason.REGISTRY_UNREACHABLE if broken else Reason.REGISTRY_INVALID)


class _NoTokenError(RegistryError):
    """The service answered, but gave no token for what it was asked."""


def hint(credential: Credential | None) -> str:
    """What an operator wants to know of a refusal."""
    return "the credentials are not accepted" if credential else "it was asked without credentials"


def _has_password(credential: Credential | None) -> t.TypeGuard[Credential]:
    """An identity token is for token services only."""
    return credential is not None and not credential.identity_token


def _is_expired(challenge: Challenge | None) -> bool:
    """Whether the registry says that the token itself is bad, not that it opens too little (RFC 6750, 3.1)."""
    return challenge is not None and challenge.parameters.get("error") == "invalid_token"


def _usable_challenge(answer: Answer) -> Challenge | None:
    """The challenge of the registry itself; whoever a redirect leads to could name a token service of his own."""
    if answer.elsewhere:
        return None
    challenges = parse_challenges(answer.headers.get("WWW-Authenticate", ""))
    return next((one for one in challenges if one.scheme in ("bearer", "basic")), None)
