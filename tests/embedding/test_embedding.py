"""A model inside somebody else's program: a plain call, mounted under a foreign ASGI application, inside a Litestar
application."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Router
from litestar import get as litestar_get
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from runtime import InputError, Model, load
from runtime.service import app, routes

from ..runtime import bundles
from ..runtime.asgi import get, post, request

ROW = {"x": 1, "y": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Two models."""
    root = tmp_path_factory.mktemp("models")
    inputs = bundles.numbers(("x", "y"))
    return {
        "twice": load(bundles.transformer(root / "twice", inputs)),
        "cost": load(bundles.regressor(root / "cost", inputs)),
    }


def test_a_plain_call(models: dict[str, Model]) -> None:
    found = json.loads(models["twice"].predict_json(b'{"x": 1, "y": 2}'))
    assert found["output"] == [2.0, 4.0]
    assert found["model_version"] == models["twice"].version


def test_a_plain_call_in_another_frameworks_handler(models: dict[str, Model]) -> None:
    """The README's ten lines."""
    model = models["twice"]

    async def predict(request: Request) -> Response:
        try:
            return Response(model.predict_json(await request.body()), media_type="application/json")
        except InputError as error:
            return JSONResponse({"error": str(error)}, status_code=422)

    host = Starlette(routes=[Route("/score", predict, methods=["POST"])])
    assert post(host, "/score", ROW).json()["output"] == [2.0, 4.0]
    assert post(host, "/score", {"x": 1}).json() == {"error": "missing required field 'y'"}


@pytest.mark.parametrize("prefix", ["/score", "/a/b", "/predict", "/models", "/health"])
def test_mounted_under_a_foreign_application(models: dict[str, Model], prefix: str) -> None:
    entered = []

    @asynccontextmanager
    async def lifespan(host: Starlette) -> AsyncIterator[None]:
        entered.append(host)
        yield

    async def own(request: Request) -> Response:
        return JSONResponse({"own": True})

    host = Starlette(routes=[Route("/own", own), Mount(prefix, app(models["twice"]))], lifespan=lifespan)
    assert get(host, "/own").json() == {"own": True}
    answer = post(host, f"{prefix}/predict", ROW)
    assert answer.json()["output"] == [2.0, 4.0]
    assert answer.headers["x-model-version"] == models["twice"].version
    assert post(host, f"{prefix}/models/twice/predict", ROW).status == 200
    assert post(host, f"{prefix}/models/other/predict", ROW).status == 404
    assert get(host, f"{prefix}/health").json()["status"] == "healthy"
    assert get(host, f"{prefix}/models/twice").json()["name"] == "twice"
    assert b"ml_predictions_total" in get(host, f"{prefix}/metrics").body
    assert get(host, f"{prefix}/schema").json()["servers"] == [{"url": prefix}]
    assert get(host, f"{prefix}/nothing").headers["content-type"] == "application/problem+json"
    assert get(host, f"{prefix}/predict").status == 405
    assert entered == []  # nothing of ours waits for a lifespan, which mounted applications do not get


def test_mounted_twice_and_deeply(models: dict[str, Model]) -> None:
    inner = Starlette(routes=[Mount("/one", app(models["twice"])), Mount("/two", app(models["cost"]))])
    host = Starlette(routes=[Mount("/v1", inner)])
    assert "output" in post(host, "/v1/one/predict", ROW).json()
    assert "prediction" in post(host, "/v1/two/predict", ROW).json()
    assert b'model="cost"' not in get(host, "/v1/one/metrics").body


def test_mounted_under_litestar(models: dict[str, Model]) -> None:
    from litestar import asgi
    from litestar.types import Receive, Scope, Send

    service = app(models["twice"])

    @asgi("/score", is_mount=True, copy_scope=True)
    async def score(scope: Scope, receive: Receive, send: Send) -> None:
        await service(scope, receive, send)

    host = Litestar(route_handlers=[score])
    assert post(host, "/score/predict", ROW).json()["output"] == [2.0, 4.0]
    assert get(host, "/score/health").status == 200


