"""A model that reads a time, asked over HTTP in every dialect; its graph is made by hand."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from runtime import BundleError, Model, load
from runtime.manifest import Feature, read_manifest
from runtime.schema import example
from runtime.service import app
from runtime.service.front import Front

from .. import bundles
from ..asgi import get, post, problem
from ..dialects.forms import binary
from ..dialects.test_one_row import said, same

WHEN = Feature("when", "date", 0, missing=True, seen=(0.0, 1.6e15), unit="us")
FEATURES = (WHEN, Feature("bonus", "number", 1, seen=(-10.0, 10.0)))
TIMES = ["2026-11-28T15:16:17.123456", "1969-12-31", None]
ROWS: list[dict[str, Any]] = [
    {"when": when, "bonus": bonus} for when, bonus in zip(TIMES, (1.5, -2.0, 0.0), strict=True)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.regressor(tmp_path_factory.mktemp("models") / "call", FEATURES)


@pytest.fixture
def expected(model: Model) -> list[float]:
    """What the model answers to a frame of pandas'."""
    frame = pd.DataFrame({"when": pd.to_datetime(TIMES, format="ISO8601"), "bonus": [row["bonus"] for row in ROWS]})
    found: list[float] = model.predict(frame).tolist()
    return found


def test_native(service: Front, expected: list[float]) -> None:
    for row, answer in zip(ROWS, expected, strict=True):
        assert post(service, "/predict", row).json()["prediction"] == answer
    assert [row["prediction"] for row in post(service, "/predict", ROWS).json()["predictions"]] == expected
    assert post(service, "/predict", {"bonus": 0.0}).json()["prediction"] == expected[2]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "expected string or null, got integer"),
        ("tomorrow", "expected a date or time in ISO 8601, got another string"),
        ("2026-11-28T15:16:17+01:00", "expected a date or time without a zone, as in training, got one with a zone"),
        ("0000-01-01", "expected a date or time in ISO 8601, got another string"),
    ],
)
def test_what_is_no_time_is_refused_with_its_place(service: Front, value: Any, words: str) -> None:
    for body, path in (({"when": value, "bonus": 1}, "$.when"), ([ROWS[0], ROWS[0] | {"when": value}], "$[1].when")):
        answer = post(service, "/predict", body)
        assert answer.status == 422
        (error,) = problem(answer)["errors"]
        assert error["path"] == path
        assert error["message"].startswith(words)
        assert str(value) not in error["message"]


def inputs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shape = [len(rows)]
    return [
        {"name": "when", "datatype": "BYTES", "shape": shape, "data": [row["when"] for row in rows]},
        {"name": "bonus", "datatype": "FP64", "shape": shape, "data": [row["bonus"] for row in rows]},
    ]


def test_the_open_inference_protocol(service: Front, expected: list[float]) -> None:
    path = "/v2/models/default/infer"
    assert post(service, path, {"inputs": inputs(ROWS)}).json()["outputs"][0]["data"] == expected
    body, length = binary(inputs(ROWS[:2]))
    answer = post(service, path, body, headers={"inference-header-content-length": str(length)})
    assert answer.json()["outputs"][0]["data"] == expected[:2]
    wrong = inputs(ROWS)
    wrong[0] |= {"datatype": "INT64", "data": [1, 2, 3]}
    assert "$[0].when: expected string, got number" in post(service, path, {"inputs": wrong}).json()["error"]
    matrix = {"name": "X", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 2.0]}
    assert "some hold no numbers" in post(service, path, {"inputs": [matrix]}).json()["error"]


def test_one_row_of_it_goes_the_short_way(model: Model) -> None:
    """By the bytes of the long one; what it refuses is refused alike."""
    for row in ROWS[:2]:
        assert same(model, {}, json.dumps({"inputs": inputs([row])}).encode())
        body, length = binary(inputs([row]))
        assert same(model, {b"inference-header-content-length": str(length).encode()}, body)
    assert same(model, {}, json.dumps({"inputs": inputs(ROWS[2:])}).encode())
    bad = json.dumps({"inputs": inputs([ROWS[0] | {"when": "soon"}])}).encode()
    assert said(model, {}, bad)[0] == said(model, {}, bad, long_only=True)[0]


