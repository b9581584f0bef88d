"""A service that takes no request says so in each dialect's shape, and still asks for keys first."""

import pytest

from runtime import Model
from runtime.keys import key_line, read_keys
from runtime.service import app
from runtime.service.access import Gate
from runtime.service.front import Front
from runtime.service.logs import Line
from runtime.service.problems import Refusal

from ..asgi import get, post, problem
from ..conftest import ROW

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
