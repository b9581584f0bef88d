"""Keys at the door: who is let in to what, in every dialect's own words, and what is shown to whom."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import Model
from runtime.keys import key_line, read_keys
from runtime.service import app
from runtime.service.access import Gate
from runtime.service.catalog import catalog
from runtime.service.dialects.vertex import Vertex
from runtime.service.endpoint import Endpoint
from runtime.service.front import Front
from runtime.service.logs import Line
from runtime.service.problems import Refusal

from ..asgi import get, post, request

ALL, COST, ADMIN = "k-all", "k-cost", "k-admin"
LINES = "\n".join(
    (key_line("all", ALL), key_line("cost-1", COST, ["cost"]), key_line("root", ADMIN, ["cost"], admin=True))
)
ROW = {"x": 1.0, "y": 2.0}
COLUMNS = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in ROW.items()]


@pytest.fixture
def gate() -> Gate:
    return Gate(read_keys(LINES, "here"))


@pytest.fixture
def service(every: dict[str, Model], gate: Gate, lines: list[Line]) -> Front:
    """Five models behind keys, and Vertex AI's two methods at one path."""
    return app(every, access=lines.append, gate=gate, vertex=Vertex("/vertex", "/vertex"))


@pytest.fixture
def alone(every: dict[str, Model], gate: Gate) -> Front:
    """One model behind keys, which is the default."""
    return app(every["cost"], access=None, gate=gate)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


WAYS = [
    ("/models/{}/predict", ROW, "detail"),
    ("/v2/models/{}/infer", {"inputs": COLUMNS}, "error"),
    ("/v1/models/{}:predict", {"instances": [ROW]}, "error"),
]


@pytest.mark.parametrize(("path", "body", "word"), WAYS)
def test_a_key_is_for_its_models(service: Front, path: str, body: Any, word: str) -> None:
    for key in (ALL, COST, ADMIN):
        assert post(service, path.format("cost"), body, headers=bearer(key)).status == 200
        assert post(service, path.format("cost"), body, headers={"x-api-key": key}).status == 200
    assert post(service, path.format("nothing"), body, headers=bearer(ALL)).status == 404
    hidden = [post(service, path.format(name), body, headers=bearer(COST)) for name in ("costs", "nothing")]
    for answer in hidden:  # word by word, and header by header: the same whether there is such a model
        assert answer.status == 403
        assert answer.json()[word] == "expected a key for this model, found one for others"
        assert "www-authenticate" not in answer.headers
    assert hidden[0].headers.keys() == hidden[1].headers.keys()
    assert "x-model-version" not in hidden[0].headers


@pytest.mark.parametrize(("path", "body", "word"), WAYS)
@pytest.mark.parametrize("name", ["cost", "nothing"])
def test_without_a_key_nothing_is_said_of_models(service: Front, path: str, body: Any, word: str, name: str) -> None:
    answer = post(service, path.format(name), body)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="pipetwin"'
    assert answer.json()[word] == "expected a key as Authorization: Bearer or X-API-Key, found none"
    assert "x-model-version" not in answer.headers
    assert request(service, "GET", path.format(name)).status == 401  # before 405, which would tell


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, ""),
        (bearer("k-nobody"), "invalid_token"),
        ({"x-api-key": "k-nobody"}, "invalid_token"),
        ({**bearer(ALL), "x-api-key": COST}, "invalid_request"),
        ({**bearer(ALL), "x-api-key": ""}, "invalid_request"),
        ({"authorization": f"Basic {ALL}"}, "invalid_token"),
        ({"authorization": "Bearer"}, "invalid_token"),
        ({"authorization": ALL}, "invalid_token"),
        ({"x-api-key": ""}, "invalid_token"),
        ({"x-api-key": " "}, "invalid_token"),
        ({"x-api-key": "x" * 100_000}, "invalid_token"),
    ],
)
def test_a_key_that_is_not_one(service: Front, headers: Mapping[str, str], error: str) -> None:
    answer = get(service, "/models", headers=headers)
    assert answer.status == 401
    said = answer.headers["www-authenticate"]
    assert said == 'Bearer realm="pipetwin"' + (f', error="{error}"' if error else "")


HEADER_NAMES = st.sampled_from((b"authorization", b"x-api-key", b"cookie", b"x-api-key ", b"proxy-authorization"))
CLOSE = st.builds(
    lambda place, letters, cut: f"{ALL[:place]}{letters}{ALL[place + cut :]}",
    st.integers(0, len(ALL)),
    st.text(st.characters(max_codepoint=255), max_size=2),
    st.integers(0, 2),
)


