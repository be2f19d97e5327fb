# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a registry sends, the answer is a finding or the documented error, and comes in time."""

from __future__ import annotations

import contextlib
import time
import typing as t

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import Connection, TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    SECRET,
    USER,
    Reply,
    Server,
    always,
    raw_server,
    resolve,
)

_HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Location",
            "WWW-Authenticate",
            "Docker-Content-Digest",
            "Content-Encoding",
            "RateLimit-Limit",
            "Set-Cookie",
            "Transfer-Encoding",
            "Retry-After",
            "Connection",
        ]
    ),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
    | st.sampled_from(
        ["chunked", "gzip", 'Bearer realm="http://["', 'Bearer realm="http://127.0.0.1:1/"', "http://[", "//", "close"]
    ),
    max_size=4,
)


@settings(max_examples=12)
@given(st.sampled_from([200, 204, 206, 301, 307, 401, 403, 404, 418, 429, 500, 599]), _HEADERS, st.binary(max_size=60))
@example(401, {"WWW-Authenticate": 'Bearer realm="https://[::1"'}, b"")
@example(302, {"Location": "http://[::1"}, b"")
@example(302, {"Location": "http://\u00e4"}, b"")
@example(401, {"WWW-Authenticate": 'Bearer realm="http://\u00a0/"'}, b"")
def test_any_answer_gives_only_the_documented_error(status: int, headers: dict[str, str], body: bytes) -> None:
    with Server(always(Reply(status, headers, body))) as server:
        said = ""
        try:
            resolve(server.address, timeout=0.5, credentials={server.address: USER})
        except RegistryError as error:
            said = str(error)
        assert SECRET not in said
        assert len(said) < 1000


@settings(max_examples=6)
@given(st.binary(max_size=120) | st.binary(max_size=80).map(lambda raw: b"HTTP/1.1 200 OK\r\n" + raw))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
@example(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n")
@example(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n")
@example(b"HTTP/1.1 99999999 OK\r\n\r\n")
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 200)
def test_any_bytes_give_only_the_documented_error(answer: bytes) -> None:
    def script(connection: t.Any) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with raw_server(script) as (address, _seen):
        connection = Connection(address, insecure=True, tls=TlsOptions(), timeout=1, width=1)
        started = time.monotonic()
        with contextlib.suppress(RegistryError):
            connection.fetch("GET", f"http://{address}/v2/", {})
        assert time.monotonic() - started < 5
