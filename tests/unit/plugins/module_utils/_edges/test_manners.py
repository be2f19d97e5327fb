# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manners towards a real server: how often, how many at once, and when to give up."""

from __future__ import annotations

import concurrent.futures
import email.utils
import re
import threading
import time
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.registry import RegistryClient
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import manifests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    MANIFEST,
    Asked,
    Reply,
    Server,
    always,
    client,
    index_of,
    manifest,
    question,
)

_HUB = {"RateLimit-Limit": "100;w=21600", "Docker-RateLimit-Source": "192.0.2.7"}
_USED_UP = Reply(429, {**_HUB, "RateLimit-Remaining": "0;w=21600"})


def _first(*replies: Reply) -> t.Callable[[Asked], Reply]:
    """These answers one after another, and then manifests."""
    waiting = list(replies)
    return lambda _asked: waiting.pop(0) if waiting else manifest()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "0",
        "0.0004",
        "449.943µs".encode().decode("latin-1"),
        "1.2ms",
        "nonsense",
        email.utils.formatdate(1_600_000_000, usegmt=True),
    ],
)
def test_who_asks_too_fast_comes_back_when_it_is_welcome(header: str | None) -> None:
    reply = Reply(429, {"Retry-After": header} if header is not None else {})
    with Server(_first(reply)) as server:
        asking = client(server.address)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert (server.methods, asking.usage()[0].retries) == (["HEAD", "HEAD"], 1)
        assert asking.usage()[0].reason is None


@pytest.mark.parametrize(("status", "seconds"), [(429, "0.5"), (503, "1")])
def test_a_pause_that_is_asked_for_is_kept(status: int, seconds: str) -> None:
    with Server(_first(Reply(status, {"Retry-After": seconds}))) as server:
        started = time.monotonic()
        assert client(server.address).resolve(question(server.address, DIGEST)).digest == DIGEST
        assert float(seconds) <= time.monotonic() - started < 20


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_too_long_is_not_waited_for(status: int) -> None:
    header = email.utils.formatdate(time.time() + 7200, usegmt=True)
    with Server(always(Reply(status, {"Retry-After": header}))) as server:
        asking = client(server.address)
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            asking.resolve(question(server.address))
        assert time.monotonic() - started < 60
        assert server.methods == ["HEAD"]
    assert caught.value.reason is (Reason.RATE_LIMITED if status == 429 else Reason.REGISTRY_UNREACHABLE)
    if status == 429:
        assert re.search("asks for a pause of 7[12][0-9]{2} s", str(caught.value))


def test_who_is_always_too_fast_gives_up_for_all_questions() -> None:
    with Server(always(Reply(429))) as server:
        asking = client(server.address)
        for number in range(3):
            with pytest.raises(RegistryError, match="it is asked too often") as caught:
                asking.resolve(question(server.address, repository=f"team/app{number}"))
            assert caught.value.reason is Reason.RATE_LIMITED
        assert 2 <= len(server.asked) <= 5, "the second question is not sent any more"
        assert asking.usage()[0].reason == "rate_limited"


def test_a_quota_that_is_used_up_is_not_asked_again() -> None:
    with Server(always(_USED_UP)) as server:
        asking = client(server.address)
        for number in range(3):
            with pytest.raises(RegistryError, match="its quota of 100 requests in 21600 s is used up") as caught:
                asking.resolve(question(server.address, repository=f"team/app{number}"))
            assert caught.value.reason is Reason.RATE_LIMITED
        assert server.methods == ["HEAD"]
        usage = asking.usage()[0]
    assert (usage.retries, usage.reason) == (0, "rate_limited")
    assert usage.rate_limit == {"limit": 100, "remaining": 0, "window": 21600, "source": "192.0.2.7"}


def test_who_may_fetch_nothing_more_may_still_be_told_that_nothing_is_new() -> None:
    message = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}'
    with Server(lambda asked: manifest() if asked.method == "HEAD" else Reply(429, {}, message)) as server:
        asking = client(server.address)
        for _time in range(2):
            with pytest.raises(RegistryError, match="its quota is used up"):
                asking.resolve(question(server.address))
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert server.methods == ["HEAD", "GET", "HEAD", "HEAD"]


class Counter:
    """Answers slowly, and notes how many requests were under way at once."""

    def __init__(self, first: Reply | None = None) -> None:
        self.most = 0
        self._under_way = 0
        self._first = first
        self._lock = threading.Lock()

    def __call__(self, _asked: Asked) -> Reply:
        with self._lock:
            first, self._first = self._first, None
            if first is not None:
                return first
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        time.sleep(0.02)
        with self._lock:
            self._under_way -= 1
        return manifest()


def _ask_many(asking: RegistryClient, address: str, count: int, threads: int) -> None:
    questions = [question(address, DIGEST, repository=f"team/app{number}") for number in range(count)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        assert [one.digest for one in pool.map(asking.resolve, questions)] == [DIGEST] * count


def test_a_registry_gets_no_more_requests_at_once_than_the_width() -> None:
    counter = Counter()
    with Server(counter) as server:
        _ask_many(client(server.address, width=3), server.address, 12, threads=10)
    assert counter.most == 3


def test_after_a_429_a_registry_is_asked_one_thing_at_a_time() -> None:
    counter = Counter(Reply(429))
    with Server(counter) as server:
        _ask_many(client(server.address, width=8), server.address, 8, threads=8)
    assert counter.most == 1


# The budget.

_INDEX = index_of(("linux/amd64", DIGEST))


def _index_registry(headers: t.Mapping[str, str] | None = None) -> t.Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        body = MANIFEST if asked.path.endswith(DIGEST) else _INDEX
        kind = manifests.IMAGE_TYPES[0] if body is MANIFEST else manifests.INDEX_TYPES[0]
        told = {"Content-Type": kind, "Docker-Content-Digest": manifests.digest_of(body), **(headers or {})}
        return Reply(200, told, body)

    return answer


def test_a_budget_pays_for_whole_images_only() -> None:
    with Server(_index_registry()) as server:
        asking = client(server.address, budget=3)
        assert asking.resolve(question(server.address)).platform_digest == DIGEST
        with pytest.raises(
            RegistryError, match="the request budget leaves 1 manifest requests, and 2 are needed"
        ) as caught:
            asking.resolve(question(server.address, repository="team/other"))
        assert caught.value.reason is Reason.REQUEST_BUDGET
        assert asking.usage()[0].manifest_gets == 2, "what came to nothing before TLS was given up does not count"
        # What is known costs nothing.
        known = manifests.digest_of(_INDEX)
        assert asking.resolve(question(server.address, known, repository="team/other")).digest == known


def test_a_single_image_needs_one_request_only() -> None:
    with Server(always(manifest())) as server:
        assert client(server.address, budget=1).resolve(question(server.address)).id is not None


def test_without_a_budget_nothing_is_opened_and_everything_known_is_told() -> None:
    with Server(always(manifest())) as server:
        asking = client(server.address, budget=0)
        with pytest.raises(RegistryError, match="leaves 0"):
            asking.resolve(question(server.address))
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert server.methods == ["HEAD", "HEAD"]


def test_what_is_left_of_the_registrys_own_quota_counts() -> None:
    with Server(_index_registry({**_HUB, "RateLimit-Remaining": "1;w=21600"})) as server:
        asking = client(server.address)
        with pytest.raises(RegistryError, match="leaves 1 manifest requests, and 2 are needed") as caught:
            asking.resolve(question(server.address))
        assert caught.value.reason is Reason.REQUEST_BUDGET
        assert server.methods == ["HEAD"]
