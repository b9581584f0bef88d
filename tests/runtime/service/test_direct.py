"""Requests answered where they are parsed: the same answers as on uvicorn's way, and that way for all that needs it."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from runtime import Model, load
from runtime.keys import key_line, new_key, read_keys
from runtime.service.access import Gate
from runtime.service.endpoint import Whole
from runtime.service.front import Front, app
from runtime.service.head import Head
from runtime.service.limits import Bounds, protocol
from runtime.service.logs import Line
from runtime.service.split import Divided, Split

BOUNDS = Bounds(60.0, 60.0, 10_000, 10, 100)
BODY = b'{"x": 1, "y": 2}'


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 80)})
        self.written = b""
        self.closing = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closing
        self.written += data

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Connection:
    """One connection to a service, without sockets: bytes go in, bytes come out."""

    def __init__(
        self, front: Front, *, defaults: tuple[tuple[bytes, bytes], ...] = (), bounds: Bounds = BOUNDS
    ) -> None:
        config = uvicorn.Config(
            front,
            http=protocol(bounds, front.refusing),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        config.load()
        state = ServerState()
        state.default_headers = list(defaults)
        self.transport = Transport()
        made: Any = config.http_protocol_class
        self.protocol = made(config=config, server_state=state, app_state={})
        self.protocol.connection_made(self.transport)

    def take(self) -> bytes:
        """What was written since the last time."""
        written, self.transport.written = self.transport.written, b""
        return written


def request(
    path: str = "/predict", body: bytes = BODY, *more: str, method: str = "POST", version: str = "1.1"
) -> bytes:
    """A request's bytes."""
    fields = ("host: x", f"content-length: {len(body)}", *more)
    return "\r\n".join((f"{method} {path} HTTP/{version}", *fields, "", "")).encode() + body


def asked(front: Front, *pieces: bytes, defaults: tuple[tuple[bytes, bytes], ...] = ()) -> tuple[list[bytes], bytes]:
    """(what had been written after each piece, before the event loop's next turn; what was written in all)."""

    async def ask() -> tuple[list[bytes], bytes]:
        connection = Connection(front, defaults=defaults)
        found, whole = [], b""
        for piece in pieces:
            if not connection.transport.closing:
                connection.protocol.data_received(piece)
            found.append(connection.take())
            whole += found[-1]
            await asyncio.sleep(0)
        while connection.protocol.tasks:
            await asyncio.wait(connection.protocol.tasks)
            await asyncio.sleep(0)
            whole += connection.take()
        whole += connection.take()
        connection.protocol.connection_lost(None)
        return found, whole

    return asyncio.run(ask())


def plain(answer: bytes) -> bytes:
    """An answer without what is different every time."""
    answer = re.sub(rb'"latency_ms":[0-9.e-]+', b"", answer)
    answer = re.sub(rb"content-length: \d+", b"", answer)
    return re.sub(rb"[0-9a-f]{16}-[0-9a-f]+", b"", answer)


@pytest.fixture(scope="module")
def front(every: dict[str, Model]) -> Front:
    """A service of five models, of which one is the default."""
    return app({**every, "default": every["twice"]}, access=None)


@pytest.fixture
def twice(root: Path) -> Model:
    """A fresh one, whose counts are all 0."""
    return load(root / "twice")


def in_turn(front: Front, text: bytes) -> bytes:
    """The answer to a request on uvicorn's way, where the second in one piece goes."""
    (first,), whole = asked(front, request() + text)
    assert len(whole) > len(first) > 0
    return whole[len(first) :]


SAME = {
    "an answer": request(),
    "another model": request("/models/twice/predict"),
    "a query": request("/predict?probabilities=true"),
    "a query that is none": request("/predict?probabilities=1"),
    "an id": request("/predict", BODY, "x-request-id: mine"),
    "another media type": request("/predict", BODY, "content-type: text/plain"),
    "no JSON": request("/predict", b"{"),
    "no body": request("/predict", b""),
    "an unknown field": request("/predict", b'{"z": 1}'),
    "too late": request("/predict", BODY, "x-request-timeout-ms: 0"),
    "no time": request("/predict", BODY, "x-request-timeout-ms: soon"),
    "another dialect": request("/v2/models/twice/infer", b'{"inputs": []}'),
    "CSV": request("/models/twice/predict", b"x,y\n1,2\n", "content-type: text/csv"),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_answer_on_both_ways(front: Front, what: str) -> None:
    (at_once,), _ = asked(front, SAME[what])
    assert at_once.startswith(b"HTTP/1.1 ")
    assert plain(at_once) == plain(in_turn(front, SAME[what]))


OTHERWISE = {
    "another method": request(method="GET"),
    "no path of predictions": request("/nowhere"),
    "needless slashes": request("//predict"),
    "a slash inside a name": request("/models/a%2Fb/predict"),
    "HTTP/1.0": request(version="1.0"),
    "the last on its connection": request("/predict", BODY, "connection: close"),
    "one that asks whether to go on": request("/predict", BODY, "expect: 100-continue"),
    "a compressed body": request("/predict", BODY, "content-encoding: gzip"),
    "a body in chunks": b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    b'8\r\n{"x": 1,\r\n8\r\n "y": 2}\r\n0\r\n\r\n',
    "headers too large": request("/predict", BODY, "x-long: " + "a" * 11_000),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_what_is_answered_by_uvicorns_way(front: Front, what: str) -> None:
    (at_once,), whole = asked(front, OTHERWISE[what])
    assert at_once == b""
    assert whole.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))


