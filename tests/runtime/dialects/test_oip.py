"""The Open Inference Protocol: pages, tensors as JSON and behind it, what is refused."""

import json
from typing import Any

import numpy as np
import pytest

from runtime import Model
from runtime.service.front import Front
from runtime.service.logs import Line

from .. import bundles
from ..asgi import get, post, request
from ..conftest import ROW
from .forms import binary, infer, infer_binary, outputs, strict, tensors

V = bundles.VERSION
OTHER = ROW | {"d.e": 9.5, "flag": False, "gap": 0.25, "carrier": None}


def test_the_server(service: Front) -> None:
    found = get(service, "/v2").json()
    assert found.keys() == {"name", "version", "extensions"}
    assert "binary_tensor_data" in found["extensions"]
    assert get(service, "/v2/health/live").json() == {"live": True}
    assert get(service, "/v2/health/ready").json()["ready"] is True
    assert get(service, "/v2/models").json() == {"models": ["both", "cost", "costs", "default", "flights", "twice"]}


def test_the_index(service: Front) -> None:
    found = post(service, "/v2/repository/index", {"ready": True}).json()
    assert found[0] == {"name": "both", "version": V, "state": "READY", "reason": ""}
    assert post(service, "/v2/repository/index", b"").json() == found


def test_no_model_is_live_but_not_ready(empty: Front) -> None:
    assert get(empty, "/v2/health/live").status == 200
    answer = get(empty, "/v2/health/ready")
    assert (answer.status, answer.json()["error"]) == (503, "no model is loaded")
    assert get(empty, "/v2/models/flights/ready").status == 503
    assert post(empty, "/v2/repository/index", {}).json() == []


