"""A model that reads texts, asked over HTTP in several dialects; its graph is made by hand."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime import BundleError, Model, load
from runtime.bundle import sums
from runtime.manifest import Feature, Output, TextRule, read_manifest
from runtime.service.front import Front
from runtime.session import Session

from .. import bundles
from ..asgi import get, post, problem

TERMS = {"good": 1.0, "bad": -1.0, "very good": 2.5, "größe": 0.25}
RULE = TextRule(terms=tuple(TERMS), ngrams=(1, 2))
FEATURES = (
    Feature("text", "text", 0, rules=(RULE,)),
    Feature("bonus", "number", 1, seen=(-10.0, 10.0)),
)


def graph() -> bytes:
    """A row's prediction is the bonus and the weights of the terms in its text."""
    inputs = [
        ("X", TensorProto.DOUBLE, ["N", 2]),
        ("text0", TensorProto.INT64, ["T", 2]),
        ("text0_counts", TensorProto.DOUBLE, ["T"]),
    ]
    constants = {"w": np.array(list(TERMS.values())), "0": np.array([0]), "1": np.array(1), "of": np.array([0])}
    proto = helper.make_graph(
        [
            helper.make_node("Gather", ["text0", "1"], ["columns"], axis=1),
            helper.make_node("Gather", ["text0", "0"], ["rows"], axis=1),
            helper.make_node("Gather", ["w", "columns"], ["weights"]),
            helper.make_node("Mul", ["weights", "text0_counts"], ["parts"]),
            helper.make_node("Gather", ["X", "1"], ["bonus"], axis=1),
            helper.make_node("ScatterND", ["bonus", "rows", "parts"], ["value"], reduction="add"),
        ],
        "test",
        [helper.make_tensor_value_info(*of) for of in inputs],
        [helper.make_tensor_value_info("value", TensorProto.DOUBLE, ["N"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    text: bytes = model.SerializeToString()
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of that graph."""
    rows: list[list[Any]] = [["very good", 0.0], ["nothing", 1.5], ["bad bad", 0.0]]
    made = bundles.manifest("regressor", FEATURES, (Output("predict", ("value",), "float64"),))
    root = tmp_path_factory.mktemp("models")
    return bundles.write(root / "mood", graph(), made, rows=rows, answers={"predict": np.array([3.5, 1.5, -2.0])})


ROWS = [{"text": "Very good! GOOD.", "bonus": 1}, {"text": "", "bonus": 0.5}, {"text": "GRÖSSE Größe", "bonus": 0}]
EXPECTED = [5.5, 0.5, 0.25]


def test_native(service: Front) -> None:
    assert post(service, "/predict", ROWS[0]).json()["prediction"] == EXPECTED[0]
    assert [row["prediction"] for row in post(service, "/predict", ROWS).json()["predictions"]] == EXPECTED
    assert post(service, "/predict", []).json()["predictions"] == []


@pytest.mark.parametrize(
    ("value", "said"), [(1, "expected string, got integer"), (None, "expected string, got null"), (["a"], "got array")]
)
def test_what_is_no_text_is_refused(service: Front, value: Any, said: str) -> None:
    answer = post(service, "/predict", {"text": value, "bonus": 1})
    assert answer.status == 422
    (error,) = problem(answer)["errors"]
    assert error["path"] == "$.text"
    assert said in error["message"]


def test_other_dialects(service: Front) -> None:
    texts = [row["text"] for row in ROWS]
    inputs = [
        {"name": "text", "datatype": "BYTES", "shape": [3], "data": texts},
        {"name": "bonus", "datatype": "FP64", "shape": [3], "data": [row["bonus"] for row in ROWS]},
    ]
    assert post(service, "/v2/models/default/infer", {"inputs": inputs}).json()["outputs"][0]["data"] == EXPECTED
    inputs[0] |= {"datatype": "FP64", "data": [1.0, 2.0, 3.0]}
    assert post(service, "/v2/models/default/infer", {"inputs": inputs}).status in (400, 422)
    assert post(service, "/invocations", {"dataframe_records": ROWS}).json()["predictions"] == EXPECTED
    text = "bonus,text\n1,Very good! GOOD.\n0.5,\n0,GRÖSSE Größe\n".encode()
    answer = post(service, "/invocations", text, headers={"content-type": "text/csv"})
    assert answer.json()["predictions"] == EXPECTED
    assert post(service, "/v1/models/default:predict", {"instances": ROWS}).json()["predictions"] == EXPECTED


def test_pages(service: Front) -> None:
    (text, _) = get(service, "/models/default").json()["inputs"]
    assert text == {"name": "text", "kind": "text", "missing": False, "terms": 4}
    body = get(service, "/schema").json()
    assert '"text": {"type": "string"' in json.dumps(body)
    (described, _) = get(service, "/v2/models/default").json()["inputs"]
    assert described == {"name": "text", "datatype": "BYTES", "shape": [-1]}


def test_texts_without_a_known_term_are_counted(service: Front, model: Model) -> None:
    post(service, "/predict", ROWS)
    post(service, "/predict", {"text": "nothing at all", "bonus": 99})
    text, bonus = model.drift.counts()
    assert (text.missing, text.unknown, bonus.out_of_range) == (0, 2, 1)
    assert 'feature="text"' in get(service, "/metrics").body.decode()


def changed(folder: Path, to: Path, rule: dict[str, Any]) -> Path:
    """The same bundle with another rule, and digests that agree."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "SHA256SUMS"}
    manifest = json.loads(files["manifest.json"])
    manifest["inputs"][0]["rules"] = [rule]
    files["manifest.json"] = msgspec.json.encode(manifest)
    version = to / "mood" / folder.name
    version.mkdir(parents=True)
    for name, content in {**files, "SHA256SUMS": sums(files)}.items():
        (version / name).write_bytes(content)
    return version


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"terms": ["a"], "pattern": "(a+)+$"},
            r"manifest\.json: expected a token pattern such as .*fit with a simpler",
        ),
        ({"terms": ["a"], "ngrams": [1, 10**9]}, r"manifest\.json: expected n-grams of 1 to 32, found 1 to 1000000000"),
        ({"terms": ["a"], "analyzer": "eval"}, "expected a bundle's manifest"),
        ({"terms": ["a"], "code": "x"}, "expected a bundle's manifest"),
        ({}, "expected a text rule with terms or with a number of columns"),
    ],
)
def test_a_rule_of_a_hostile_bundle_is_refused_before_it_is_used(
    folder: Path, tmp_path: Path, rule: dict[str, Any], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        load(changed(folder, tmp_path, rule))


def test_rules_belong_to_texts(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text())
    files["inputs"][0]["kind"] = "category"
    with pytest.raises(BundleError, match="expected rules for texts and for nothing else in here, found 'text'"):
        read_manifest(msgspec.json.encode(files), "here")


def test_a_graph_without_the_inputs_of_its_rules_is_refused() -> None:
    with pytest.raises(BundleError, match=r"expected a graph from one float64 matrix X and the terms of 2 text rules"):
        Session(graph(), [4, 4])
    with pytest.raises(BundleError, match=r"expected a graph from one float64 matrix X to plain tensors"):
        Session(graph())