def test_other_dialects(service: Front, expected: list[float]) -> None:
    columns = {name: [row[name] for row in ROWS] for name in ("when", "bonus")}
    table = [[row["when"], row["bonus"]] for row in ROWS]
    asked: list[tuple[str, Any, str]] = [
        ("/v1/models/default:predict", {"instances": ROWS}, "predictions"),
        ("/v1/models/default:predict", {"instances": table}, "predictions"),
        ("/v1/models/default:predict", {"inputs": columns}, "outputs"),
        ("/invocations", {"dataframe_records": ROWS}, "predictions"),
        ("/invocations", {"dataframe_split": {"columns": ["when", "bonus"], "data": table}}, "predictions"),
        ("/invocations", {"instances": ROWS}, "predictions"),
        ("/invocations", {"inputs": columns}, "predictions"),
    ]
    for path, body, word in asked:
        assert post(service, path, body).json()[word] == expected, (path, body)
    assert post(service, "/invocations", table).json() == expected
    regress = post(service, "/v1/models/default:regress", {"examples": ROWS})
    assert regress.json()["result"] == expected
    text = b"bonus,when\n1.5,2026-11-28T15:16:17.123456\n-2,1969-12-31\n0,\n"
    answer = post(service, "/invocations", text, headers={"content-type": "text/csv"})
    assert answer.json()["predictions"] == expected
    refused = post(service, "/invocations", b"bonus,when\n1,soon\n", headers={"content-type": "text/csv"})
    assert "$.when: expected a date or time in ISO 8601, got another string" in refused.json()["message"]


def test_pages(service: Front, model: Model) -> None:
    (when, _) = get(service, "/models/default").json()["inputs"]
    assert when == {"name": "when", "kind": "date", "missing": True}
    schema = json.dumps(get(service, "/schema").json())
    assert "a date, or a date and time, in ISO 8601, without a zone; seen in training from 1970-01-01 to" in schema
    assert post(service, "/predict", example(model.manifest)).status == 200
    (described, _) = get(service, "/v2/models/default").json()["inputs"]
    assert described == {"name": "when", "datatype": "BYTES", "shape": [-1], "optional": True}


def test_a_range_is_said_as_times(tmp_path: Path) -> None:
    limited = replace(WHEN, range=(0.0, 94_694_400_000_000.0))
    service = app({"default": load(bundles.regressor(tmp_path / "call", (limited, FEATURES[1])))})
    (when, _) = get(service, "/models/default").json()["inputs"]
    assert when["range"] == ["1970-01-01", "1973-01-01"]
    (error,) = problem(post(service, "/predict", {"when": "2020-01-01", "bonus": 0}))["errors"]
    assert error["message"] == "expected a date or time from 1970-01-01 to 1973-01-01, got one outside"


def test_times_beyond_the_sample_are_counted(service: Front, model: Model) -> None:
    post(service, "/predict", ROWS)
    assert [tuple(counts)[1:] for counts in model.drift.counts()] == [(1, 0, 2), (0, 0, 0)]
    metrics = get(service, "/metrics").body.decode()
    assert 'ml_feature_out_of_range_total{feature="when",model="default"} 2.0' in metrics
    assert 'ml_feature_unknown_total{feature="when"' not in metrics


@pytest.mark.parametrize(
    "changes", [{"categories": ["soon"]}, {"seen": [-1e300, 0.0]}, {"range": [0.0, 1e18]}, {"categories": [True, 1e18]}]
)
def test_times_that_are_none_in_a_hostile_bundle(folder: Path, changes: dict[str, Any]) -> None:
    """They would raise only once somebody asks."""
    found = json.loads((folder / "manifest.json").read_text())
    found["inputs"][0] |= changes
    with pytest.raises(BundleError, match="expected times of the years 1 to 9999 in here, found others of 'when'"):
        read_manifest(msgspec.json.encode(found), "here")


def test_an_array_of_rows_has_the_time_of_each(model: Model) -> None:
    rows = np.array([[row["when"], row["bonus"]] for row in ROWS], object)
    np.testing.assert_array_equal(model.predict(rows), model.predict(ROWS))
