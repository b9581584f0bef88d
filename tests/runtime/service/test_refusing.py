"""A service that takes no request says so in each dialect's shape, and still asks for keys first."""

import asyncio
import json
import re

import pytest

from runtime import Model
from runtime.keys import key_line, read_keys
from runtime.service import app
from runtime.service.access import Gate
from runtime.service.front import Front
from runtime.service.limits import Bounds
from runtime.service.logs import Line
from runtime.service.problems import Refusal

from ..asgi import get, post, problem
from ..conftest import ROW
from .wire import exchanged, listening, statuses

FULL = Refusal(503, "overloaded", "expected room, found none", headers=((b"retry-after", b"1"),))

SHAPES = {
    "/predict": None,
    "//predict": None,
    "/nowhere": None,
    "/v1/models/flights:predict": {"error": "expected room, found none"},
    "/v2/models/flights/infer": {"error": "expected room, found none"},
    "/invocations": {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "expected room, found none"},
}


@pytest.mark.parametrize("path", SHAPES)
def test_every_path_refuses_in_its_own_shape(flights_app: Front, lines: list[Line], path: str) -> None:
    refusing = flights_app.refusing(FULL)
    for _ in range(3):
        answer = post(refusing, path, ROW)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        if SHAPES[path] is None:
            assert problem(answer)["detail"] == "expected room, found none"
        else:
            assert answer.json() == SHAPES[path]
    assert [line.status for line in lines] == [503] * 3


def _depth(error: Exception) -> int:
    depth, frame = 0, error.__traceback__
    while frame is not None:
        depth, frame = depth + 1, frame.tb_next
    return depth


def test_refusals_are_counted_for_their_model_and_keep_no_memory(flights: Model, flights_app: Front) -> None:
    refusing = flights_app.refusing(FULL)
    for _ in range(50):
        post(refusing, "/predict", ROW)
    counted = get(flights_app, "/metrics").body.decode()
    assert f'ml_prediction_errors_total{{error_type="overloaded",model="{flights.name}"}} 50.0' in counted
    assert _depth(FULL) < 10


def test_the_service_itself_goes_on(flights_app: Front) -> None:
    flights_app.refusing(FULL)
    assert post(flights_app, "/predict", ROW).status == 200


def test_keys_are_asked_for_first(flights: Model) -> None:
    refusing = app(flights, access=None, gate=Gate(read_keys(key_line("all", "k"), "here"))).refusing(FULL)
    assert post(refusing, "/predict", ROW).status == 401
    assert post(refusing, "/predict", ROW, headers={"x-api-key": "k"}).status == 503


NO_ROOM = Bounds(5, 5, 10_000, 10, 0)
"""For no POST at all."""

POST = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
GET = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


SMUGGLED = b"GET /models HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([POST % 2 + b"{}" + LAST], [503, 200]),
        ([POST % 2 + b"{}", POST % 2 + b"{}", LAST], [503, 503, 200]),
        ([(POST % 2 + b"{}") * 3 + GET + POST % 2 + b"{}" + LAST], [503, 503, 503, 200, 503, 200]),
        ([GET + POST % 2 + b"{}" + LAST], [200, 503, 200]),
        ([POST % len(SMUGGLED), SMUGGLED, LAST], [503, 200]),  # a body that comes later is no request
        ([POST % (2 * len(SMUGGLED)), SMUGGLED, SMUGGLED + LAST], [503, 200]),
        (
            [POST.replace(b"content-length: %d", b"transfer-encoding: chunked"), b"2\r\n{}\r\n0\r\n\r\n", LAST],
            [503, 200],
        ),
        ([POST.replace(b"1.1", b"1.0") % 2 + b"{}"], [503]),
        ([POST.replace(b"host: x", b"connection: close") % 2 + b"{}" + SMUGGLED], [503]),
        ([POST.replace(b"host: x", b"expect: 100-continue") % 2, b"{}" + LAST], [503, 200]),
    ],
)
def test_a_connection_goes_on_after_refusals(flights_app: Front, pieces: list[bytes], expected: list[int]) -> None:
    assert statuses(exchanged(flights_app, pieces, NO_ROOM)) == expected


def test_a_client_that_does_not_read_its_refusals_is_not_read_from(flights_app: Front) -> None:
    """Else the answers to what it goes on to send would be kept here."""

    async def talk() -> int:
        server = await listening(flights_app, NO_ROOM)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.transport.set_write_buffer_limits(0)
        sent = 0
        try:
            while sent < 10**8:
                writer.write((POST % 2 + b"{}") * 500)
                sent += 500 * len(POST)
                await asyncio.wait_for(writer.drain(), 2)
        except (TimeoutError, ConnectionError):
            pass
        writer.transport.abort()
        server.close()
        return sent

    assert asyncio.run(talk()) < 10**8


def test_so_many_are_answered_in_one_turn_of_the_event_loop(flights_app: Front) -> None:
    """Whoever comes with a thousand others would wait for all of them."""
    body = json.dumps(ROW).encode()

    async def talk() -> list[int]:
        server = await listening(flights_app, Bounds(5, 5, 10_000, 100, 5))
        pairs = [await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(20)]
        for turn in range(2):
            found = []
            for _, writer in pairs:
                writer.write(POST % len(body) + body)  # written at once, and read when this task waits
            for reader, _ in pairs:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                length = re.search(rb"content-length: (\d+)", head)
                assert length is not None
                await reader.readexactly(int(length[1]))
                found.append(int(head.split()[1]))
            assert set(found) == {200, 503}, turn
        for _, writer in pairs:
            writer.close()
        server.close()
        return found

    assert asyncio.run(talk()).count(200) >= 5
