# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy that is slow or broken on purpose: latency for benchmarks, faults for tests.

Many kernels have no netem, so the delay is made here. One thread runs an event loop for all connections.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
import threading
from collections.abc import Awaitable, Coroutine
from types import TracebackType
from typing import Any

from .errors import LabError
from .proxyhttp import CANNED, answer_canned, relay_truncated

Address = tuple[str, int]
_CHUNK = 65536
_GARBAGE = b"\x00\xff\x15\x03 this is no HTTP \x00\r\n" * 4


class Fault(enum.Enum):
    """What a connection through the proxy meets."""

    NONE = "none"
    REFUSE = "refuse"
    """Nobody listens."""
    RESET = "reset"
    """A TCP reset as soon as the client has said something."""
    HANG = "hang"
    """The connection is accepted, and never answered."""
    DRIP = "drip"
    """The answer comes, a byte a second."""
    GARBAGE = "garbage"
    """The answer is not HTTP."""
    HTML = "html"
    """Every request is answered 200 with an HTML page, as captive portals do."""
    SERVER_ERROR = "server-error"
    """Every request is answered 503."""
    RATE_LIMITED = "rate-limited"
    """Every request is answered 429 with Retry-After: 1."""
    TRUNCATE = "truncate"
    """Every body is cut in its middle."""


class FaultProxy:
    """Listens while the ``with`` block runs. Set ``fault`` at any time: open connections are then reset, new ones meet the new fault.

    ``delay_ms`` is the whole round-trip time added, half of it each way; a new connection pays one more for its handshake.
    The canned answers speak plain HTTP: for TLS use the faults that know no HTTP.
    """

    def __init__(self, upstream: Address, listen: Address, *, delay_ms: float = 0, fault: Fault = Fault.NONE) -> None:
        self.upstream = upstream
        self.listen = listen
        self.delay_ms = delay_ms
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._fault = fault
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"proxy {listen[0]}:{listen[1]}", daemon=True
        )
        self._server: asyncio.AbstractServer | None = None
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def address(self) -> str:
        return f"{self.listen[0]}:{self.listen[1]}"

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        """In force when this returns."""
        self._fault = fault
        if self._thread.is_alive():
            self._call(self._apply())

    def reset_counters(self) -> None:
        self.connections = self.bytes_up = self.bytes_down = 0

    def start(self) -> None:
        self._thread.start()
        try:
            self._call(self._apply())
        except OSError as refused:
            self.stop()
            raise LabError(
                f"the proxy cannot listen at {self.address}: {refused}; is the lab up, and the port free?"
            ) from refused

    def stop(self) -> None:
        if self._thread.is_alive():
            self._call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        if not self._loop.is_closed() and not self._loop.is_running():
            self._loop.close()

    def __enter__(self) -> FaultProxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _apply(self) -> None:
        await self._drop_connections()
        if self._fault is Fault.REFUSE:
            await self._close_listener()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, *self.listen, reuse_address=True)

    async def _close(self) -> None:
        await self._close_listener()
        await self._drop_connections()

    async def _close_listener(self) -> None:
        # Not wait_closed(): since Python 3.12 it waits for the connections too.
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _drop_connections(self) -> None:
        tasks = dict(self._tasks)
        for task, writer in tasks.items():
            _reset_on_close(writer)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        self.connections += 1
        try:
            await self._meet(self._fault, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            # Either end went away, or the fault changed: nothing to tell anybody.
            pass
        finally:
            self._tasks.pop(task, None)
            writer.close()

    async def _meet(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = self._loop.time()
        if fault in (Fault.NONE, Fault.DRIP, Fault.TRUNCATE):
            await self._relay(fault, reader, writer, opened)
        elif fault is Fault.HANG:
            while await reader.read(_CHUNK):
                pass
        elif fault.value in CANNED:
            await asyncio.sleep(self.delay_ms / 1000)
            await answer_canned(fault.value, reader, writer, self.delay_ms / 1000)
        else:
            await reader.read(_CHUNK)
            await asyncio.sleep(self.delay_ms / 500)
            if fault is Fault.GARBAGE:
                writer.write(_GARBAGE)
                await writer.drain()
            else:
                _reset_on_close(writer)

    async def _relay(
        self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: float
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self.upstream)
        try:
            if fault is Fault.TRUNCATE:
                await asyncio.sleep(self.delay_ms / 1000)
                await relay_truncated(reader, writer, far_reader, far_writer, self.delay_ms / 1000)
                return
            # A connection can carry nothing before its handshake has gone there and back.
            ready = opened + self.delay_ms / 1000
            up = self._loop.create_task(self._pump(reader, far_writer, ready, "bytes_up", False))
            down = self._loop.create_task(self._pump(far_reader, writer, ready, "bytes_down", fault is Fault.DRIP))
            try:
                await asyncio.gather(up, down)
            finally:
                for task in (up, down):
                    task.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        finally:
            far_writer.close()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, ready: float, counter: str, drip: bool
    ) -> None:
        """Read at once and write half a round trip later, so that a long answer is delayed as a whole, not by every piece."""
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1024)

        async def read() -> None:
            while True:
                data = await source.read(_CHUNK)
                await line.put((max(self._loop.time(), ready) + self.delay_ms / 2000, data))
                if not data:
                    return

        async def write() -> None:
            while True:
                due, data = await line.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                if not data:
                    if target.can_write_eof():
                        target.write_eof()
                    return
                for piece in (bytes([byte]) for byte in data) if drip else (data,):
                    # Before it is sent: whoever has the answer finds it counted.
                    setattr(self, counter, getattr(self, counter) + len(piece))
                    target.write(piece)
                    await target.drain()
                    if drip:
                        await asyncio.sleep(1)

        await _both(read(), write())


async def _both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    """Both until the end; when one fails, neither goes on."""
    tasks: list[asyncio.Task[None] | Awaitable[None]] = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            if isinstance(task, asyncio.Task):
                task.cancel()


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Closing then sends a reset in place of an orderly end."""
    plain = writer.get_extra_info("socket")
    if plain is not None and plain.fileno() >= 0:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