@pytest.mark.parametrize("path", ["/v2/models/flights", f"/v2/models/flights/versions/{V}", "/v2/models/flights/"])
def test_metadata(service: Front, path: str) -> None:
    answer = get(service, path)
    found = answer.json()
    assert answer.headers["x-model-version"] == V
    assert (found["name"], found["versions"], found["platform"]) == ("flights", [V], "onnxruntime_onnx")
    assert [tensor["name"] for tensor in found["inputs"]] == list(ROW)
    assert found["inputs"][0] == {"name": "dep time", "datatype": "FP64", "shape": [-1]}
    assert {t["name"]: t["datatype"] for t in found["inputs"][6:]} == {
        "carrier": "BYTES",
        "code": "INT64",
        "flag": "BOOL",
    }
    assert found["outputs"] == [
        {"name": "predict", "datatype": "BYTES", "shape": [-1]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
    ]


def test_a_method_that_returns_a_list_is_several_outputs(service: Front, every: dict[str, Model]) -> None:
    assert [o["name"] for o in get(service, "/v2/models/both").json()["outputs"]] == [
        "predict",
        "predict_proba_0",
        "predict_proba_1",
    ]
    rows = np.array([[1.0, -1.0, 0.0], [-2.0, 3.0, 4.0]])
    answer = infer(service, [{"name": "X", "shape": [2, 3], "datatype": "FP64", "data": rows.tolist()}], model="both")
    found = outputs(answer)
    assert found["predict"].tolist() == every["both"].predict(rows).tolist()
    for index, expected in enumerate(every["both"].predict_proba(rows)):
        assert (found[f"predict_proba_{index}"] == expected).all()


@pytest.mark.parametrize("path", ["/v2/models/flights/ready", f"/v2/models/flights/versions/{V}/ready"])
def test_ready(service: Front, path: str) -> None:
    assert get(service, path).json() == {"name": "flights", "ready": True}


@pytest.mark.parametrize("path", ["/v2/models/no", "/v2/models/no/ready", "/v2/models/flights/versions/1"])
def test_what_is_not_served(service: Front, path: str) -> None:
    answer = get(service, path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert strict(answer.body).keys() == {"error"}


def test_infer(service: Front, flights: Model, lines: list[Line]) -> None:
    answer = infer(service, tensors([ROW, OTHER]), id="r 1")
    found = strict(answer.body)
    assert (found["model_name"], found["model_version"], found["id"]) == ("flights", V, "r 1")
    assert answer.headers["x-model-version"] == V
    tensor = outputs(answer)
    assert tensor["predict"].tolist() == flights.predict([ROW, OTHER]).tolist()
    assert (tensor["predict_proba"] == flights.predict_proba([ROW, OTHER])).all()
    assert (lines[0].route, lines[0].model, lines[0].rows) == ("/v2/models/{name}/infer", "flights", 2)
    assert "id" not in infer(service, tensors([ROW])).json()


def test_infer_of_a_version(service: Front) -> None:
    path = f"/v2/models/flights/versions/{V}/infer"
    assert post(service, path, {"inputs": tensors([ROW])}).status == 200
    assert post(service, path.replace(V, "7"), {"inputs": tensors([ROW])}).status == 404


def test_outputs_that_are_asked_for(service: Front) -> None:
    found = infer(service, tensors([ROW]), outputs=[{"name": "predict_proba"}]).json()["outputs"]
    assert [output["name"] for output in found] == ["predict_proba"]
    answer = infer(service, tensors([ROW]), outputs=[{"name": "nothing"}])
    assert answer.status == 400
    assert answer.json()["error"] == "expected outputs among predict, predict_proba, found another"


@pytest.mark.parametrize("shape", [[2], [2, 1]])
@pytest.mark.parametrize("nested", [False, True])
def test_columns_flat_or_nested(numeric: Front, shape: list[int], nested: bool) -> None:
    def data(values: list[Any]) -> list[Any]:
        return [[value] for value in values] if nested else values

    inputs = [
        {"name": "y", "shape": shape, "datatype": "FP32", "data": data([1, None])},
        {"name": "x", "shape": shape, "datatype": "INT32", "data": data([3, -4])},
    ]
    answer = infer(numeric, inputs, model="default")
    if nested and len(shape) == 1:
        assert answer.status == 400
    else:
        expected = numeric.serving.catalog.models["default"].predict({"x": [3.0, -4.0], "y": [1.0, np.nan]})
        assert (outputs(answer)["predict"] == expected).all()


@pytest.mark.parametrize("name", ["X", "input-0"])
@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64", "UINT8"])
def test_one_matrix(numeric: Front, name: str, datatype: str) -> None:
    rows = [[1, 2], [3, 4], [5, 6]]
    expected = numeric.serving.catalog.models["default"].predict(np.array(rows, float))
    for data in (rows, [1, 2, 3, 4, 5, 6]):
        tensor = {"name": name, "shape": [3, 2], "datatype": datatype, "data": data}
        assert (outputs(infer(numeric, [tensor], model="default"))["predict"] == expected).all()
        body, length = binary([tensor])
        assert (outputs(infer_binary(numeric, body, length, model="default"))["predict"] == expected).all()


def test_binary(service: Front, flights: Model) -> None:
    rows = [ROW | {"gap": 1.0}, OTHER | {"gap": float("nan"), "carrier": "ZZ é"}]
    body, length = binary(tensors(rows), parameters={"binary_data_output": True}, id="b")
    answer = infer_binary(service, body, length)
    assert answer.headers["content-type"] == "application/octet-stream"
    found = outputs(answer)
    assert found["predict"].tolist() == flights.predict(rows).tolist()
    assert (found["predict_proba"] == flights.predict_proba(rows)).all()


def test_an_output_says_for_itself_whether_it_is_binary(service: Front) -> None:
    asked = [{"name": "predict", "parameters": {"binary_data": False}}, {"name": "predict_proba"}]
    body, length = binary(tensors([ROW | {"gap": 1}]), parameters={"binary_data_output": True}, outputs=asked)
    answer = infer_binary(service, body, length)
    head = json.loads(answer.body[: int(answer.headers["inference-header-content-length"])])
    assert ["data" in output for output in head["outputs"]] == [True, False]
    assert outputs(answer).keys() == {"predict", "predict_proba"}
    asked = [{"name": "predict_proba", "parameters": {"binary_data": True}}]
    assert outputs(infer(service, tensors([ROW]), outputs=asked))["predict_proba"].shape == (1, 2)


def test_json_and_binary_inputs_may_be_mixed(service: Front, flights: Model) -> None:
    inputs = tensors([ROW])
    body, length = binary(inputs[:3])
    head = json.loads(body[:length])
    head["inputs"] += inputs[3:]
    text = json.dumps(head).encode()
    answer = infer_binary(service, text + body[length:], len(text))
    assert outputs(answer)["predict"].tolist() == flights.predict([ROW]).tolist()


@pytest.mark.parametrize(("platform", "path"), [("sagemaker", "/invocations"), ("vertex-ai", "/score")])
def test_the_length_in_the_media_type(numeric: Front, platform: str, path: str) -> None:
    tensor = {"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}
    body, length = binary([tensor], parameters={"binary_data_output": True})
    kind = f"application/vnd.{platform}-triton.binary+json;json-header-size="
    for place in (path, "/v2/models/default/infer"):
        answer = request(numeric, "POST", place, body, headers={"content-type": f"{kind}{length}"})
        assert answer.headers["content-type"].startswith(kind)
        assert outputs(answer)["predict"].shape == (1,)
        assert request(numeric, "POST", place, body, headers={"content-type": f"{kind}x"}).status == 400


@pytest.mark.parametrize("length", ["", "-1", "1e3", "99999999", "9" * 30, "+5", "0"])
def test_lengths_that_are_none(service: Front, length: str) -> None:
    body, _ = binary(tensors([ROW | {"gap": 1}]))
    answer = infer_binary(service, body, length)
    assert answer.status == 400
    assert strict(answer.body).keys() == {"error"}


X = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}
Y = {**X, "name": "y"}


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b"[]", "object"),
        (b"null", "object"),
        (b"\xff", "expected JSON"),
        ({}, "missing required field inputs"),
        ({"inputs": []}, "found none"),
        ({"inputs": 1}, "expected array"),
        ({"inputs": [X, X]}, "found one twice"),
        ({"inputs": [X, {**Y, "name": "z"}]}, "unknown field 'z'"),
        ({"inputs": [X, {**Y, "shape": [2]}]}, "expected 2 elements as its shape says, got 1"),
        ({"inputs": [X, {**Y, "shape": [2], "data": [1, 2]}]}, "expected 1 values, as elsewhere, got 2"),
        ({"inputs": [X, {**Y, "shape": [-1]}]}, "expected a shape"),
        ({"inputs": [X, {**Y, "shape": []}]}, "expected a shape"),
        ({"inputs": [X, {**Y, "shape": [1, 1, 1]}]}, "expected a shape"),
        ({"inputs": [X, {**Y, "shape": [10**30]}]}, "expected"),
        ({"inputs": [X, {**Y, "shape": [1, 2], "data": [1, 2]}]}, "shape [N] or [N, 1]"),
        ({"inputs": [X, {**Y, "datatype": "FP65"}]}, "expected a datatype among"),
        ({"inputs": [X, {**Y, "datatype": "FP16"}]}, "use the binary data format"),
        ({"inputs": [X, {**Y, "datatype": "BYTES", "data": ["1"]}]}, "expected datatype FP64, got BYTES"),
        ({"inputs": [X, {**Y, "data": ["1"]}]}, "another type"),
        ({"inputs": [X, {**Y, "data": [True]}]}, "another type"),
        ({"inputs": [X, {**Y, "data": [{}]}]}, "another type"),
        ({"inputs": [X, {**Y, "data": {}}]}, "expected data as an array"),
        ({"inputs": [X, {"name": "y", "shape": [1], "datatype": "FP64"}]}, "expected data as an array"),
        ({"inputs": [X, {**Y, "datatype": "INT64", "data": [1.5]}]}, "another type"),
        ({"inputs": [X, {**Y, "datatype": "UINT8", "data": [-1]}]}, "that UINT8 can hold"),
        ({"inputs": [X, {**Y, "datatype": "UINT8", "data": [256]}]}, "that UINT8 can hold"),
        ({"inputs": [X, {**Y, "data": [10**400]}]}, "expected"),
        ({"inputs": [X, {**Y, "shape": [1, 1], "data": [[1, 2]]}]}, "nested as its shape says"),
        ({"inputs": [X, {**Y, "shape": [2, 1], "data": [[1], 2]}]}, "nested as its shape says"),
        ({"inputs": [X, {**Y, "shape": [1, 1], "data": [[[1]]]}]}, "another type"),
        ({"inputs": [{**X, "parameters": {"binary_data_size": 8}}, Y]}, "number of bytes within the body"),
        ({"inputs": [{**X, "parameters": {"binary_data_size": "8"}}, Y]}, "number of bytes within the body"),
        ({"inputs": [{**X, "parameters": {"binary_data_size": -8}}, Y]}, "number of bytes within the body"),
        ({"inputs": [{**X, "parameters": {"binary_data_size": True}}, Y]}, "number of bytes within the body"),
        ({"inputs": [X, Y], "id": 7}, "expected str"),
        ({"inputs": [X, Y], "outputs": [7]}, "expected object"),
        ({"inputs": [X, Y], "parameters": []}, "expected object"),
        ({"inputs": [{"name": "X", "shape": [2], "datatype": "FP64", "data": [1, 2]}]}, "[N, 2]"),
        ({"inputs": [{"name": "X", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}, "2 columns"),
        (b'{"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [Infinity, 1]}]}', "finite"),
        (b'{"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [nan, 1]}]}', "expected JSON"),
    ],
)
def test_what_is_refused(numeric: Front, body: Any, part: str) -> None:
    answer = post(numeric, "/v2/models/default/infer", body)
    assert answer.status == 400, answer
    found = strict(answer.body)
    assert found.keys() == {"error"}
    assert part in found["error"]


def test_a_missing_column(service: Front, numeric: Front) -> None:
    answer = infer(service, [tensor for tensor in tensors([ROW]) if tensor["name"] != "capped"])
    assert (answer.status, answer.json()["error"]) == (400, "missing required field 'capped'")
    assert infer(numeric, [X], model="default").status == 200


def test_missing_values_only_where_the_pipeline_takes_them(service: Front) -> None:
    for name, status in (("gap", 200), ("carrier", 200), ("d.e", 400), ("code", 400), ("flag", 400)):
        assert infer(service, tensors([ROW | {name: None}])).status == status, name
    answer = infer(service, tensors([ROW | {"d.e": float("nan")}]))
    assert (answer.status, answer.json()["error"]) == (400, "$.d.e: expected a value, got a missing one")
    assert infer(service, tensors([ROW | {"gap": float("nan")}])).status == 200


def test_a_range_is_enforced_and_categories_are_known(service: Front) -> None:
    assert infer(service, tensors([ROW | {"capped": 5.5}])).status == 400
    assert infer(service, tensors([ROW | {"code": 9}])).status == 400
    assert infer(service, tensors([ROW | {"code": 2**53 + 1}])).status == 200


def test_a_matrix_cannot_hold_categories(service: Front) -> None:
    tensor = {"name": "X", "shape": [1, 10], "datatype": "FP64", "data": [1] * 10}
    answer = infer(service, [tensor])
    assert answer.status == 400
    assert "one input a column" in answer.json()["error"]


@pytest.mark.parametrize(
    ("datatype", "raw", "part"),
    [
        ("FP64", b"\0" * 7, "in 8 bytes"),
        ("FP64", b"\0" * 9, "in 8 bytes"),
        ("BOOL", b"\2", "0 or 1"),
        ("BYTES", b"", "1 elements of BYTES"),
        ("BYTES", b"\1\0\0", "behind its length"),
        ("BYTES", b"\xff\xff\xff\xffa", "behind its length"),
        ("BYTES", b"\1\0\0\0a\1\0\0\0b", "1 elements of BYTES"),
        ("BYTES", b"\1\0\0\0\xff", "UTF-8"),
    ],
)
def test_bytes_that_are_no_tensor(service: Front, datatype: str, raw: bytes, part: str) -> None:
    name = {"FP64": "d.e", "BOOL": "flag", "BYTES": "carrier"}[datatype]
    inputs = [tensor for tensor in tensors([ROW]) if tensor["name"] != name]
    inputs.append({"name": name, "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}})
    text = json.dumps({"inputs": inputs}).encode()
    answer = infer_binary(service, text + raw, len(text))
    assert answer.status == 400
    assert part in answer.json()["error"]


def test_text_that_cannot_be_written_again(numeric: Front) -> None:
    text = b'{"id": "%s", "inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [1, NaN]}]}'
    for half in (rb"\ud800", rb"\UDFFF\ude00".lower()):
        answer = post(numeric, "/v2/models/default/infer", text % half)
        assert answer.status == 400
        assert strict(answer.body).keys() == {"error"}
    answer = post(numeric, "/v2/models/default/infer", text % rb"\ud83d\ude00")
    assert (answer.status, answer.json()["id"]) == (200, "😀")


def test_bytes_left_over(numeric: Front) -> None:
    body, length = binary([X, Y])
    assert infer_binary(numeric, body, length, model="default").status == 200
    assert infer_binary(numeric, body + b"\0", length, model="default").status == 400
    assert infer_binary(numeric, body[:-1], length, model="default").status == 400


def test_no_rows(numeric: Front) -> None:
    inputs = [{**X, "shape": [0], "data": []}, {**Y, "shape": [0], "data": []}]
    assert outputs(infer(numeric, inputs, model="default"))["predict"].shape == (0,)
    assert outputs(infer_binary(numeric, *binary(inputs), model="default"))["predict"].shape == (0,)


def test_the_methods(service: Front) -> None:
    assert get(service, "/v2/models/flights/infer").headers["allow"] == "POST"
    answer = post(service, "/v2/health/live", {})
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert strict(answer.body).keys() == {"error"}