def test_a_service_that_ends_closes_its_connections(front: Front) -> None:
    (at_once,), whole = asked(front, request(), defaults=((b"connection", b"close"),))
    assert at_once == b""
    assert whole.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in whole


def test_the_default_headers_are_in_every_answer(front: Front) -> None:
    (first, second), _ = asked(front, request(), request(), defaults=((b"date", b"today"),))
    assert first.count(b"\r\ndate: today\r\n") == second.count(b"\r\ndate: today\r\n") == 1


def test_long_work_waits_for_a_thread(front: Front) -> None:
    rows = b"[" + b",".join([BODY] * 5000) + b"]"
    (at_once,), whole = asked(front, request("/predict", rows))
    assert at_once == b""
    assert whole.count(b'"output"') == 5000


@settings(deadline=None)
@given(st.data())
def test_pieces_make_no_difference(front: Front, data: st.DataObject) -> None:
    """However requests are cut, each is answered once, in order."""
    wanted = data.draw(st.lists(st.sampled_from(sorted(SAME)), min_size=1, max_size=6))
    text = b"".join(SAME[what] for what in wanted)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    _, whole = asked(front, *pieces)
    alone = b"".join(asked(front, SAME[what])[1] for what in wanted)
    assert plain(whole) == plain(alone)


def test_many_requests_in_one_piece_leave_others_their_turn(front: Front) -> None:
    (at_once,), whole = asked(front, request() * 50)
    assert at_once.count(b"HTTP/1.1 200 ") == 1
    assert whole.count(b"HTTP/1.1 200 ") == 50


async def waits_for_its_reader(connected: Callable[[], Connection]) -> None:
    """Fails where a request is answered while its client does not read, or not once it does."""
    connection = connected()
    connection.protocol.pause_writing()
    connection.protocol.data_received(request())
    await asyncio.sleep(0)
    assert connection.take() == b""
    connection.protocol.resume_writing()
    await asyncio.wait(connection.protocol.tasks)
    assert connection.take().startswith(b"HTTP/1.1 200 ")
    connection.protocol.connection_lost(None)


def test_a_client_that_does_not_read_is_not_answered_for_ever(front: Front) -> None:
    asyncio.run(waits_for_its_reader(lambda: Connection(front)))


def test_what_ends_as_no_request_is_refused_once(front: Front) -> None:
    text = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\nnone\r\n"
    (at_once,), whole = asked(front, text)
    assert at_once == whole
    assert whole.count(b"HTTP/1.1 ") == 1
    assert whole.startswith(b"HTTP/1.1 400 ")


def test_a_connection_between_requests_is_closed_in_time(front: Front) -> None:
    async def ask() -> bool:
        connection = Connection(front)
        connection.protocol.data_received(request())
        timer = connection.protocol.timeout_keep_alive_task
        armed = timer is not None and not timer.cancelled()
        connection.protocol.connection_lost(None)
        return armed

    assert asyncio.run(ask())


def test_keys_are_asked_for_on_both_ways(twice: Model) -> None:
    word = new_key()
    front = app(twice, gate=Gate(read_keys(key_line("mine", word), "here")), access=None)
    for more, status in (((), b"401"), ((f"x-api-key: {word}",), b"200"), (("x-api-key: other",), b"401")):
        text = request("/predict", BODY, *more)
        (at_once,), _ = asked(front, text)
        assert at_once.startswith(b"HTTP/1.1 " + status)
        assert plain(at_once) == plain(in_turn(front, text))


def test_what_is_logged_and_counted_is_the_same(twice: Model) -> None:
    lines: list[Line] = []
    front = app(twice, access=lines.append)
    asked(front, request(), request("/predict", b"{"), request()[:-1], request()[-1:])
    assert [(line.route, line.status, line.rows, line.model) for line in lines] == [
        ("/predict", 200, 1, "twice"),
        ("/predict", 400, 0, "twice"),
        ("/predict", 200, 1, "twice"),
    ]
    text = front.serving.metrics.expose("")[0].decode()
    assert 'ml_prediction_latency_seconds_count{model="twice"} 2.0' in text


def test_a_split_chooses_as_on_the_other_way() -> None:
    class Arm:
        def __init__(self, word: bytes) -> None:
            self.word = word

        def at_once(self, head: Head, body: bytes) -> Whole:
            return Whole(200, b"\r\n", self.word)

    split = Split([("production", 50), ("staging", 50)], b"x-user")
    path = Divided(split, "m", Arm(b"plain"), {alias: Arm(alias.encode()) for alias in split.aliases})
    for number in range(100):
        user = b"user-%d" % number
        chosen = path.at_once(Head(b"/predict", [(b"x-user", user)], 0), b"")
        assert chosen.body.decode() == split(split.point("m", user))
