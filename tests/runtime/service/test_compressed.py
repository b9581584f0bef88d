"""Bodies in gzip: in every dialect, exact to the byte, and never more memory than the limit allows."""

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import Model
from runtime.service import app
from runtime.service.compression import MEMBERS, inflated
from runtime.service.dialects.vertex import Vertex
from runtime.service.front import Front
from runtime.service.problems import Refusal

from ..asgi import post, problem
from ..conftest import ROW

GZIP = {"content-encoding": "gzip"}

INPUT = {"name": "input-0", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}

BODIES: dict[str, Any] = {
    "/predict": {"x": 1, "y": 2},
    "/models/twice/predict": [{"x": 1, "y": 2}],
    "/invocations": {"dataframe_records": [{"x": 1, "y": 2}]},
    "/v1/models/twice:predict": {"instances": [[1, 2]]},
    "/v2/models/twice/infer": {"inputs": [INPUT]},
    "/vertex": {"instances": [[1, 2]]},
}


@pytest.fixture
def twice(every: dict[str, Model]) -> Front:
    """A service of one model in all dialects."""
    return app({"twice": every["twice"]}, vertex=Vertex("/vertex", "/vertex"))


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip", " gzip "])
def test_gzip_is_taken_in_every_dialect(twice: Front, path: str, coding: str) -> None:
    plain = post(twice, path, BODIES[path])
    packed = post(twice, path, gzip.compress(json.dumps(BODIES[path]).encode()), headers={"content-encoding": coding})
    assert plain.status == packed.status == 200
    found, wanted = packed.json(), plain.json()
    for answer in (found, wanted):
        if isinstance(answer, dict):
            answer.pop("latency_ms", None)
    assert found == wanted


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd", "gzip;q=1", "\xff"])
def test_other_encodings_are_refused_with_the_one_that_is_taken(twice: Front, path: str, coding: str) -> None:
    answer = post(twice, path, BODIES[path], headers={"content-encoding": coding})
    assert answer.status == 415
    assert answer.headers["accept-encoding"] == "gzip"
    assert b"expected a body as it is or in gzip, found another encoding" in answer.body


GOOD = gzip.compress(
    b'{"x": 1, "y": 2}', mtime=0
)  # else two runners that collect it a second apart find different tests


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [b"", b"{}", GOOD[:-1], GOOD[:5], GOOD + b"x", GOOD + GOOD[:9], GOOD[:-8] + b"\0" * 8, zlib.compress(b"{}")],
)
def test_what_is_no_whole_gzip_is_the_clients_fault(twice: Front, path: str, body: bytes) -> None:
    answer = post(twice, path, body, headers=GZIP)
    assert answer.status == 400
    assert b"expected a body in gzip, whole and with nothing behind it, found another" in answer.body


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_members_are_read_one_after_another(parts: list[bytes]) -> None:
    body = b"".join(map(gzip.compress, parts))
    assert inflated(body, 1000) == b"".join(parts) == gzip.decompress(body)


def test_the_limit_holds_for_what_comes_out_exactly(every: dict[str, Model]) -> None:
    service = app(every["twice"], body_limit=500)
    for size, status in ((499, 200), (500, 200), (501, 413), (100_000, 413)):
        whole = b'{"x": 1, "y": 2}'.ljust(size)
        for body in (gzip.compress(whole), gzip.compress(whole[:400]) + gzip.compress(whole[400:])):
            answer = post(service, "/predict", body, headers=GZIP)
            assert answer.status == status, size
            if status == 413:
                sentence = "expected a body of at most 500 bytes decompressed, found a larger one"
                assert problem(answer)["detail"] == sentence


def test_a_bomb_is_stopped_at_the_limit() -> None:
    one = gzip.compress(bytes(10**8), 9)
    for bomb in (one, one * 100, gzip.compress(b"") * (MEMBERS - 1) + one):
        tracemalloc.start()
        with pytest.raises(Refusal) as caught:
            inflated(bomb, 10**6)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.status == 413
        assert most < 3 * 10**6


def test_members_are_limited() -> None:
    empty = gzip.compress(b"")
    assert inflated(empty * MEMBERS, 10) == b""
    with pytest.raises(Refusal, match="expected a body in gzip of at most 1000 members, found more"):
        inflated(empty * (MEMBERS + 1), 10)


def test_flights_too(flights_app: Front) -> None:
    body = gzip.compress(json.dumps([ROW] * 1000).encode())
    assert len(post(flights_app, "/predict", body, headers=GZIP).json()["predictions"]) == 1000
