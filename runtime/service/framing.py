"""Where one request ends and the next begins, and whose answer is whose: what uvicorn's protocol leaves open.

httptools takes a request that asks for an upgrade to have no body, so that uvicorn would answer it without, and take
the body for a request of its own: whoever can send a body could send requests past a proxy that looks at each. What is
no HTTP would be answered before the requests ahead of it, and one connection could have thousands waiting.
"""

import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["PIPELINED", "Framed"]

PIPELINED = 100
"""Requests of one connection that may wait for the answer to another; the connection ends with the answers to those."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class FramingError(Exception):
    """A request that is not to be taken from this connection."""


class Framed(HttpToolsProtocol):
    """uvicorn's protocol, with these faults mended."""

    _running: RequestResponseCycle | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came. An upgrade is ignored, as RFC 9110 (section 7.8) allows: Java's client asks for h2c with its
        first request to any server."""
        if b"pgrade" in data or b"PGRADE" in data:
            data = self._without_upgrade(data)
        super().data_received(data)

    def _without_upgrade(self, data: bytes) -> bytes:
        """The data of a request that begins with it, which asks for no upgrade any more; headers stay as long as they
        were."""
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end or not (self.cycle is None or not self.cycle.more_body):
            return data
        return _UPGRADE.sub(b"\r\nx-upgrd:", head) + end + rest

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= PIPELINED:
            raise FramingError
        super().on_message_begin()

    def check_upgrade(self) -> None:
        """Raise FramingError for a request that asks for an upgrade, has a body, and did not come in one piece."""
        if self.parser.should_upgrade() and any(
            name in (b"content-length", b"transfer-encoding") for name, _ in self.headers
        ):
            raise FramingError

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP, or not to be taken: say so, and end the connection; after the answers that are due."""
        cut = self.cycle is not None and self.cycle.more_body  # the last request has no end
        if cut and self.pipeline:
            self.pipeline.popleft()
        due = self.pipeline[0][0] if self.pipeline else self._running
        if due is None or due.response_complete:
            if cut and due is self.cycle:
                self.transport.close()  # it was answered before its body came
            else:
                super().send_400_response(msg)
        elif cut and due is self.cycle:
            super().send_400_response(msg)
        else:
            due.keep_alive = False
            self.flow.pause_reading()
