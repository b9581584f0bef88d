"""What a body may hold: rows and characters of a string, exactly, in every dialect."""

import asyncio
import json
from typing import Any

import pytest

from runtime import Model
from runtime.service import app
from runtime.service.front import Front
from runtime.service.limits import Bounds
from runtime.tensors import Limits

from ..asgi import post, problem
from ..conftest import ROW
from ..dialects.forms import binary, columns, infer, infer_binary, tensors
from .wire import listening


@pytest.fixture
def service(flights: Model) -> Front:
    """Three rows, and strings of ten characters."""
    return app({"flights": flights}, limits=Limits(rows=3, text=10))


def bodies(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same rows for each path."""
    return {
        "/predict": rows,
        "/invocations": {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}},
        "/v1/models/flights:predict": {"inputs": columns(rows)},
        "/v2/models/flights/infer": {"inputs": tensors(rows)},
    }


@pytest.mark.parametrize("path", bodies([ROW]))
def test_rows_are_limited_exactly(service: Front, path: str) -> None:
    assert post(service, path, bodies([ROW] * 3)[path]).status == 200
    answer = post(service, path, bodies([ROW] * 4)[path])
    assert answer.status == (422 if path == "/predict" else 400)
    assert b"expected at most 3 rows, got 4" in answer.body


def test_rows_in_binary_tensors_are_limited_too(service: Front, every: dict[str, Model]) -> None:
    for count, status in ((3, 200), (4, 400)):
        body, length = binary(tensors([ROW | {"gap": 1.0}] * count))
        assert infer_binary(service, body, length).status == status
    small = app(every["costs"], limits=Limits(rows=3))
    for count, status in ((3, 200), (4, 400)):
        matrix = {"name": "X", "shape": [count, 2], "datatype": "FP64", "data": [1.0, 2.0] * count}
        assert infer(small, [matrix], model=every["costs"].name).status == status


@pytest.mark.parametrize("path", bodies([ROW]))
@pytest.mark.parametrize("rows", [1, 2])
def test_strings_are_limited_exactly(service: Front, path: str, rows: int) -> None:
    for letter in ("a", "é", "航", "\U0001f6eb"):
        fine = bodies([ROW] * (rows - 1) + [ROW | {"carrier": letter * 10}])[path]
        assert post(service, path, fine).status == 200
        answer = post(service, path, bodies([ROW] * (rows - 1) + [ROW | {"carrier": letter * 11}])[path])
        assert answer.status == (422 if path == "/predict" else 400)
        assert b"expected a string of at most 10 characters, got a longer one" in answer.body
        assert letter * 3 not in answer.body.decode()


def test_the_path_says_which_string(service: Front) -> None:
    long = ROW | {"carrier": "a" * 11}
    for body, path in ((long, "$.carrier"), ([long], "$[0].carrier"), ([ROW, long], "$[1].carrier")):
        (error,) = problem(post(service, "/predict", body))["errors"]
        assert error["path"] == path


def test_a_column_that_the_model_does_not_read_is_limited_too(service: Front) -> None:
    assert post(service, "/predict", ROW | {"junk": "a" * 10}).status == 200
    (error,) = problem(post(service, "/predict", ROW | {"junk": "a" * 11}))["errors"]
    assert error["path"] == "$.junk"


def test_a_model_has_limits_only_where_it_is_served(flights: Model) -> None:
    app(flights, limits=Limits(rows=1, text=1))
    assert flights.predict_json(b"[]")
    assert len(flights.predict([ROW] * 5)) == 5


def test_bodies_on_their_way_have_so_much_room_together(flights: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else stalled clients would have the memory of a whole body each."""
    monkeypatch.setattr("runtime.service.exchange.ROOM", 0)
    service = app(flights, body_limit=10_000, access=None)
    room = service.serving.shared.room
    body = json.dumps([ROW] * 60).encode()
    assert room.most == 40_000
    assert 8_000 < len(body) < 10_000

    async def talk() -> list[int]:
        server = await listening(service, Bounds(20, 20, 10_000, 100, 100))
        pairs = [await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(6)]
        for index, (_, writer) in enumerate(pairs):
            writer.write(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:-1])
            while room.held < min(index + 1, 4) * (len(body) - 1):
                await asyncio.sleep(0.001)
        refused = [await reader.readuntil(b"\r\n\r\n") for reader, _ in pairs[4:]]
        assert all(b"\r\nretry-after: 1\r\n" in head for head in refused)
        pairs[0][1].transport.abort()  # who goes makes room, as does who is done
        found = []
        for reader, writer in pairs[1:4]:
            writer.write(body[-1:])
            found.append(int((await reader.readuntil(b"\r\n\r\n")).split()[1]))
        while room.held:
            await asyncio.sleep(0.001)
        for _, writer in pairs:
            writer.transport.abort()
        server.close()
        return [int(head.split()[1]) for head in refused] + found

    assert asyncio.run(asyncio.wait_for(talk(), 20)) == [503, 503, 200, 200, 200]