@given(st.lists(st.tuples(HEADER_NAMES, st.binary(max_size=40) | CLOSE.map(lambda text: text.encode("latin-1")))))
def test_nothing_but_the_key_is_the_key(headers: list[tuple[bytes, bytes]]) -> None:
    gate = Gate(read_keys(key_line("all", ALL), "here"))
    bearers = [(name, b"Bearer " + value if name == b"authorization" else value) for name, value in headers]
    for sent in (headers, bearers):
        values = {value for name, value in headers if name == b"x-api-key"}
        values |= {value.strip(b" ") if sent is bearers else b"" for name, value in headers if name == b"authorization"}
        if values == {ALL.encode()}:
            assert gate.known(sent).name == "all"
        else:
            with pytest.raises(Refusal) as caught:
                gate.known(sent)
            assert caught.value.status == 401


def test_without_keys_nothing_stands_before_a_prediction(every: dict[str, Model]) -> None:
    found = app(every, access=None).serving.paths.values()
    assert found
    assert {type(endpoint) for endpoint in found} == {Endpoint}


def test_a_key_that_is_sent_twice_is_one(service: Front) -> None:
    assert get(service, "/models", headers={**bearer(ALL), "x-api-key": ALL}).status == 200
    assert get(service, "/models", headers={"authorization": f"bEARER   {ALL}"}).status == 200


def test_nothing_is_no_key(every: dict[str, Model]) -> None:
    """Even where somebody has put the hash of nothing into the file."""
    service = app(every, access=None, gate=Gate(read_keys(key_line("empty", ""), "here")))
    assert get(service, "/models", headers={"x-api-key": ""}).status == 401
    assert get(service, "/models", headers={"authorization": "Bearer "}).status == 401


LISTS: dict[str, Callable[[Any], list[str]]] = {
    "/models": lambda found: [one["name"] for one in found["models"]],
    "/v1/models": lambda found: found["models"],
    "/v2/models": lambda found: found["models"],
    "/v2/repository/index": lambda found: [one["name"] for one in found],
    "/health": lambda found: sorted(found["models"]),
    "/schema": lambda found: sorted(one.split(".")[0] for one in found["components"]["schemas"] if ".Row" in one),
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_show_what_the_key_is_for(service: Front, every: dict[str, Model], path: str) -> None:
    method = "POST" if path.endswith("index") else "GET"
    for key, names in ((ALL, sorted(every)), (COST, ["cost"])):
        answer = request(service, method, path, headers=bearer(key))
        assert LISTS[path](answer.json()) == names
        assert ("flights" in answer.body.decode()) == (key == ALL)


def test_an_error_names_no_model_that_the_key_is_not_for(every: dict[str, Model], gate: Gate) -> None:
    few = {name: every[name] for name in ("flights", "twice")}
    service = app(few, access=None, gate=gate)
    for path in ("/predict", "/invocations", "/models/cost/predict", "/v2/models/cost/infer"):
        answer = post(service, path, ROW, headers=bearer(COST))
        assert answer.status == 404
        assert "flights" not in answer.body.decode()
    assert "flights" in post(service, "/predict", ROW, headers=bearer(ALL)).body.decode()
    assert get(service, "/models/cost", headers=bearer(COST)).status == 404
    assert get(service, "/models/flights", headers=bearer(COST)).status == 403


def test_the_default_model_asks_for_its_key(alone: Front, every: dict[str, Model], gate: Gate) -> None:
    for path, body in (("/predict", ROW), ("/invocations", {"inputs": ROW})):
        assert post(alone, path, body).status == 401
        assert post(alone, path, body, headers=bearer(COST)).status == 200
        other = app(every["twice"], access=None, gate=gate)
        assert post(other, path, body, headers=bearer(COST)).status == 403
    schema = get(
        app({"default": every["twice"], "cost": every["cost"]}, access=None, gate=gate), "/schema", headers=bearer(COST)
    )
    assert "/models/cost/predict" in schema.json()["paths"]
    assert "/predict" not in schema.json()["paths"]  # which speaks of the other


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/health/ready", "/metrics", "/ping", "/", "/v2/health/ready"]
)
def test_health_is_open_and_names_nobody(service: Front, path: str) -> None:
    for headers in ({}, bearer("k-nobody")):
        answer = get(service, path, headers=headers)
        assert answer.status == 200
        assert path == "/metrics" or "flights" not in answer.body.decode()


def test_two_methods_at_one_path(every: dict[str, Model], gate: Gate) -> None:
    service = app(every["cost"], access=None, gate=gate, vertex=Vertex("/vertex", "/vertex"))
    assert get(service, "/vertex").status == 200
    assert post(service, "/vertex", {"instances": [ROW]}).status == 401
    assert request(service, "PUT", "/vertex").status == 401
    assert post(service, "/vertex", {"instances": [ROW]}, headers=bearer(COST)).status == 200


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/models/cost/predict", {"status": 401, "title": "Unauthorized"}),
        ("/v2/models/cost/infer", {"error": "expected a key as Authorization: Bearer or X-API-Key, found none"}),
        ("/v1/models/cost:predict", {"error": "expected a key as Authorization: Bearer or X-API-Key, found none"}),
        ("/invocations", {"error_code": "UNAUTHENTICATED"}),
    ],
)
def test_each_dialect_says_it_in_its_own_words(service: Front, path: str, shape: dict[str, Any]) -> None:
    answer = post(service, path, ROW)
    assert answer.status == 401
    assert shape.items() <= answer.json().items()


