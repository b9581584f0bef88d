"""KServe version 1, TF Serving and Vertex AI: rows as instances, columns as inputs, and their pages."""

import json
from base64 import b64encode
from typing import Any

import pytest

from runtime import Model
from runtime.service import app
from runtime.service.catalog import Catalog
from runtime.service.dialects.oip_metadata import datatype_of
from runtime.service.front import Front
from runtime.service.logs import Line

from .. import bundles
from ..asgi import get, post
from ..conftest import ROW
from .conftest import VERTEX
from .forms import columns, strict

V = bundles.VERSION
OTHER = ROW | {"d.e": 9.5, "flag": False, "gap": 0.25, "carrier": None}
ROWS = [ROW, OTHER]
PREDICT = "/v1/models/flights:predict"


def test_pages_of_kserve(service: Front, empty: Front) -> None:
    assert get(service, "/").json() == {"status": "alive"}
    assert get(service, "/v1/models").json() == {"models": ["both", "cost", "costs", "default", "flights", "twice"]}
    assert get(empty, "/").status == 200
    assert get(empty, "/v1/models/flights").status == 503


def test_a_models_page_has_the_keys_of_both(service: Front) -> None:
    status = {"version": V, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert get(service, "/v1/models/flights").json() == {
        "name": "flights",
        "ready": True,
        "model_version_status": [status],
    }
    assert get(service, f"/v1/models/flights/versions/{V}").json() == {"model_version_status": [status]}


def test_metadata(service: Front) -> None:
    found = get(service, "/v1/models/flights/metadata").json()
    assert found["model_spec"] == {"name": "flights", "signature_name": "", "version": V}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert signatures.keys() == {"serving_default", "predict", "predict_proba"}
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    types = {name: tensor["dtype"] for name, tensor in default["inputs"].items()}
    assert (types["d.e"], types["carrier"], types["code"], types["flag"]) == (
        "DT_DOUBLE",
        "DT_STRING",
        "DT_INT64",
        "DT_BOOL",
    )
    shape = {"dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}], "unknown_rank": False}
    tensor = signatures["predict_proba"]["outputs"]["predict_proba"]
    assert tensor == {"dtype": "DT_DOUBLE", "tensor_shape": shape, "name": "predict_proba"}


@pytest.mark.parametrize("path", [PREDICT, f"/v1/models/flights/versions/{V}:predict"])
def test_instances_and_inputs(service: Front, flights: Model, lines: list[Line], path: str) -> None:
    expected = flights.predict(ROWS).tolist()
    instances = ([*ROWS], [[*row.values(), None] for row in ROWS], [{k: [v] for k, v in r.items()} for r in ROWS])
    for rows in instances:
        assert strict(post(service, path, {"instances": rows}).body) == {"predictions": expected}
    nested = {name: [[value] for value in values] for name, values in columns(ROWS).items()}
    for inputs in (columns(ROWS), nested, ROWS):
        assert strict(post(service, path, {"inputs": inputs}).body) == {"outputs": expected}
    assert {(line.model, line.status, line.rows) for line in lines} == {("flights", 200, 2)}


def test_any_content_type_will_do(service: Front) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}  # what curl -d says
    assert post(service, PREDICT, {"instances": ROWS}, headers=headers).status == 200


def test_a_signature_is_a_method(service: Front, flights: Model) -> None:
    body = {"signature_name": "predict_proba", "instances": ROWS}
    assert post(service, PREDICT, body).json() == {"predictions": flights.predict_proba(ROWS).tolist()}
    assert post(service, PREDICT, body | {"signature_name": "serving_default"}).json()["predictions"][0] in (
        "late",
        "on time",
    )
    for name in ("nothing", 7, None):
        assert post(service, PREDICT, body | {"signature_name": name}).status == 400


def test_text_in_base_64(service: Front, flights: Model) -> None:
    encoded = {"b64": b64encode(b"UA").decode()}
    assert post(service, PREDICT, {"instances": [ROW | {"carrier": encoded}]}).json()["predictions"] == (
        flights.predict([ROW]).tolist()
    )
    for wrong in ({"b64": "*"}, {"b64": 1}, {"b64": "/w=="}, {"b64": "VUE=", "more": 1}):
        assert post(service, PREDICT, {"instances": [ROW | {"carrier": wrong}]}).status == 400


def test_a_model_of_one_column(tmp_path: Any) -> None:
    from runtime import load

    service = app(load(bundles.transformer(tmp_path / "one", bundles.numbers(("x",)))))
    assert post(service, "/v1/models/one:predict", {"instances": [1, 2.5]}).json() == {"predictions": [[2.0], [5.0]]}
    assert post(service, "/v1/models/one:predict", {"inputs": [[1], [2.5]]}).json() == {"outputs": [[2.0], [5.0]]}


def test_classify_and_regress(service: Front, every: dict[str, Model]) -> None:
    shared = {name: value for name, value in ROW.items() if name != "d.e"}
    found = post(service, "/v1/models/flights:classify", {"context": shared, "examples": [{"d.e": -2}, {"d.e": 9.5}]})
    expected = every["flights"].predict_proba([ROW, ROW | {"d.e": 9.5}]).tolist()
    assert found.json() == {
        "result": [[list(pair) for pair in zip(("late", "on time"), row, strict=True)] for row in expected]
    }
    found = post(service, "/v1/models/cost:regress", {"examples": [{"x": 1, "y": 2}]})
    assert found.json() == {"result": every["cost"].predict([[1, 2]]).tolist()}
    for path in ("cost:classify", "flights:regress", "both:classify", "twice:regress"):
        assert post(service, f"/v1/models/{path}", {"examples": []}).status == 400
    wrong: tuple[Any, ...] = ({}, {"examples": 1}, {"examples": [1]}, {"examples": [], "context": 1}, {"instances": []})
    for body in wrong:
        assert post(service, "/v1/models/cost:regress", body).status == 400


@pytest.mark.parametrize("path", [PREDICT, VERTEX])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"1",
        {},
        {"instances": 1},
        {"instances": {}},
        {"instances": [1]},
        {"instances": ROWS, "inputs": columns(ROWS)},
        {"instances": ROWS, "more": 1},
        {"instances": [ROW | {"more": 1}]},
        {"instances": [ROW | {"d.e": "1"}]},
        {"instances": [ROW | {"d.e": True}]},
        {"instances": [ROW | {"d.e": None}]},
        {"instances": [ROW | {"flag": 1}]},
        {"instances": [ROW | {"carrier": 1}]},
        {"instances": [ROW | {"carrier": {}}]},
        {"instances": [ROW | {"code": True}]},
        {"instances": [ROW | {"code": 7}]},
        {"instances": [ROW | {"capped": 6}]},
        {"instances": [ROW | {"d.e": 10**400}]},
        {"instances": [{}]},
        {"instances": [[]]},
        {"inputs": columns([ROW]) | {"more": [1]}},
        {"inputs": {}},
        {"inputs": 1},
        b'{"instances": [[NaN, Infinity]]}',
    ],
)
def test_what_is_refused(service: Front, path: str, body: Any) -> None:
    answer = post(service, path, body)
    assert answer.status == 400, answer
    assert strict(answer.body).keys() == {"error"}


