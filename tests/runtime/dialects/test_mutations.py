"""Bodies that were right once: whatever was done to them, each dialect answers, or refuses in its own words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import Model
from runtime.service.front import Front

from ..asgi import Answer, post
from ..conftest import ROW
from .conftest import VERTEX
from .forms import binary, columns, strict, tensors

ROWS = [ROW, ROW | {"d.e": 9.5, "gap": 0.25, "carrier": None, "flag": False}]
LISTS = [[*row.values(), None] for row in ROWS]  # the last column is one that the model does not read
WHOLE = [row | {"carrier": "AA", "gap": 1.5} for row in ROWS]  # binary tensors have no null
V1, V2 = "/v1/models/flights", "/v2/models/flights/infer"
SHAPES = {"/invocations": {"error_code", "message"}, "native": {"status", "title", "detail", "request_id", "errors"}}

VALID: list[tuple[str, Any]] = [
    (f"{V1}:predict", {"instances": ROWS, "signature_name": "predict_proba"}),
    (f"{V1}:predict", {"instances": LISTS}),
    (f"{V1}:predict", {"inputs": columns(ROWS)}),
    (f"{V1}:classify", {"examples": ROWS, "context": {"gap": None}}),
    (V2, {"id": "a", "inputs": tensors(ROWS), "outputs": [{"name": "predict", "parameters": {}}]}),
    ("/invocations", {"dataframe_split": {"columns": [*ROW, "junk"], "index": [0, 1], "data": LISTS}}),
    ("/invocations", {"dataframe_records": ROWS, "params": {}}),
    ("/invocations", {"instances": ROWS}),
    ("/invocations", {"inputs": columns(ROWS)}),
    ("/invocations", ROWS),
    (VERTEX, {"instances": ROWS, "parameters": {"a": 1}}),
    ("/models/flights/predict", ROWS),
]

ODD: list[Any] = [
    *(None, True, False, 0, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, -0.0, 1e308, 1e-320),
    *(
        float("nan"),
        float("inf"),
        "",
        "x",
        "NaN",
        "\x00",
        "\ud800",
        "😀" * 9,
        [],
        {},
        [[]],
        [{}],
        [None],
        {"b64": "/w=="},
    ),
]
"""What stands where something else is expected."""


def changed(body: Any, draw: Callable[[Any], Any]) -> Any:
    """The body with one thing in it changed: left out, doubled, of another type, renamed, deep inside others."""
    if body.__class__ in (list, dict) and body and draw(st.integers(0, 4)):
        keys = list(body) if body.__class__ is dict else range(len(body))
        key = draw(st.sampled_from(list(keys)))
        return (
            {**body, key: changed(body[key], draw)}
            if body.__class__ is dict
            else [*body[:key], changed(body[key], draw), *body[key + 1 :]]
        )
    match draw(st.sampled_from(("other", "shorter", "longer", "renamed", "deeper", "wrapped"))):
        case "shorter" if body and body.__class__ in (list, dict):
            gone = draw(st.integers(0, len(body) - 1))
            kept = [(key, value) for place, (key, value) in enumerate(_items(body)) if place != gone]
            return dict(kept) if body.__class__ is dict else [value for _, value in kept]
        case "longer" if body.__class__ in (list, dict):
            more = draw(st.sampled_from(ODD))
            return {**body, "more": more} if body.__class__ is dict else [*body, more]
        case "renamed" if body and body.__class__ is dict:
            old = draw(st.sampled_from(list(body)))
            return {(draw(st.text(max_size=4)) if key == old else key): value for key, value in body.items()}
        case "deeper":
            for _ in range(draw(st.sampled_from((1, 2, 60)))):
                body = draw(st.sampled_from(([body], {"a": body})))
            return body
        case "wrapped":
            return str(body)[:99]
    return draw(st.sampled_from(ODD))


def _items(body: Any) -> list[tuple[Any, Any]]:
    return list(body.items()) if body.__class__ is dict else list(enumerate(body))


def in_shape(path: str, answer: Answer) -> None:
    """Below 500, valid JSON, and an error in the dialect's shape."""
    assert answer.status < 500, (path, answer)
    kind = answer.headers["content-type"]
    if answer.status == 200 and kind == "application/octet-stream":
        return
    if (path, answer.status) == ("/invocations", 415):
        assert kind.startswith("text/plain")
        return
    found = strict(answer.body)
    if answer.status != 200:
        native = path.startswith("/models/")
        assert answer.status in ((400, 413, 415, 422) if native else (400, 413, 415)), (path, answer)
        assert kind == ("application/problem+json" if native else "application/json")
        shape = SHAPES.get("native" if native else path, {"error"})
        assert found.keys() == shape or (native and found.keys() == shape - {"errors"}), (path, found)


MANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.parametrize(("path", "body"), VALID)
def test_what_is_changed_was_right(service: Front, path: str, body: Any) -> None:
    assert post(service, path, body).status == 200


@settings(MANY, max_examples=300)
@given(data=st.data())
def test_changed_json(service: Front, data: st.DataObject) -> None:
    path, body = data.draw(st.sampled_from(VALID))
    for _ in range(data.draw(st.integers(1, 3))):
        body = changed(body, data.draw)
    in_shape(path, post(service, path, json.dumps(body, ensure_ascii=True).encode()))


@settings(MANY, max_examples=200)
@given(data=st.data())
def test_changed_bytes(service: Front, data: st.DataObject) -> None:
    path, body = data.draw(st.sampled_from(VALID))
    in_shape(path, post(service, path, flipped(json.dumps(body).encode(), data.draw)))


@settings(MANY, max_examples=200)
@given(data=st.data(), csv=st.booleans())
def test_changed_tensors_and_csv(service: Front, data: st.DataObject, csv: bool) -> None:
    if csv:
        lines = [",".join(map(str, values)) for values in ([*ROW], *(row.values() for row in WHOLE))]
        text = flipped("\n".join(lines).encode(), data.draw)
        in_shape("/invocations", post(service, "/invocations", text, headers={"content-type": "text/csv"}))
        return
    body, length = binary(tensors(WHOLE), parameters={"binary_data_output": data.draw(st.booleans())})
    headers = {"inference-header-content-length": str(length + data.draw(st.sampled_from((0, 0, 0, -1, 1))))}
    in_shape(V2, post(service, V2, flipped(body, data.draw), headers=headers))


def flipped(text: bytes, draw: Callable[[Any], Any]) -> bytes:
    """Some bytes changed, cut out or put in."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(text) - 1, 0)))
        put = draw(
            st.binary(max_size=2) | st.sampled_from((b"NaN", b"[" * 3000, b"9" * 400, b"\\ud800", b"null", b"e999"))
        )
        text = text[:place] + put + text[place + draw(st.integers(0, 2)) :]
    return text


def test_bytes_that_were_not_changed(service: Front, flights: Model) -> None:
    body, length = binary(tensors(WHOLE))
    headers = {"inference-header-content-length": str(length)}
    answer = post(service, V2, body, headers=headers)
    assert answer.status == 200
    assert answer.json()["outputs"][0]["data"] == flights.predict(WHOLE).tolist()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (V2, 500, b'{"error": "x"}'),
        (V2, 400, b'{"detail": "x"}'),
        (V2, 422, b'{"error": "x"}'),
        ("/invocations", 400, b'{"error": "x"}'),
        (VERTEX, 200, b'{"predictions": [NaN]}'),
    ],
)
def test_the_detector_fires(path: str, status: int, body: bytes) -> None:
    with pytest.raises(AssertionError):
        in_shape(path, Answer(status, {"content-type": "application/json"}, body))
