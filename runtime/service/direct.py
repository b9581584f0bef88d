"""A request that is here whole is answered where it is parsed: without a task, an ASGI scope's messages, and a second
write.

uvicorn makes a task for each request, which begins when the event loop comes round to it and is told of the body by an
event. For a prediction that takes microseconds that is half of its cost. So a POST that has come in one piece, as
nearly all do, is answered at its last byte. Every other request (a body in parts, one that waits for a thread,
HTTP/1.0, a connection that is to close) goes uvicorn's way, and is answered the same, for both ask the same endpoint.

And a head that is known (``head``) is not parsed: its request is answered from its bytes to its answer's in ``_again``.

Measured for a row of 30 numbers and a logistic regression, wrk at 16 connections, two shared cores, processor time of
the server a request, the least of 12 interleaved blocks: bare ASGI echo 28 µs; echo and a bare run of the session 51;
this service before it knew any head 81, with known heads 46. With sockets left out: 38 before, 20 with known ones, of
which the run is 8 and the rest of ``Model.answer`` 5. What a head that is not known costs now was not measured apart.
"""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from .endpoint import Whole
from .framing import Framed
from .head import Head, Heads

__all__ = ["Direct"]

OK = 200


class Direct(Framed):
    """One connection of a server whose application is a ``Front``.

    A second request in the same piece goes uvicorn's way, so that a client that sends a thousand at once has its turn
    like everybody else, and so does one whose client does not read its answers, whose writing is paused.
    """

    heads: Heads
    """Those that this connection's server knows."""
    _kept: bytes | None = None
    """The body so far of a request whose headers uvicorn has not been told of yet."""
    _turn = False
    """Whether no request has ended yet in this piece."""
    _head: Head | None = None
    """Of the request that was answered here last, with 200, if it began with this piece and none has begun since."""
    _starts = False
    """Whether the request that is parsed began with this piece."""
    _rests = False
    """Whether the last piece that the parser has seen was one whole request, answered here and with 200."""
    _answered = 0.0
    """When a request with a known head was answered last, by the event loop's clock."""
    _defaults: object = None
    _closes = False
    _lines = b""

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if not (self._rests and self._again(data)):
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        self._turn, self._starts = True, False
        super().data_received(data)
        if self._kept is not None:
            self._leave()
        head, self._head = self._head, None
        self._rests = head is not None and self.heads.learn(data, head)

    def _again(self, data: bytes) -> bool:
        """Answer a request with a known head; whether that could be."""
        head = self.heads.find(data)
        if head is None or self._stopped():
            return False
        whole = self.config.loaded_app.at_once(head, data[len(data) - head.length :])
        if whole is None:
            return False
        self._write(whole)
        self.server_state.total_requests += 1
        self._answered = self.loop.time()  # the timer of uvicorn's last answer goes on
        return True

    def timeout_keep_alive_handler(self) -> None:
        """The connection has not been used for some time, as far as uvicorn knows."""
        left = self._answered + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._starts, self._head = self._turn, None
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The headers of a request are here."""
        if self._turn and self._plain():
            self._kept = b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body is here; a second one (chunks, of which there may be many) is uvicorn's to put together."""
        if self._kept:
            self._leave()
        if self._kept is None:
            super().on_body(body)
        else:
            self._kept = body

    def on_message_complete(self) -> None:
        """A request is here whole."""
        self._turn = False
        if self._kept is not None:
            head = Head(self.url, self.headers, len(self._kept))
            whole = self.config.loaded_app.at_once(head, self._kept)
            if whole is None:
                self._leave()
            else:
                self._kept = None
                self._write(whole)
                self.on_response_complete()
                if self._starts and whole.status == OK:  # so that whoever is refused fills nothing
                    self._head = head
                return
        super().on_message_complete()

    def _plain(self) -> bool:
        """Whether nothing of a request asks for more than its answer."""
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self._stopped()
            and not self.expect_100_continue
            and self.app is self.config.loaded_app
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and parser.get_http_version() == "1.1"
        )

    def _stopped(self) -> bool:
        """Whether answers are not to be written now, or are to be the last."""
        defaults = self.server_state.default_headers
        if defaults is not self._defaults:  # uvicorn makes them anew every second, for the date
            self._defaults = defaults
            self._closes = (b"connection", b"close") in defaults
            self._lines = b"".join(b"%s: %s\r\n" % pair for pair in defaults)
        return self._closes or self.flow.write_paused or self.transport.is_closing()

    def _leave(self) -> None:
        """Let uvicorn have a request after all."""
        body, self._kept = self._kept, None
        if self.transport.is_closing():  # what came was no request in the end
            return
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _write(self, whole: Whole) -> None:
        self.transport.write(b"".join((STATUS_LINE[whole.status], self._lines, whole.lines, whole.body)))
