"""A TCP proxy in front of the broker that can be told to misbehave. It knows bytes, not Kafka.

```text
client ──► proxy (the port that the broker advertises) ──► the broker's second listener
```
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class Proxy:
    """Runs on a thread of its own. What it is told holds for connections that are open, too."""

    def __init__(self, port: int, target_port: int) -> None:
        self.port, self.target_port = port, target_port
        self.delay_s = 0.0
        self.bytes_a_second: int | None = None
        self.is_silent = False
        self.refuses = False
        self.connections = 0
        self.bytes_passed = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def cut(self) -> None:
        """Ends all connections at once, without a word."""

        def abort() -> None:
            for writer in list(self._writers):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(abort)

    def heal(self) -> None:
        self.delay_s, self.bytes_a_second, self.is_silent, self.refuses = 0.0, None, False, False

    def stop(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuses:
            writer.transport.abort()
            return
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_writer}
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(self._pass(reader, to_writer), self._pass(to_reader, writer))
        finally:
            for one in (writer, to_writer):
                self._writers.discard(one)
                one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction. Bytes that are delayed do not hold up those behind them."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sending = asyncio.ensure_future(self._send(queue, writer))
        with contextlib.suppress(OSError):
            while chunk := await reader.read(64 << 10):
                queue.put_nowait((self._loop.time() + self.delay_s, chunk))
        queue.put_nowait((0.0, b""))
        await sending
        writer.transport.abort()

    async def _send(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, chunk = await queue.get()
                if not chunk:
                    return
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                for piece in self._pieces(chunk):
                    if self.bytes_a_second:
                        await asyncio.sleep(len(piece) / self.bytes_a_second)
                    if self.is_silent:
                        # Half open: the other side believes in the connection and hears nothing more.
                        continue
                    self.bytes_passed += len(piece)
                    writer.write(piece)
                    await writer.drain()

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        size = len(chunk) if self.bytes_a_second is None else max(1, self.bytes_a_second // 10)
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]