def test_what_is_not_served(service: Front, empty: Front) -> None:
    for path in (
        "/v1/models/no:predict",
        "/v1/models/flights/versions/7:predict",
        "/v1/models/flights/labels/x:predict",
    ):
        answer = post(service, path, {"instances": []})
        assert answer.status == 404
        assert strict(answer.body).keys() == {"error"}
        assert post(empty, path, {"instances": []}).status == 503
    assert get(service, PREDICT).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/m@staging:predict",
        "/v1/models/m/labels/staging:predict",
        "/v2/models/m@staging/infer",
        "/v2/models/m/versions/staging/infer",
    ],
)
def test_an_alias_answers_as_its_model(every: dict[str, Model], path: str) -> None:
    service = app(Catalog({"m": every["cost"]}, {"m": {"staging": every["twice"]}}))
    tensor = {"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}
    answer = post(service, path, {"inputs": [tensor]} if "/v2/" in path else {"instances": [[1, 2]]})
    assert answer.status == 200
    assert answer.headers["x-model-version"] == every["twice"].version
    found = answer.json()
    assert (found["outputs"][0]["data"] if "/v2/" in path else found["predictions"][0]) == [2.0, 4.0]
    other = post(service, path.replace("staging", "none"), {})
    assert other.status == 404
    assert strict(other.body).keys() == {"error"}


def test_whoever_asks_for_readiness_is_told_that_the_end_comes(service: Front) -> None:
    ready = ("/ping", "/health", "/health/ready", "/v2/health/ready", "/v2/models/flights/ready", VERTEX)
    paths = (*ready, "/v1/models/flights")
    alive = ("/", "/health/live", "/v2/health/live", "/v1/models", "/v2/models/flights")
    assert {get(service, path).status for path in (*paths, *alive)} == {200}
    service.serving.draining = True
    assert {get(service, path).status for path in paths} == {503}
    assert {get(service, path).status for path in alive} == {200}
    assert post(service, PREDICT, {"instances": ROWS}).status == 200
    assert get(service, "/v2/health/ready").json() == {"error": "this process is about to end"}


def test_labels_are_aliases(every: dict[str, Model]) -> None:
    service = app(Catalog({"m": every["cost"]}, {"m": {"staging": every["twice"]}}))
    body = {"instances": [[1, 2]]}
    assert post(service, "/v1/models/m/labels/staging:predict", body).json() == {"predictions": [[2.0, 4.0]]}
    assert post(service, "/v1/models/m:predict", body).json() == {
        "predictions": every["cost"].predict([[1, 2]]).tolist()
    }
    assert get(service, "/v1/models/m/labels/staging").status == 200
    assert get(service, "/v1/models/m/labels/staging/metadata").status == 200


def test_vertex_asks_one_path_with_two_methods(service: Front, flights: Model, empty: Front) -> None:
    assert get(service, VERTEX).status == 200
    body = {"instances": ROWS, "parameters": {"anything": [1]}}
    assert strict(post(service, VERTEX, body).body) == {"predictions": flights.predict(ROWS).tolist()}
    assert get(empty, VERTEX).status == 503
    assert post(empty, VERTEX, body).status == 503


def test_vertex_asks_two_paths(numeric: Front) -> None:
    assert get(numeric, "/healthy").status == 200
    assert post(numeric, "/score", {"instances": [[1, 2]]}).status == 200
    assert post(numeric, "/healthy", {"instances": [[1, 2]]}).status == 405
    assert get(numeric, "/score").status == 405


@pytest.mark.parametrize("name", ["flights", "both", "cost", "costs", "twice"])
def test_no_rows_are_answered_with_none(every: dict[str, Model], name: str) -> None:
    service = app(every[name], access=None)
    for path, key in ((f"/v1/models/{name}:predict", "predictions"), ("/invocations", "predictions")):
        assert post(service, path, {"instances": []}).json() == {key: []}
    assert post(service, "/invocations", []).json() == []
    names = [feature.name for feature in every[name].manifest.columns]
    inputs = [
        {"name": column, "shape": [0], "datatype": datatype_of(feature), "data": []}
        for column, feature in zip(names, every[name].manifest.columns, strict=True)
    ]
    answer = post(service, f"/v2/models/{name}/infer", {"inputs": inputs})
    assert answer.status == 200
    assert all(output["shape"][0] == 0 and output["data"] == [] for output in answer.json()["outputs"])
    raw = [
        {k: v for k, v in tensor.items() if k != "data"} | {"parameters": {"binary_data_size": 0}} for tensor in inputs
    ]
    text = json.dumps({"inputs": raw, "parameters": {"binary_data_output": True}}).encode()
    answer = post(
        service, f"/v2/models/{name}/infer", text, headers={"inference-header-content-length": str(len(text))}
    )
    assert answer.status == 200
