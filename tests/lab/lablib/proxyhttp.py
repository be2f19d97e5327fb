# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of the proxy that need to understand a little HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

_PAGE = b"<!doctype html><html><head><title>Welcome</title></head><body><h1>Please sign in to this network</h1></body></html>\n"
_UNAVAILABLE = b'{"errors":[{"code":"UNAVAILABLE","message":"service unavailable"}]}\n'
_TOO_MANY = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}\n'

# Name of the fault → (status line and headers of its own, body).
CANNED: Mapping[str, tuple[bytes, bytes]] = {
    "html": (b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n", _PAGE),
    "server-error": (b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n", _UNAVAILABLE),
    "rate-limited": (
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 1\r\n",
        _TOO_MANY,
    ),
}


def header_value(head: bytes, name: bytes) -> bytes:
    """The value of a header, or nothing."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


def body_length(head: bytes) -> int:
    value = header_value(head, b"content-length")
    return int(value) if value.isdigit() else 0


async def _read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(body_length(head))


async def answer_canned(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """The same answer to every request, until the client goes."""
    head, body = CANNED[name]
    while True:
        request, _ignored = await _read_request(reader)
        await asyncio.sleep(delay)
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + (b"" if request.startswith(b"HEAD ") else body))
        await writer.drain()


async def relay_truncated(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
    delay: float,
) -> None:
    """Relay request by request; the first answer that has a body loses half of it, and the connection ends."""
    while True:
        request, body = await _read_request(reader)
        far_writer.write(request + body)
        await far_writer.drain()
        head = await far_reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(delay)
        if request.startswith(b"HEAD ") or head.split(b" ", 2)[1] in (b"204", b"304"):
            writer.write(head)
        elif b"chunked" in header_value(head, b"transfer-encoding").lower():
            piece = await far_reader.read(4096)
            writer.write(head + piece[: max(1, len(piece) // 2)])
            await writer.drain()
            return
        else:
            length = body_length(head)
            writer.write(head + await far_reader.readexactly(length // 2))
            if length:
                await writer.drain()
                return
        await writer.drain()
