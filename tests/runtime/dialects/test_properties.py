"""Whatever the rows, each dialect answers as the model; whatever the body, no dialect fails."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import InputError, Model
from runtime.service.front import Front

from ..asgi import Answer, post, request
from .conftest import VERTEX
from .forms import binary, columns, infer, infer_binary, outputs, strict, tensors

EVERY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

NUMBERS = st.floats(-1e300, 1e300) | st.integers(-(2**60), 2**60)
ROW = st.fixed_dictionaries(
    {
        "dep time": NUMBERS,
        "d.e": NUMBERS,
        "`q`": st.floats(-10, 10),
        "naïve 航班": NUMBERS,
        "gap": st.none() | NUMBERS,
        "capped": st.floats(0, 5),
        "carrier": st.none() | st.sampled_from(["AA", "UA", "DL", "NA", ""]) | st.text(max_size=5),
        "code": st.sampled_from([1, 2, 2**53 + 1]),
        "flag": st.booleans(),
    }
)
ROWS = st.lists(ROW, min_size=1, max_size=5)


@EVERY
@given(rows=ROWS, order=st.permutations(range(9)))
def test_every_dialect_answers_as_the_model(
    service: Front, flights: Model, rows: list[dict[str, Any]], order: list[int]
) -> None:
    names = [list(rows[0])[index] for index in order]
    rows = [{name: row[name] for name in names} for row in rows]
    labels, scores = flights.predict(rows).tolist(), flights.predict_proba(rows)
    lists = [[*row.values()] for row in rows]
    for path, body, key in [
        ("/v1/models/flights:predict", {"instances": rows}, "predictions"),
        ("/v1/models/flights:predict", {"inputs": columns(rows)}, "outputs"),
        ("/invocations", {"dataframe_records": rows}, "predictions"),
        ("/invocations", {"dataframe_split": {"columns": names, "data": lists}}, "predictions"),
        ("/invocations", {"inputs": columns(rows)}, "predictions"),
        (VERTEX, {"instances": rows}, "predictions"),
    ]:
        assert strict(post(service, path, body).body) == {key: labels}
    assert strict(post(service, "/invocations", rows).body) == labels
    found = outputs(infer(service, [tensors(rows)[index] for index in order]))
    assert found["predict"].tolist() == labels
    assert same(found["predict_proba"], scores)


@EVERY
@given(rows=ROWS)
def test_binary_tensors_are_answered_as_the_model(service: Front, flights: Model, rows: list[dict[str, Any]]) -> None:
    rows = [
        row | {"carrier": row["carrier"] or "UA", "gap": np.nan if row["gap"] is None else row["gap"]} for row in rows
    ]
    body, length = binary(tensors(rows), parameters={"binary_data_output": True})
    found = outputs(infer_binary(service, body, length))
    assert found["predict"].tolist() == flights.predict(rows).tolist()
    assert same(found["predict_proba"], flights.predict_proba(rows))


@EVERY
@given(
    matrix=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6), kind=st.sampled_from(["FP64", "FP32", "FP16"])
)
def test_a_matrix_of_any_width_of_float(numeric: Front, matrix: list[Any], kind: str) -> None:
    dtype = {"FP64": np.float64, "FP32": np.float32, "FP16": np.float16}[kind]
    with np.errstate(over="ignore"):
        rows = np.array(matrix, dtype)
    tensor = {"name": "X", "shape": list(rows.shape), "datatype": kind, "data": rows.tolist()}
    answer = infer_binary(numeric, *binary([tensor]), model="default")
    if np.isinf(rows).any():
        assert answer.status == 400
    else:
        expected = numeric.serving.catalog.models["default"].predict(rows.astype(np.float64))
        assert same(outputs(answer)["predict"], expected)


@EVERY
@given(rows=ROWS)
def test_csv_is_answered_as_the_model(service: Front, flights: Model, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    rows = [row | {"carrier": row["carrier"] if row["carrier"] in ("AA", "UA", "DL") else None} for row in rows]
    text = pd.DataFrame(rows).astype({"gap": "float64", "d.e": "float64"}).to_csv(index=False)
    answer = post(service, "/invocations", text.encode(), headers={"content-type": "text/csv"})
    assert strict(answer.body) == {"predictions": flights.predict(rows).tolist()}


KEYS = st.sampled_from(
    [
        *("instances", "inputs", "outputs", "id", "parameters", "name", "shape", "datatype", "data", "signature_name"),
        *("dataframe_split", "dataframe_records", "columns", "index", "params", "examples", "context", "x", "y", "X"),
        *("binary_data_size", "binary_data", "binary_data_output", "b64"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | KEYS, inner, max_size=4),
    max_leaves=20,
)
ROUTES = [
    "/v2/models/default/infer",
    "/v1/models/default:predict",
    "/v1/models/default:regress",
    "/invocations",
    "/score",
    "/v2/repository/index",
]


@settings(EVERY, max_examples=150)
@given(
    body=st.dictionaries(KEYS, JSON, max_size=5) | JSON,
    path=st.sampled_from(ROUTES),
    length=st.none() | st.integers(0, 40),
)
def test_no_body_is_an_error_of_ours(numeric: Front, body: Any, path: str, length: int | None) -> None:
    text = json.dumps(body).encode()
    headers = {} if length is None else {"inference-header-content-length": str(length)}
    in_order(post(numeric, path, text, headers=headers))


TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "y", "X"]),
        "shape": st.lists(st.integers(-1, 4), max_size=3),
        "datatype": st.sampled_from(["FP64", "FP32", "FP16", "INT64", "UINT8", "BOOL", "BYTES", "BF16"]),
        "data": st.lists(JSON, max_size=4) | st.lists(st.floats() | st.integers(), max_size=4),
    },
    optional={"parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 20)})},
)


@settings(EVERY, max_examples=150)
@given(inputs=st.lists(TENSOR, max_size=3), rest=st.binary(max_size=40))
def test_no_tensor_is_an_error_of_ours(numeric: Front, inputs: list[Any], rest: bytes) -> None:
    text = json.dumps({"inputs": inputs}).encode()
    in_order(infer_binary(numeric, text + rest, len(text), model="default"))


@settings(EVERY, max_examples=100)
@given(text=st.binary(max_size=60) | st.text("xy,\n\"'1. \r\0é", max_size=30).map(str.encode))
@pytest.mark.parametrize("path", ROUTES)
def test_no_bytes_are_an_error_of_ours(numeric: Front, path: str, text: bytes) -> None:
    in_order(post(numeric, path, text))
    if path == "/invocations":
        in_order(request(numeric, "POST", path, text, headers={"content-type": "text/csv"}))


def in_order(answer: Answer) -> None:
    """An answer, or a refusal, in JSON."""
    assert answer.status in (200, 400, 415), answer
    if answer.headers["content-type"] == "application/json":
        found = strict(answer.body)
        assert answer.status == 200 or found.keys() <= {"error", "error_code", "message"}


def same(found: Any, expected: Any) -> bool:
    """Equal bits, but for what JSON cannot say: null is NaN, and infinity is null."""
    expected = np.asarray(expected, np.float64)
    return bool(((found == expected) | (np.isnan(found.astype(np.float64)) & ~np.isfinite(expected))).all())


def test_the_model_refuses_what_the_dialects_refuse(numeric: Front) -> None:
    with pytest.raises(InputError):
        numeric.serving.catalog.models["default"].predict([[np.inf, 1.0]])


def test_the_detectors_fire() -> None:
    for status, body in ((500, b"{}"), (200, b"NaN"), (200, b"{"), (400, b'{"detail": 1}')):
        with pytest.raises((AssertionError, json.JSONDecodeError)):
            in_order(Answer(status, {"content-type": "application/json"}, body))
    assert not same(np.array([1.0]), [np.nextafter(1.0, 2.0)])