def test_mlflow_says_forbidden(every: dict[str, Model], gate: Gate) -> None:
    answer = post(app(every["twice"], access=None, gate=gate), "/invocations", {"inputs": ROW}, headers=bearer(COST))
    assert (answer.status, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_a_request_is_refused_before_its_body_is_read(service: Front) -> None:
    def body() -> Iterator[bytes]:
        yield b"{"
        raise AssertionError("expected nobody to read on")

    parts: Any = body()
    assert request(service, "POST", "/models/cost/predict", [next(parts)]).status == 401


def test_overload_is_told_to_whom_has_a_key(service: Front, lines: list[Line]) -> None:
    full = service.refusing(Refusal(503, "overloaded", "expected fewer requests"))
    for path, word in (("/models/cost/predict", "detail"), ("/v2/models/cost/infer", "error")):
        assert post(full, path, ROW).status == 401
        assert post(full, path.replace("cost", "costs"), ROW, headers=bearer(COST)).status == 403
        answer = post(full, path, ROW, headers=bearer(COST))
        assert (answer.status, answer.json()[word]) == (503, "expected fewer requests")


def test_a_key_for_the_default_model_is_for_no_other_that_becomes_it(every: dict[str, Model], gate: Gate) -> None:
    """While the body is on its way, another model comes to be the default."""
    service = app(every["cost"], access=None, gate=gate)
    parts = [b'{"x": 1, ', b'"y": 2}']

    class Parts(list[dict[str, Any]]):
        def pop(self, index: Any = -1) -> dict[str, Any]:
            if len(self) == 2:  # the body's last part, and the end
                service.serving.serve(catalog(every["twice"]))
            return super().pop(index)

    answer = request(service, "POST", "/predict", parts, headers=bearer(COST), received=Parts())
    assert service.serving.catalog.default == "twice"
    assert answer.status == 200
    assert "prediction" in answer.json()
    assert post(service, "/predict", ROW, headers=bearer(COST)).status == 403


def test_refusals_are_logged_without_the_key(service: Front, lines: list[Line]) -> None:
    post(service, "/models/cost/predict", ROW, headers=bearer("k-nobody"))
    get(service, "/models", headers=bearer("k-nobody"))
    assert [(line.route, line.status) for line in lines] == [("/models/{name}/predict", 401), ("/models", 401)]
    assert "k-nobody" not in repr(lines)


def test_metrics_may_be_left_to_the_admin_address(every: dict[str, Model]) -> None:
    service = app(every, access=None, private_metrics=True)
    assert get(service, "/metrics").status == 404
    assert "/metrics" not in get(service, "/schema").json()["paths"]
    assert "/metrics" in get(app(every, access=None), "/schema").json()["paths"]


def test_the_schema_says_which_keys(service: Front, every: dict[str, Model]) -> None:
    found = get(service, "/schema", headers=bearer(ALL)).json()
    assert found["components"]["securitySchemes"].keys() == {"bearer", "header"}
    assert found["security"] == [{"bearer": []}, {"header": []}]
    for path, methods in found["paths"].items():
        for operation in methods.values():
            is_open = path.startswith(("/health", "/v2/health")) or path in ("/metrics", "/", "/ping")
            assert (operation.get("security") == []) == is_open
            assert ("401" in operation["responses"]) == ("security" not in operation)
    assert "security" not in get(app(every, access=None), "/schema").json()


@pytest.mark.parametrize(
    "path",
    [
        "/models%2Fcost",
        "/models/cost%2Fpredict",
        "/models/cost%2fpredict",
        "/v2/models/cost%2Finfer",
        "/v2/models/a%2F..%2Fcost",
        "/v1/models/cost%2Fversions",
        "/models/..%2Fcost/predict",
        "/models/http:%2F%2Fx",
        "/models/%2e%2e/cost",
        "/models/./cost",
        "/models/cost%00",
        "/models/COST",
        "/models/cost.",
        "/models/cost;x=1",
        "/models/co%ef%bd%93t",
        "/v2/models/https:%2F%2Fx%2Fy/ready",
        "/v2/models/..",
        "/v2/models/cost\\ready",
        "/v1/models/cost%5C",
    ],
)
def test_no_route_takes_a_path_or_an_address(service: Front, path: str) -> None:
    for method in ("GET", "POST"):
        answer = request(service, method, path, headers=bearer(ALL))
        assert answer.status in (404, 405), (method, answer)
        assert json.loads(answer.body)
    assert request(service, "GET", path, headers=bearer(ALL)).status == 404
