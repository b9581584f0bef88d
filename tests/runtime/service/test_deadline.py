"""A request that is too late is not begun."""

import gzip
import json
from collections.abc import Callable

import pytest

from runtime import Model
from runtime.service import deadline, endpoint
from runtime.service.front import Front

from ..asgi import get, post, problem
from ..conftest import ROW
from ..dialects.forms import infer, tensors

LATE = "expected to begin within the request's timeout, found that it had passed"

Wait = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Says how many seconds a request has waited when it is its turn."""
    monkeypatch.setattr(endpoint, "perf_counter", lambda: 1000.0)
    return lambda seconds: monkeypatch.setattr(deadline, "perf_counter", lambda: 1000.0 + seconds)


def begun(model: Model) -> int:
    """How many rows a model has looked at: each has a value missing."""
    return sum(counts.missing for counts in model.drift.counts())


@pytest.mark.parametrize("packed", [False, True])
def test_after_the_timeout_nothing_is_begun(flights: Model, flights_app: Front, wait: Wait, packed: bool) -> None:
    body = json.dumps(ROW).encode()
    more = {"content-encoding": "gzip"} if packed else {}
    body = gzip.compress(body) if packed else body
    wait(0.05)
    assert post(flights_app, "/predict", body, headers={"x-request-timeout-ms": "50", **more}).status == 200
    assert begun(flights) == 1
    answer = post(flights_app, "/predict", body, headers={"x-request-timeout-ms": "49", **more})
    assert answer.status == 503
    assert problem(answer)["detail"] == LATE
    assert begun(flights) == 1
    counted = get(flights_app, "/metrics").body.decode()
    assert f'ml_prediction_errors_total{{error_type="deadline",model="{flights.name}"}} 1.0' in counted


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        ("/v2/models/flights/infer", {"inputs": tensors([ROW])}, {"error": LATE}),
        ("/v1/models/flights:predict", {"instances": [ROW]}, {"error": LATE}),
        ("/invocations", {"inputs": [ROW]}, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": LATE}),
    ],
)
def test_every_dialect_says_so_in_its_own_shape(
    flights_app: Front, wait: Wait, path: str, body: object, shape: object
) -> None:
    wait(1)
    assert post(flights_app, path, body, headers={"x-request-timeout-ms": "1000"}).status == 200
    answer = post(flights_app, path, body, headers={"x-request-timeout-ms": "999"})
    assert (answer.status, answer.json()) == (503, shape)


@pytest.mark.parametrize("said", ["", "-1", "1.5", "1e3", "abc", "0x10", "9" * 10, "²"])
def test_a_timeout_that_is_none(flights_app: Front, said: str) -> None:
    answer = post(flights_app, "/predict", ROW, headers={"x-request-timeout-ms": said})
    assert answer.status == 400
    sentence = "expected X-Request-Timeout-Ms to be a whole number of milliseconds of at most 9 digits"
    assert problem(answer)["detail"] == f"{sentence}, found another value"


def test_the_timeout_of_the_open_inference_protocol(flights: Model, flights_app: Front, wait: Wait) -> None:
    wait(0.002)
    for timeout, status in ((2000, 200), (0, 200), (1999, 503), (1, 503)):
        assert infer(flights_app, tensors([ROW]), parameters={"timeout": timeout}).status == status
    assert begun(flights) == 2
    for wrong in (-1, 1.5, "2000", True, None):
        answer = infer(flights_app, tensors([ROW]), parameters={"timeout": wrong})
        assert answer.status == 400
        assert answer.json() == {"error": "expected parameters.timeout to be a whole number of microseconds"}
