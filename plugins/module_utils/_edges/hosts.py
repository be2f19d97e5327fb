# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""One registry host in one run: asked politely, opened once, and given up for all questions when it is not there."""

from __future__ import annotations

import random
import threading
import time
import typing as t

from .._pure import quotas, retries
from .._pure.credentials import Credential
from .._pure.errors import RegistryError
from .._pure.questions import RegistryUsage
from .._pure.reasons import Reason
from .._pure.tokens import TokenRequest
from .pacing import Pace, Quota
from .tokens import Authorizer, Wanted
from .transport import Answer, Connection, ConnectionLostError

_TOO_MANY = 429
#: What a first failure says of all other questions; that one repository is private says nothing of the next.
_ABOUT_THE_HOST = (Reason.REGISTRY_UNREACHABLE, Reason.TLS)
#: So many such failures one after another, later in the run, say the same.
_MOST_FAILURES = 3
#: A challenge, an expired token, a token that opens too little: nothing needs more answers than that.
_MOST_SENDS = 4

_Send = t.Callable[[float], Answer]


class RegistryHost:
    """Its connections, its manners, and what opens it.

    The first request goes alone: it finds scheme and challenge for all others, and spares them a host that is down.
    C(patience) bounds in seconds what the host may ask to be waited for in the whole run.
    """

    def __init__(
        self, connection: Connection, wanted: Wanted, *, width: int, patience: float, budget: int | None
    ) -> None:
        self.name = connection.host
        self.quota = Quota(self.name, budget)
        self._connection = connection
        self._pace = Pace(self.name, width, patience)
        self._authorizer = Authorizer(self.name, self._ask_for_token, wanted)
        self._first = threading.Lock()
        self._open = threading.Event()
        self._down: RegistryError | None = None
        self._failures = 0
        self._refused: dict[str, RegistryError] = {}
        self._retries = 0
        self._counting = threading.Lock()

    def ask(
        self,
        method: str,
        path: str,
        headers: t.Mapping[str, str],
        *,
        repository: str,
        credential: Credential | None,
        until: float,
    ) -> Answer:
        """Send one request to a repository, with what opens it; C(until) bounds everything (monotonic seconds).

        Raises:
            RegistryError: There is no answer, or none is to be expected.
        """

        def send(authorization: str | None) -> Answer:
            extra = {"Authorization": authorization} if authorization else {}
            return self._patiently(
                method,
                lambda seconds: self._connection.request(method, path, {**headers, **extra}, seconds=seconds),
                until,
            )

        answer, sent = self._knock(send), None
        if answer is None:
            sent = self._authorizer.header(repository, credential, until)
            answer = self._watched(send, sent)
        for _time in range(_MOST_SENDS - 1):
            other = self._authorizer.again(answer, repository, credential, sent, until)
            if other is None:
                break
            sent = other
            answer = self._watched(send, sent)
        return answer

    def knock(self) -> None:
        """Begin to connect; see C(Connection.knock)."""
        self._connection.knock()

    def usage(self) -> RegistryUsage:
        """What this host was asked for."""
        counters = self._connection.counters
        reason = self._down or next(iter(self._refused.values()), None)
        return RegistryUsage(
            registry=self.name,
            requests=counters.requests,
            manifest_gets=counters.manifest_gets,
            bytes=counters.bytes,
            retries=self._retries,
            rate_limit=self.quota.told.to_result() if self.quota.told else None,
            reason=reason.reason.value if reason else None,
        )

    # Whether it is there.

    def _knock(self, send: t.Callable[[None], Answer]) -> Answer | None:
        """The answer to the host's very first request; None where that was another one, which was waited for."""
        if not self._open.is_set():
            with self._first:
                if not self._open.is_set():
                    if self._down is not None:
                        raise self._down
                    answer = self._watched(send, None, patient=False)
                    # Who waits here must not meet the challenge again.
                    self._authorizer.meet(answer)
                    self._open.set()
                    return answer
        return None

    def _watched(self, send: t.Callable[[t.Any], Answer], sent: str | None, *, patient: bool = True) -> Answer:
        """Send, and note a host that has gone away, or never was there."""
        if self._down is not None:
            raise self._down
        try:
            answer = send(sent)
        except RegistryError as error:
            if error.reason in _ABOUT_THE_HOST:
                self._failures += 1
                if not patient or self._failures >= _MOST_FAILURES:
                    self._down = error
            raise
        self._failures = 0
        return answer

    # Manners.

    def _patiently(self, method: str, send: _Send, until: float) -> Answer:
        """Send in turn, and again where that may help."""
        failures = delays = 0
        while True:
            self._must_not_be_refused(method)
            answer, lost = self._in_turn(send, until)
            if answer is not None and answer.status == _TOO_MANY:
                delays += 1
                self._wait_politely(method, answer, delays)
            elif answer is not None and answer.status not in retries.WORTH_RETRYING:
                return answer
            else:
                failures += 1
                if failures >= retries.ATTEMPTS or not self._wait_after(answer, failures - 1, until):
                    if answer is None:
                        raise t.cast("ConnectionLostError", lost)
                    return answer
            with self._counting:
                self._retries += 1

    def _in_turn(self, send: _Send, until: float) -> tuple[Answer | None, ConnectionLostError | None]:
        with self._pace.turn(until):
            seconds = until - time.monotonic()
            if seconds <= 0:
                raise RegistryError(f"{self.name} takes too long in all", Reason.REGISTRY_UNREACHABLE)
            try:
                answer = send(seconds)
            except ConnectionLostError as error:
                return None, error
        limit = quotas.rate_limit(answer.headers, time.time())
        if limit is not None:
            self.quota.note(limit)
        return answer, None

    def _wait_politely(self, method: str, answer: Answer, delays: int) -> None:
        """After a 429: one at a time from now on, and not before it is welcome.

        Raises:
            RegistryError: Waiting helps nothing, or takes too long; the other questions are told the same.
        """
        asked = retries.retry_after(answer.headers.get("Retry-After"), time.time())
        limit = quotas.rate_limit(answer.headers, time.time())
        if quotas.is_used_up(limit, answer.body, asked, self._pace.patience):
            of = f" of {limit.limit} requests in {limit.window} s" if limit and limit.limit and limit.window else ""
            error = RegistryError(f"{self.name} answers 429: its quota{of} is used up", Reason.RATE_LIMITED)
            # Who may fetch no manifest may still be told a digest; who is not even told that may nothing.
            self._refused.update(dict.fromkeys({"GET", method}, error))
            raise error
        seconds = (asked or 0.0) + retries.pause(delays - 1, random.random())  # noqa: S311 (no secret)
        if delays >= retries.POLITE_ATTEMPTS or not self._pace.pause(seconds, slower=True):
            wish = f", and asks for a pause of {asked:.0f} s" if asked and asked >= 1 else ""
            error = RegistryError(f"{self.name} answers 429: it is asked too often{wish}", Reason.RATE_LIMITED)
            self._refused.update({"GET": error, "HEAD": error})
            raise error

    def _must_not_be_refused(self, method: str) -> None:
        if method in self._refused:
            raise self._refused[method]

    def _wait_after(self, answer: Answer | None, failed: int, until: float) -> bool:
        """Pause before another attempt; False where there is no time for one."""
        seconds = retries.pause(failed, random.random())  # noqa: S311 (no secret)
        asked = retries.retry_after(answer.headers.get("Retry-After"), time.time()) if answer else None
        if asked is not None and asked >= 1:
            return self._pace.pause(asked + seconds, slower=False)
        if time.monotonic() + seconds >= until:
            return False
        time.sleep(seconds)
        return True

    def _ask_for_token(self, request: TokenRequest, until: float) -> Answer:
        if request.carries_secrets and not request.url.startswith("https:") and not self._connection.insecure:
            raise RegistryError(f"the token service {request.service} would see the password in clear text", Reason.TLS)
        method = "GET" if request.body is None else "POST"
        return self._patiently(
            "token",
            lambda seconds: self._connection.fetch(
                method, request.url, request.headers, body=request.body, seconds=seconds
            ),
            until,
        )