def litestar_host(*handlers: Any, **options: Any) -> Litestar:
    """A Litestar application with a route of its own."""

    @litestar_get("/own")
    async def own() -> dict[str, bool]:
        return {"own": True}

    return Litestar(route_handlers=[own, *handlers], **options)


def test_inside_a_litestar_application(models: dict[str, Model]) -> None:
    host = litestar_host(routes(models["twice"]))
    assert get(host, "/own").json() == {"own": True}
    answer = post(host, "/predict", ROW, headers={"x-request-id": "r-1"})
    assert answer.json()["output"] == [2.0, 4.0]
    assert answer.headers["x-request-id"] == "r-1"
    assert post(host, f"/models/twice/versions/{bundles.VERSION}/predict?probabilities=true", [ROW]).status == 200
    assert get(host, "/health", headers={"x-request-id": "r-2"}).headers["x-request-id"] == "r-2"
    assert get(host, "/models/twice").json()["kind"] == "transformer"
    assert b"ml_model_info" in get(host, "/metrics").body
    assert b"swagger" in get(host, "/schema/swagger").body  # the host's own pages


def test_errors_inside_a_litestar_application(models: dict[str, Model]) -> None:
    host = litestar_host(routes(models["twice"]))
    for answer, status in [
        (post(host, "/predict", {"x": 1}), 422),
        (post(host, "/predict", b"{"), 400),
        (post(host, "/predict", ROW, headers={"content-type": "text/csv"}), 415),
        (get(host, "/predict"), 405),
        (get(host, "/models/other"), 404),
    ]:
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    for theirs in (get(host, "/nothing"), post(host, "/models/other/predict", ROW)):
        assert theirs.status == 404
        assert theirs.headers["content-type"] == "application/json"  # what is not ours is answered as the host does


def test_inside_a_litestar_application_below_a_path(models: dict[str, Model]) -> None:
    host = litestar_host(
        Router("/one", route_handlers=[routes(models["twice"])]),
        Router("/both", route_handlers=[routes(models)]),
    )
    assert post(host, "/one/predict", ROW).json()["output"] == [2.0, 4.0]
    assert post(host, "/both/models/cost/predict", ROW).status == 200
    assert post(host, "/both/predict", ROW).status == 404
    assert get(host, "/one/health").json()["models"].keys() == {"twice"}
    assert get(host, "/both/health").json()["models"].keys() == {"twice", "cost"}


def test_the_hosts_limits_do_not_hold_for_us_nor_ours_for_it(models: dict[str, Model]) -> None:
    host = litestar_host(routes(models["twice"], body_limit=20), request_max_body_size=5)
    assert post(host, "/predict", ROW).status == 200
    assert request(host, "POST", "/predict", [b" " * 10, b" " * 11]).status == 413


def test_nothing_of_the_host_is_touched(models: dict[str, Model]) -> None:
    import logging

    from prometheus_client import REGISTRY

    before = list(REGISTRY.collect())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    post(app(models), "/models/twice/predict", ROW)
    assert [metric.name for metric in REGISTRY.collect()] == [metric.name for metric in before]
    assert (root.handlers, root.level) == (handlers, level)


def test_two_versions_side_by_side(tmp_path: Path) -> None:
    inputs = bundles.numbers(("x", "y"))
    old = load(bundles.transformer(tmp_path / "m", inputs, version="1"))
    new = load(bundles.transformer(tmp_path / "m", inputs, version="2"))
    service = app({"m": new, "m-old": old})
    assert post(service, "/models/m/predict", ROW).headers["x-model-version"] == "2"
    assert post(service, "/models/m-old/predict", ROW).headers["x-model-version"] == "1"
    assert post(service, "/models/m-old/versions/1/predict", ROW).status == 200
    assert post(service, "/models/m/versions/1/predict", ROW).status == 404
