"""Limits of a connection: how long a request may take to arrive, and how many connections there may be.

uvicorn has no deadline for receiving a request: a client that sends a byte now and then keeps its connection for ever.
"""

import asyncio
from typing import NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Bounds", "protocol"]


class Bounds(NamedTuple):
    """header_seconds: from the connection, or from a request's first byte, to the end of its headers.
    body_seconds: from there to the end of its body. connections: at once, of one process."""

    header_seconds: float
    body_seconds: float
    connections: int


def protocol(bounds: Bounds) -> type[HttpToolsProtocol]:
    """uvicorn's protocol with these bounds."""

    class Bounded(HttpToolsProtocol):
        """One connection. A request that arrives in one piece, as nearly all do, sets no timer."""

        _part = "header"
        _request = 0
        _timed: tuple[int, str] | None = None
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > bounds.connections:
                transport.write(_FULL)
                transport.close()
                return
            self._time()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            part = (self._request, self._part) if self._part else None
            if part != self._timed:
                self._time()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._request += 1
            self._part = "header"

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            self._part = "body"

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._part = ""

        def connection_lost(self, exc: Exception | None) -> None:
            self._part = ""
            self._time()
            super().connection_lost(exc)

        def _time(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timed = None, None
            if self._part:
                self._timed = (self._request, self._part)
                seconds = bounds.header_seconds if self._part == "header" else bounds.body_seconds
                self._timer = self.loop.call_later(seconds, self._late)

        def _late(self) -> None:
            if self.transport.is_closing():
                return
            if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                self.transport.write(_LATE)
            self.transport.close()

    return Bounded


def _answer(status: str, *more: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", "content-length: 0", "connection: close", *more)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


_FULL = _answer("503 Service Unavailable", "retry-after: 1")
_LATE = _answer("408 Request Timeout")
