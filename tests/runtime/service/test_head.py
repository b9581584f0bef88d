"""Heads that are known are not parsed again, and nobody could tell: every byte is answered as if none were known."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import Model
from runtime.keys import key_line, new_key, read_keys
from runtime.service.access import Gate
from runtime.service.front import Front, app
from runtime.service.head import Head, Heads
from runtime.service.logs import Line

from .test_direct import BODY, BOUNDS, SAME, Connection, plain, request, waits_for_its_reader

CHUNKED = (
    b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    b'8\r\n{"x": 1,\r\n8\r\n "y": 2}\r\n0\r\n\r\n'
)


class Parsed(Heads):
    """Knows no head, whatever it is taught."""

    LONGEST = 0


class Counting(Heads):
    """Counts what is not parsed."""

    found = 0

    def find(self, piece: bytes) -> Head | None:
        head = super().find(piece)
        self.found += head is not None
        return head


@pytest.fixture(scope="module")
def front(every: dict[str, Model]) -> Front:
    return app({**every, "default": every["twice"]}, access=None)


def answered(front: Front, heads: Heads, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """(what was written after each piece and the turns that followed it, whether the connection was closed)."""

    async def ask() -> tuple[list[bytes], bool]:
        connection = Connection(front)
        connection.protocol.heads = heads
        found = []
        for piece in pieces:
            if connection.transport.closing:
                break
            connection.protocol.data_received(piece)
            found.append(plain(connection.take()))
            while connection.protocol.tasks and not connection.protocol._part:
                await asyncio.wait(connection.protocol.tasks)
            await asyncio.sleep(0)
            found.append(plain(connection.take()))
        closed = connection.transport.closing
        connection.protocol.connection_lost(None)
        while connection.protocol.tasks:
            await asyncio.wait(connection.protocol.tasks)
        return found, closed

    return asyncio.run(ask())


def test_a_head_is_parsed_once(front: Front) -> None:
    heads = Counting()
    found, closed = answered(front, heads, [request()] * 5)
    assert heads.found == 4
    assert not closed
    assert len(set(found[::2])) == 1
    assert found[0].startswith(b"HTTP/1.1 200 ")
    other = request("/models/twice/predict")
    answered(front, heads, [other, request(), other])  # another connection, whose first is parsed
    assert heads.found == 6


NEVER = {
    "chunks": CHUNKED,
    "a body that stops": request()[:-1],
    "two at once": request() * 2,
    "one that begins in the piece before": request()[3:],
    "bytes after it": request() + b"\r\n",
    "the last of its connection": request("/predict", BODY, "connection: close"),
    "one that asks whether to go on": request("/predict", BODY, "expect: 100-continue"),
    "another method": request(method="GET"),
    "HTTP/1.0": request(version="1.0"),
    "a long head": request("/predict", BODY, "x: " + "a" * Heads.LONGEST),
    "many headers": request("/predict", BODY, *["x: a"] * Heads.FIELDS),
    "one that is refused": request("/predict", b'{"z": 1}'),
    "no path of predictions": request("/nowhere"),
    "line ends of one byte": request().replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("what", NEVER)
def test_what_no_head_is_learnt_of(front: Front, what: str) -> None:
    heads = Counting()
    start = [request()[:3]] if what == "one that begins in the piece before" else []
    answered(front, heads, [*start, NEVER[what]])
    assert not heads._known


SEEDS = (*SAME.values(), CHUNKED, request("/predict", BODY, "x-request-id: 1"), request("/predict", b'{"x":1,"y":2}'))

SMUGGLING = (
    (b"content-length: 16", b"content-length: 16\r\ntransfer-encoding: chunked"),
    (b"content-length: 16", b"content-length: 16\r\ncontent-length: 15"),
    (b"content-length: 16", b"content-length: 16\r\ncontent-length: 16"),
    (b"content-length: 16", b"content-length: 016"),
    (b"content-length: 16", b"content-length: +16"),
    (b"content-length: 16", b"content-length : 16"),
    (b"content-length: 16", b"content-length: 15"),
    (b"content-length: 16", b"content-length: 17"),
    (b"content-length: 16", b"content-length: 0"),
    (b"content-length: 16", b"transfer-encoding: chunked"),
    (b"content-length: 16", b"content-length:\t16"),
    (b"content-length: 16", b"content-length: 16\r\n connection: close"),
    (b"content-length: 16", b"Content-Length: 16"),
    (b"content-length: 16", b"x: \r\n\r\nPOST /predict HTTP/1.1\r\ncontent-length: 16"),
    (b"host: x", b"host: x\r\nconnection: upgrade\r\nupgrade: h2c"),
    (b"host: x", b"host: x\r\nconnection: close"),
    (b"\r\n", b"\n"),
    (b"\r\n\r\n", b"\r\n\r\n\r\n\r\n"),
    (b"\r\n\r\n", b"\n\n"),
    (b"POST", b"\r\nPOST"),
    (b"POST", b"GET"),
    (b"1.1", b"1.0"),
    (b"{", b"GET /health HTTP/1.1\r\n\r\n{"),
)


@st.composite
def _pieces(draw: st.DrawFn) -> list[bytes]:
    """What may come over one connection: requests that are repeated, changed a little, joined and cut."""
    few = draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3))
    pieces: list[bytes] = []
    for _ in range(draw(st.integers(2, 8))):
        piece = draw(st.sampled_from(few))
        match draw(st.sampled_from(("same", "same", "same", "smuggle", "byte", "cut", "join", "stray"))):
            case "smuggle":
                piece = piece.replace(*draw(st.sampled_from(SMUGGLING)))
            case "byte":
                place = draw(st.integers(0, len(piece) - 1))
                piece = piece[:place] + draw(st.binary(max_size=2)) + piece[place + draw(st.integers(0, 2)) :]
            case "cut":
                place = draw(st.integers(1, len(piece) - 1))
                pieces.append(piece[:place])
                piece = piece[place:]
            case "join":
                piece += draw(st.sampled_from(few))
            case "stray":
                pieces.append(draw(st.sampled_from((b"\r", b"\n", b"\r\n", b" ", b"\0", b"G", b"POST "))))
        if piece:
            pieces.append(piece)
    return pieces


@settings(deadline=None, max_examples=100)
@given(_pieces())
def test_every_byte_is_answered_as_if_no_head_were_known(front: Front, pieces: list[bytes]) -> None:
    heads = Heads()
    for seed in SEEDS:
        answered(front, heads, [seed])
    assert answered(front, heads, pieces) == answered(front, Parsed(), pieces)


@pytest.mark.parametrize("change", SMUGGLING)
def test_a_head_that_is_nearly_known(front: Front, change: tuple[bytes, bytes]) -> None:
    pieces = [request(), request(), request().replace(*change), request()]
    heads = Heads()
    for _ in range(2):
        assert answered(front, heads, pieces) == answered(front, Parsed(), pieces)


def test_a_body_that_looks_like_a_head(front: Front) -> None:
    blank, inner = request("/predict", b'{"x": 1,\r\n\r\n"y": 2}'), request("/predict", request())
    pieces = [blank, blank, inner, blank, blank, inner + blank, blank]
    heads = Counting()
    assert answered(front, heads, pieces) == answered(front, Parsed(), pieces)
    assert heads.found == 2  # the second and the fifth: what is refused, and who comes second in a piece, is parsed


def test_a_key_is_asked_for_each_time(every: dict[str, Model]) -> None:
    word = new_key()
    gate = Gate(read_keys(key_line("mine", word), "here"))
    front = app(every["twice"], gate=gate, access=None)
    heads, text = Counting(), request("/predict", BODY, f"x-api-key: {word}")

    async def ask() -> list[bytes]:
        connection = Connection(front)
        connection.protocol.heads = heads
        found = []
        for keys in (gate.keys, gate.keys, (), gate.keys):
            gate.keys = keys
            connection.protocol.data_received(text)
            found.append(connection.take()[:12])
        connection.protocol.connection_lost(None)
        return found

    assert asyncio.run(ask()) == [b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 401", b"HTTP/1.1 200"]
    assert heads.found == 3


def test_the_model_that_serves_now_answers(every: dict[str, Model]) -> None:
    """A head is known by its path, not by what answered there."""
    front = app({"one": every["twice"]}, access=None)
    heads, text = Counting(), request("/models/one/predict")

    async def ask() -> tuple[bytes, bytes]:
        connection = Connection(front)
        connection.protocol.heads = heads
        connection.protocol.data_received(text)
        connection.protocol.data_received(text)
        before = connection.take()
        front.serving.serve(front.serving.catalog.only(lambda name: False))
        connection.protocol.data_received(text)
        await asyncio.wait(connection.protocol.tasks)
        return before, connection.take()

    before, after = asyncio.run(ask())
    assert before.count(b"HTTP/1.1 200 ") == 2
    assert after.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 404 "))
    assert heads.found == 2


def test_what_is_logged_is_the_same(every: dict[str, Model]) -> None:
    lines: list[Line] = []
    front = app(every["twice"], access=lines.append)
    text = request("/predict", BODY, "x-request-id: mine")
    answered(front, Heads(), [text, text, request("/predict", b"{}", "x-request-id: mine")] * 2)
    said = [(line.request_id, line.route, line.status, line.rows) for line in lines]
    assert said[:3] == said[3:] == [("mine", "/predict", 200, 1)] * 2 + [("mine", "/predict", 422, 0)]


def _connected(front: Front, **more: Any) -> Connection:
    """A connection whose last request had a known head."""
    connection = Connection(front, **more)
    connection.protocol.data_received(request())
    connection.protocol.data_received(request())
    assert connection.take().count(b"HTTP/1.1 200 ") == 2
    return connection


def test_limits_hold(front: Front) -> None:
    async def ask() -> bytes:
        connection = _connected(front, bounds=BOUNDS._replace(requests=3))
        for _ in range(3):
            connection.protocol.data_received(request())  # in the same turn of the event loop
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return connection.take()

    found = asyncio.run(ask())
    assert found.count(b"HTTP/1.1 200 ") == 1
    assert found.count(b"HTTP/1.1 503 ") == 2


def test_a_client_that_does_not_read_waits(front: Front) -> None:
    asyncio.run(waits_for_its_reader(lambda: _connected(front)))


def test_a_service_that_ends_closes_its_connections(front: Front) -> None:
    async def ask() -> tuple[bytes, bool]:
        connection = _connected(front)
        state = connection.protocol.server_state
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        connection.protocol.data_received(request())
        await asyncio.wait(connection.protocol.tasks)
        return connection.take(), connection.transport.closing

    found, closed = asyncio.run(ask())
    assert b"\r\nconnection: close\r\n" in found
    assert closed


def test_a_connection_is_closed_so_long_after_its_last_answer(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> list[bool]:
        connection = _connected(front)
        loop, seconds = connection.protocol.loop, connection.protocol.timeout_keep_alive
        begun, closed = loop.time(), []
        for later in (0.9, 1.0, 1.8, 1.95):
            monkeypatch.setattr(loop, "time", lambda later=later: begun + later * seconds)
            if later == 0.9:
                connection.protocol.data_received(request())
            else:  # as the timer does when it is due
                connection.protocol.timeout_keep_alive_task.cancel()
                connection.protocol.timeout_keep_alive_handler()
            closed.append(connection.transport.closing)
        return closed

    assert asyncio.run(ask()) == [False, False, False, True]


def test_heads_are_bounded() -> None:
    heads = Heads()
    for number in range(3 * Heads.MOST):
        head = Head(b"/predict", [], len(BODY))
        assert heads.learn(request("/predict", BODY, f"x: {number}"), head)
        assert len(heads._known) <= Heads.MOST
    assert heads.find(request("/predict", BODY, f"x: {number}")) is head
    assert heads.find(request("/predict", BODY, "x: 0")) is None
