"""Limits of a connection: how long a request may take to arrive, how large its headers may be, and how many of both
there may be at once.

uvicorn has no deadline for receiving a request: a client that sends a byte now and then keeps its connection for ever.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from httptools import parse_url
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .direct import Direct
from .framing import PIPELINED, FramingError
from .head import Heads
from .logs import failure, log
from .problems import Refusal

__all__ = ["GONE", "Bounds", "protocol", "telling"]


GONE = "pipetwin.gone"
"""Among a scope's extensions: what tells whether the client has gone; may be called by any thread."""


class Bounds(NamedTuple):
    """header_seconds: from the connection, or from a request's first byte, to the end of its headers.
    body_seconds: from there to the end of its body. header_limit: bytes of its target and its fields. connections,
    requests: at once, of one process; a request counts as long as it has arrived and is not answered, and while others
    wait that arrived with it."""

    header_seconds: float
    body_seconds: float
    header_limit: int
    connections: int
    requests: int


Refuses = Callable[[Refusal], Any]
"""An ASGI application that answers with a refusal, in the shape that the path has."""


def protocol(bounds: Bounds, refuses: Refuses) -> type[HttpToolsProtocol]:
    """uvicorn's protocol with these bounds."""
    most, header_limit = bounds.requests, bounds.header_limit
    overloaded = refuses(
        Refusal(
            503,
            "overloaded",
            f"expected at most {most} requests at once, found more: try again later",
            headers=((b"retry-after", b"1"),),
        )
    )
    large = refuses(
        Refusal(431, "too_large", f"expected a target and headers of at most {header_limit} bytes, found larger ones")
    )
    begun = 0  # requests whose headers are here and which are not answered, of all connections
    refused: list[tuple[Any, Any, bool]] = []  # each with whether it is the connection's last
    turned = 0  # those that were answered in this turn of the event loop: others have waited for them
    arriving = 0  # those of them whose bodies are on their way: nothing can be done about them yet

    class Bounded(Direct):
        """One connection. A request that arrives in one piece, as nearly all do, sets no timer, and its headers are
        not measured where all of it is smaller than they may be."""

        heads = Heads()
        _large = False
        _held = 0
        _begun = 0
        _arriving = False
        _dropping = False
        _refusals = 0  # of this connection, that are still to go out
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

        def _again(self, data: bytes) -> bool:
            if begun - arriving + turned >= most or self._refusals or not super()._again(data):
                return False
            self._took_turn()
            return True

        def _parse(self, data: bytes) -> None:
            if len(data) > header_limit:
                self._large = True
            super()._parse(data)
            if self._part == "header":
                self._hold(len(data))
            part = (self._request, self._part) if self._part else None
            if part != self._timed:
                self._time()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._request += 1
            self._part = "header"

        def on_headers_complete(self) -> None:
            nonlocal begun
            self.check_upgrade()
            self._part = "body"
            if self._large or self._held:
                self._large, self._held = False, 0
                if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > header_limit:
                    self._refused(large)
                    return
            full = begun - arriving + turned >= most or self._refusals  # what goes out later keeps its place
            if full and self.parser.get_method() == b"POST":  # health goes on
                answering = self.cycle is not None and not self.cycle.response_complete
                if answering or self.flow.write_paused or self.expect_100_continue:
                    self._refused(overloaded)
                else:
                    self._refused_soon()
                return
            begun += 1
            self._begun += 1
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            nonlocal begun
            if self._begun:
                begun -= 1
                self._begun -= 1
                if self._arriving:
                    self._arrives(False)
            super().on_response_complete()

        def _refused(self, by: Any) -> None:
            front, self.app = self.app, by
            super().on_headers_complete()
            self.app = front

        def _refused_soon(self) -> None:
            """Refuse a request without a task of its own: in overload nothing is made as often as refusals. Soon, not
            now: libuv would read on from clients that ask again at once, before anybody is answered."""
            self._refusals += 1
            if self._refusals > PIPELINED:
                raise FramingError
            url = parse_url(self.url)
            path = url.path.decode("ascii")
            self.scope["method"] = "POST"
            self.scope["query_string"] = url.query or b""
            self.scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
            self._dropping = True
            leaves = self.parser.get_http_version() == "1.0" or not self.parser.should_keep_alive()
            if not refused:
                self.loop.call_soon(self._refuse)
            refused.append((self, self.scope, leaves))

        def _refuse(self) -> None:
            """Answer everybody who is refused."""
            waiting = refused.copy()
            refused.clear()
            for connection, scope, leaves in waiting:
                connection._refusals = 0
                if not connection.transport.is_closing():
                    connection._tell(scope, leaves)

        def _tell(self, scope: Any, leaves: bool) -> None:
            try:
                start, body = _told(overloaded, scope)
            except Exception as error:  # whatever it is, the others are to be told
                log.error("refusing a request failed: %s", failure(error))
                self.transport.close()
                return
            fields = [*self.server_state.default_headers, *start["headers"]]
            if leaves and _CLOSE not in fields:
                fields.append(_CLOSE)
            lines = [b"%s: %s\r\n" % field for field in fields]
            self.transport.write(b"".join((STATUS_LINE[start["status"]], *lines, b"\r\n", body["body"])))
            if _CLOSE in fields:
                self.transport.close()

        def send_400_response(self, msg: str) -> None:
            if self._refusals:  # which go out before that
                self.loop.call_soon(self.transport.close)
            else:
                super().send_400_response(msg)

        def on_body(self, body: bytes) -> None:
            if not self._dropping:
                super().on_body(body)

        def _hold(self, size: int) -> None:
            """Headers go on after these bytes, of which the first may be another request's."""
            self._held += size if self._held else 1
            if self._held > header_limit + 1 and not self.transport.is_closing():
                self.transport.write(_LARGE)
                self.transport.close()

        def on_message_complete(self) -> None:
            self._part = ""
            if self._dropping:
                self._dropping = False
                super().on_response_complete()
                return
            before = begun
            super().on_message_complete()
            if begun < before:  # answered at once
                self._took_turn()

        def _took_turn(self) -> None:
            nonlocal turned
            if not turned:
                self.loop.call_soon(self._turn_over)
            turned += 1

        def _turn_over(self) -> None:
            nonlocal turned
            turned = 0

        def connection_lost(self, exc: Exception | None) -> None:
            nonlocal begun
            begun -= self._begun
            self._begun = 0
            self._part = ""
            self._time()
            super().connection_lost(exc)

        def _time(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timed = None, None
            self._arrives(self._part == "body" and self._begun > 0)
            if self._part:
                self._timed = (self._request, self._part)
                seconds = bounds.header_seconds if self._part == "header" else bounds.body_seconds
                self._timer = self.loop.call_later(seconds, self._late)

        def _arrives(self, now: bool) -> None:
            nonlocal arriving
            arriving += now - self._arriving
            self._arriving = now

        def _late(self) -> None:
            if self.transport.is_closing():
                return
            cycle = self.cycle
            if self._part == "header":  # an answer now would be taken for that to the request before
                silent = cycle is not None and not cycle.response_complete
            else:
                silent = self._dropping or bool(self.pipeline) or cycle.response_started
            if not silent:
                self.transport.write(_LATE)
            self.transport.close()

    return Bounded


def telling(protocol: type[HttpToolsProtocol]) -> type[HttpToolsProtocol]:
    """The same protocol, whose requests say whether their client has gone."""

    class Telling(protocol):  # type: ignore[misc, valid-type]
        def on_headers_complete(self) -> None:
            self.scope["extensions"] = {GONE: self.transport.is_closing}
            super().on_headers_complete()

    return Telling


def _answer(status: str, *more: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", "content-length: 0", "connection: close", *more)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _told(app: Any, scope: Any) -> list[dict[str, Any]]:
    """What an application sends that waits for nothing."""
    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    answering = app(scope, None, send)
    try:
        answering.send(None)
    except StopIteration:
        return messages
    answering.close()
    raise RuntimeError("expected a refusal that waits for nothing, found one that waits")


_CLOSE = (b"connection", b"close")
_FULL = _answer("503 Service Unavailable", "retry-after: 1")
_LARGE = _answer("431 Request Header Fields Too Large")
_LATE = _answer("408 Request Timeout")
