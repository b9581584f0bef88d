"""POST /predict and its longer names: answers, ids, the log, and where it may be mounted."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from runtime import Model
from runtime.service import app
from runtime.service.front import Front
from runtime.service.logs import Line

from .. import bundles
from ..asgi import Answer, get, post, problem
from ..conftest import ROW

JSON = {"content-type": "application/json"}
LONG = f"/models/flights/versions/{bundles.VERSION}/predict"


def timeless(answer: Answer) -> Any:
    """The decoded body without its time."""
    found = answer.json()
    assert found.pop("latency_ms") >= 0
    return found


def test_one_row(flights_app: Front, flights: Model) -> None:
    answer = post(flights_app, "/predict", ROW, headers=JSON)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-model-version"] == bundles.VERSION
    assert answer.headers["content-length"] == str(len(answer.body))
    expected = json.loads(flights.predict_json(json.dumps(ROW).encode()))
    assert answer.json() | {"latency_ms": 0} == expected | {"latency_ms": 0}


def test_a_batch_and_no_rows(flights_app: Front) -> None:
    one = timeless(post(flights_app, "/predict", ROW))
    assert (
        timeless(post(flights_app, "/predict", [ROW, ROW]))["predictions"]
        == [{key: one[key] for key in ("prediction", "probability")}] * 2
    )
    assert timeless(post(flights_app, "/predict", [])) == {"predictions": [], "model_version": bundles.VERSION}


@pytest.mark.parametrize(
    "path",
    [
        "/predict",
        "/models/flights/predict",
        LONG,
        "/predict/",
        "//predict",
        "/models//flights/predict/",
        "/models/fl%69ghts/predict",
    ],
)
def test_every_path_is_the_same(flights_app: Front, path: str) -> None:
    assert timeless(post(flights_app, path, ROW)) == timeless(post(flights_app, "/predict", ROW))


@pytest.mark.parametrize(
    ("query", "there"),
    [
        ("probabilities=true", True),
        ("probabilities=false", False),
        ("", False),
        ("probabilities=true&trace=7", True),
        ("other=1", False),
        ("&&", False),
        ("probabilitie%73=%74rue", True),
    ],
)
def test_probabilities(flights_app: Front, query: str, there: bool) -> None:
    answer = post(flights_app, f"/predict?{query}", ROW)
    assert answer.status == 200
    assert ("probabilities" in answer.json()) is there


def test_other_kinds_of_models(every_app: Front) -> None:
    assert timeless(post(every_app, "/models/twice/predict", {"x": 1, "y": 2}))["output"] == [2.0, 4.0]
    assert isinstance(timeless(post(every_app, "/models/cost/predict", {"x": 1, "y": 2}))["prediction"], float)
    both = timeless(post(every_app, "/models/both/predict?probabilities=true", {"x": 1, "y": 2, "z": 3}))
    assert both["probabilities"] == [{"a": 0.0, "b": 1.0}, {"x": 0.0, "y": 1.0}]


def test_several_models_and_no_default(every_app: Front) -> None:
    answer = post(every_app, "/predict", ROW)
    assert answer.status == 404
    assert problem(answer)["detail"] == (
        "several models are served here and none is called default; use /models/both/predict, /models/cost/predict, "
        "/models/costs/predict, /models/flights/predict, /models/twice/predict"
    )


def test_a_model_called_default(every: dict[str, Model]) -> None:
    service = app({"default": every["twice"], "flights": every["flights"]})
    assert timeless(post(service, "/predict", {"x": 1, "y": 2}))["output"] == [2.0, 4.0]


@pytest.mark.parametrize(
    "path",
    [
        "/models/nothing/predict",
        "/models/nothing/versions/1/predict",
        "/models/Flights/predict",
        "/models/a%0d%0ab/predict",
    ],
)
def test_an_unknown_model(flights_app: Front, path: str) -> None:
    answer = post(flights_app, path, ROW)
    assert answer.status == 404
    assert problem(answer)["detail"] == "no such model here; use /models/flights/predict"


def test_an_unknown_version(flights_app: Front) -> None:
    answer = post(flights_app, "/models/flights/versions/1/predict", ROW)
    assert answer.status == 404
    assert problem(answer)["detail"] == f"no such version of flights is served here; use {LONG}"


def test_no_model_at_all() -> None:
    answer = post(app([]), "/predict", ROW)
    assert answer.status == 503
    assert problem(answer)["detail"] == "no model is loaded"


@pytest.mark.parametrize("asked", ["a", "A-1.b_c:D", "x" * 128])
def test_a_request_id_is_taken_from_the_request(flights_app: Front, asked: str) -> None:
    for path in ("/predict", "/health", "/nothing", "/models/nothing/predict"):
        assert post(flights_app, path, ROW, headers={"x-request-id": asked}).headers["x-request-id"] == asked


@pytest.mark.parametrize("asked", ["", " ", "a b", "x" * 129, "a\nb", "é", "a;b", '"', "a\x00", "../x", "{}"])
def test_a_request_id_that_is_none_is_replaced(flights_app: Front, asked: str) -> None:
    found = post(flights_app, "/predict", ROW, headers={"x-request-id": asked}).headers["x-request-id"]
    assert found != asked
    assert found.replace("-", "").isalnum()


def test_request_ids_differ(flights_app: Front) -> None:
    found = [post(flights_app, "/predict", ROW).headers["x-request-id"] for _ in range(50)]
    assert len(set(found)) == 50


@pytest.mark.parametrize(
    ("mount", "path"),
    [
        ("/score", "/score/predict"),
        ("/score/", "/score/predict"),
        ("/score", "/predict"),
        ("/a/b", "/a/b/models/flights/predict"),
        ("/models/flights", "/models/flights/predict"),
        ("/predict", "/predict/predict"),
    ],
)
def test_mounted_below_a_path(flights_app: Front, mount: str, path: str) -> None:
    assert post(flights_app, path, ROW, root_path=mount).status == 200


def test_mounted_at_a_path_that_looks_like_one_of_ours(every_app: Front) -> None:
    assert post(every_app, "/models/flights/predict", ROW, root_path="/models/flights").status == 404
    assert get(every_app, "/health/health", root_path="/health").status == 200
    assert get(every_app, "/health", root_path="/health").json() == {"status": "alive"}  # KServe's page at the root
    assert get(every_app, "/healthy/health", root_path="/health").status == 404


def test_requests_are_logged(flights_app: Front, lines: list[Line]) -> None:
    post(flights_app, "/predict", [ROW, ROW], headers={"x-request-id": "r-1"})
    post(flights_app, "/models/flights/predict", {"secret": 1})
    post(flights_app, "/models/secret/predict", ROW)
    get(flights_app, "/health")
    get(flights_app, "/models/flights")
    get(flights_app, "/secret")
    seen = [(line.method, line.route, line.status, line.model, line.version, line.rows) for line in lines]
    none = (msgspec.UNSET,) * 3
    assert seen == [
        ("POST", "/predict", 200, "flights", bundles.VERSION, 2),
        ("POST", "/models/{name}/predict", 422, "flights", bundles.VERSION, 0),
        ("POST", "/models/{name}/predict", 404, *none),
        ("GET", "/health", 200, *none),
        ("GET", "/models/{name}", 200, *none),
        ("GET", "unmatched", 404, *none),
    ]
    assert lines[0].request_id == "r-1"
    assert all(0 < line.ms < 1000 for line in lines)
    assert b"secret" not in msgspec.json.encode(lines)


def test_the_access_log_can_be_off(flights: Model) -> None:
    service = app(flights, access=None)
    assert post(service, "/predict", ROW).status == 200
    assert get(service, "/health").status == 200
    assert post(service, "/models/nothing/predict", ROW).status == 404


def test_names_of_models(every: dict[str, Model], flights: Model) -> None:
    assert list(app(list(every.values())).serving.catalog.models) == list(every)
    assert list(app(flights).serving.catalog.models) == ["flights"]
    with pytest.raises(ValueError, match=r"expected a model's name to match .*, found 'A b'"):
        app({"A b": flights})
    with pytest.raises(ValueError, match="found one name twice"):
        app([flights, every["flights"]])


def test_serving_others_from_now_on(flights_app: Front, every: dict[str, Model]) -> None:
    """One call, and every route speaks of the new models."""
    serving = flights_app.serving
    post(flights_app, "/predict", ROW)
    serving.serve(type(serving.catalog)({"twice": every["twice"]}))
    assert timeless(post(flights_app, "/predict", {"x": 1, "y": 2}))["output"] == [2.0, 4.0]
    assert post(flights_app, "/models/flights/predict", ROW).status == 404
    assert get(flights_app, "/health").json()["models"] == {"twice": bundles.VERSION}
    assert next(iter(get(flights_app, "/schema").json()["paths"])) == "/predict"


def test_lifespan_is_answered(flights_app: Front) -> None:
    """Servers that insist on it get it, though nothing of ours needs it."""
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(flights_app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_websockets_are_closed(flights_app: Front) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": "/predict", "query_string": b"", "headers": [], "subprotocols": []}
    asyncio.run(flights_app(scope, receive, send))
    assert sent == ["websocket.close"]
