"""One HTTP client with one connection kept alive, thin enough not to be what is measured."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit


class Refused(Exception):
    """The server answered with another status than 200."""


class Client:
    """Sends prepared bytes and reads the answer to its last byte; nothing is parsed while the clock runs."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.socket: socket.socket | None = None

    def close(self) -> None:
        if self.socket:
            self.socket.close()
            self.socket = None

    def prepare(self, method: str, path: str, body: Any = None) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content

    def exchange(self, request: bytes) -> tuple[int, bytes, bool]:
        """Status, body as it came, and whether that is in chunks."""
        if self.socket is None:
            self.socket = socket.create_connection((self.host, self.port), timeout=600)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(request)
            return self._read(self.socket)
        except OSError:
            self.close()
            raise

    @staticmethod
    def _read(connection: socket.socket) -> tuple[int, bytes, bool]:
        received = bytearray()
        end = -1
        while end < 0:
            piece = connection.recv(1 << 18)
            if not piece:
                raise ConnectionResetError("closed by the server")
            received += piece
            end = received.find(b"\r\n\r\n")
        head = bytes(received[:end]).lower()
        body = received[end + 4 :]
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head:
            while not is_complete(body):
                body += Client._more(connection)
            return status, bytes(body), True
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(body) < length:
            body += Client._more(connection)
        return status, bytes(body), False

    @staticmethod
    def _more(connection: socket.socket) -> bytes:
        piece = connection.recv(1 << 18)
        if not piece:
            raise ConnectionResetError("closed by the server in the middle of an answer")
        return piece

    def prepared(self, request: bytes) -> Callable[[], object]:
        def ask() -> None:
            status, _, _ = self.exchange(request)
            if status != 200:
                raise Refused(f"status {status}")

        return ask

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One exchange, parsed."""
        status, content, is_chunked = self.exchange(self.prepare(method, path, body))
        content = unchunk(content) if is_chunked else content
        if status != 200:
            raise Refused(f"{method} {path}: {status} {content[:400].decode(errors='replace')}")
        return json.loads(content) if content else None

    def sql(self, query: str) -> list[dict[str, Any]]:
        return list(self.call("POST", "/druid/v2/sql", {"query": query}))

    def count(self, table: str) -> int:
        """Rows that can be seen; a table that does not exist yet has none."""
        try:
            return int(self.sql(f'SELECT COUNT(*) AS n FROM "{table}"')[0]["n"])
        except Refused:
            return 0


END = re.compile(rb"(?:\A|\r\n)0+\r\n(?:[^\r\n]+\r\n)*\r\n\Z")


def is_complete(body: bytearray) -> bool:
    """The last chunk and its trailers have come. JSON holds no carriage return, so they cannot be mistaken."""
    return body.endswith(b"\r\n\r\n") and END.search(body[-1024:]) is not None


def unchunk(body: bytes) -> bytes:
    parts, at = [], 0
    while True:
        line = body.index(b"\r\n", at)
        size = int(body[at:line].split(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[line + 2 : line + 2 + size])
        at = line + 2 + size + 2


def until(what: str, check: Any, timeout_s: float, pause_s: float = 0.05) -> Any:
    """Calls `check` until it gives something true."""
    deadline = time.monotonic() + timeout_s
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (OSError, Refused) as error:
            last = error
        time.sleep(pause_s)
    raise TimeoutError(f"waited {timeout_s} s for {what}; last: {last!r}")
