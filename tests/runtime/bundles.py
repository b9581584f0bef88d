"""Small bundles made by hand, so that the runtime is tested without the converter: graphs from onnx.helper, expected
answers from NumPy."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.bundle import sums
from runtime.manifest import PROTOCOL, Category, Feature, Manifest, Output
from runtime.proof import Canary, OutputProof, Proof
from runtime.reading import plain

VERSION = "20261122T110305Z"
TYPES = {"float64": TensorProto.DOUBLE, "int64": TensorProto.INT64}

Matrix = NDArray[np.float64]


def numbers(names: Sequence[str], **changes: Any) -> tuple[Feature, ...]:
    """Number columns, seen from -10 to 10."""
    return tuple(
        msgspec.structs.replace(Feature(name, "number", position, seen=(-10.0, 10.0)), **changes)
        for position, name in enumerate(names)
    )


def graph(nodes: list[Any], constants: dict[str, NDArray[Any]], features: int, outputs: dict[str, Any]) -> bytes:
    """A graph over the matrix X; outputs: name -> (dtype, shape of a row)."""
    proto = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, ["N", features])],
        [helper.make_tensor_value_info(name, TYPES[dtype], ["N", *shape]) for name, (dtype, shape) in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    text: bytes = model.SerializeToString()
    return text


def write(
    folder: Path,
    text: bytes,
    manifest: Manifest,
    *,
    rows: Sequence[Sequence[Category | None]],
    answers: dict[str, Any],
    **changes: Any,
) -> Path:
    """Write a bundle below a model's folder; answers by method are what the canary rows must be answered with.
    Changes are made to the proof."""
    proof = Proof(
        level="ulp",
        tolerance=1e-12,
        rows=len(rows),
        probes={"canary": len(rows)},
        batches=(1,),
        outputs={method: OutputProof(len(rows), len(rows), floor=1e-3) for method in answers},
        canary=Canary(tuple(tuple(row) for row in rows), {method: plain(answer) for method, answer in answers.items()}),
        seed=0,
        versions={"onnx": onnx.__version__},
        graph_sha256=hashlib.sha256(text).hexdigest(),
    )
    files = {
        "model.onnx": text,
        "manifest.json": msgspec.json.encode(manifest),
        "proof.json": msgspec.json.encode(msgspec.structs.replace(proof, **changes)),
    }
    version = folder / manifest.version
    version.mkdir(parents=True)
    for name, content in {**files, "SHA256SUMS": sums(files)}.items():
        (version / name).write_bytes(content)
    return version


def manifest(kind: Any, inputs: tuple[Feature, ...], outputs: tuple[Output, ...], **changes: Any) -> Manifest:
    """A manifest with what tests do not care about filled in."""
    fields: dict[str, Any] = {
        "protocol": PROTOCOL,
        "version": VERSION,
        "created": "2026-11-22T11:03:05Z",
        "estimator": "Test",
        "kind": kind,
        "named": True,
        "inputs": inputs,
        "outputs": outputs,
    }
    return Manifest(**fields | changes)


def canary(inputs: tuple[Feature, ...]) -> list[list[Any]]:
    """Three rows that the pipeline takes."""
    rows: list[list[Any]] = []
    for step in range(3):
        row: list[Any] = []
        for index, feature in enumerate(inputs):
            match feature.kind:
                case "category":
                    row.append(feature.categories[step % len(feature.categories)])
                case "date":
                    row.append(f"197{step}-01-01")
                case "boolean":
                    row.append(step % 2 == 0)
                case "number":
                    low, high = feature.range or (-10.0, 10.0)
                    row.append(min(max(step - index / 2, low), high))
        rows.append(row)
    return rows


def codes(inputs: Sequence[Feature], rows: Sequence[Sequence[Any]]) -> Matrix:
    """The matrix of rows, by the table, written here a second time and slowly."""

    def code(feature: Feature, value: Any) -> float:
        if value is None:
            return np.nan
        if feature.kind == "date":
            return float((datetime.fromisoformat(value) - datetime(1970, 1, 1)) / timedelta(microseconds=1))
        if feature.kind != "category":
            return float(value)
        return float(feature.categories.index(value)) if value in feature.categories else -1.0

    read = [feature for feature in inputs if feature.kind != "ignored"]
    return np.array([[code(f, v) for f, v in zip(read, row, strict=True)] for row in rows], np.float64)


def weights(features: int, outputs: int = 1) -> Matrix:
    """Some weights [features, outputs], the same each time."""
    return np.linspace(-0.7, 0.9, features * outputs).reshape(features, outputs).round(3)


def filled(matrix: Matrix) -> Matrix:
    """What the graphs do to missing values."""
    return np.where(np.isnan(matrix), 0.5, matrix)


FILL = (
    [helper.make_node("IsNaN", ["X"], ["gaps"]), helper.make_node("Where", ["gaps", "half", "X"], ["full"])],
    {"half": np.array(0.5)},
)


def scores(matrix: Matrix) -> Matrix:
    """The probability of class 1 [N]: what ``classifier`` computes."""
    return np.asarray(1 / (1 + np.exp(-(filled(matrix) @ weights(matrix.shape[1])[:, 0] + 0.1))))


def classifier(
    folder: Path, inputs: tuple[Feature, ...], classes: tuple[Category, ...] = (0, 1), **changes: Any
) -> Path:
    """A logistic regression of two classes."""
    features = sum(feature.position is not None for feature in inputs)
    nodes, constants = FILL
    text = graph(
        [
            *nodes,
            helper.make_node("Gemm", ["full", "w", "b"], ["z"]),
            helper.make_node("Sigmoid", ["z"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Concat", ["q", "p"], ["proba"], axis=1),
            helper.make_node("ArgMax", ["proba"], ["label"], axis=1, keepdims=0),
        ],
        {**constants, "w": weights(features), "b": np.array([0.1]), "one": np.array(1.0)},
        features,
        {"label": ("int64", ()), "proba": ("float64", (2,))},
    )
    dtype = np.array(classes).dtype.str.lstrip("<>|=")
    dtype = {"i8": "int64", "b1": "bool", "f8": "float64"}.get(dtype, f"<{dtype}")
    outputs = (
        Output("predict", ("label",), dtype, labels=True),
        Output("predict_proba", ("proba",), "float64", (2,)),
    )
    rows = canary(inputs)
    proba = scores(codes(inputs, rows))
    answers = {
        "predict": [classes[int(p > 0.5)] for p in proba],
        "predict_proba": [[1 - p, p] for p in proba.tolist()],
    }
    proof = {key: changes.pop(key) for key in list(changes) if key in Proof.__struct_fields__}
    made = manifest("classifier", inputs, outputs, classes=(classes,), **changes)
    return write(folder, text, made, rows=rows, answers=answers, **proof)


def regressor(folder: Path, inputs: tuple[Feature, ...], outputs: int = 1, **changes: Any) -> Path:
    """A linear regression of one output or several."""
    features = sum(feature.position is not None for feature in inputs)
    nodes, constants = FILL
    shape = () if outputs == 1 else (outputs,)
    flat = [helper.make_node("Squeeze", ["y", "last"], ["value"])] if outputs == 1 else []
    text = graph(
        [*nodes, helper.make_node("MatMul", ["full", "w"], ["y" if flat else "value"]), *flat],
        {**constants, "w": weights(features, outputs)} | ({"last": np.array([1])} if flat else {}),
        features,
        {"value": ("float64", shape)},
    )
    rows = canary(inputs)
    found = filled(codes(inputs, rows)) @ weights(features, outputs)
    made = manifest("regressor", inputs, (Output("predict", ("value",), "float64", shape),), **changes)
    return write(folder, text, made, rows=rows, answers={"predict": found[:, 0] if outputs == 1 else found})


def transformer(folder: Path, inputs: tuple[Feature, ...], **changes: Any) -> Path:
    """Doubles every number."""
    features = len(inputs)
    text = graph(
        [helper.make_node("Add", ["X", "X"], ["doubled"])], {}, features, {"doubled": ("float64", (features,))}
    )
    rows = canary(inputs)
    made = manifest("transformer", inputs, (Output("transform", ("doubled",), "float64", (features,)),), **changes)
    return write(folder, text, made, rows=rows, answers={"transform": 2 * codes(inputs, rows)})


def several(folder: Path, inputs: tuple[Feature, ...], **changes: Any) -> Path:
    """A classifier of two outputs, a/b and x/y: whether the first and the second number are above 0."""
    text = graph(
        [
            helper.make_node("Slice", ["X", "start", "end", "axis"], ["two"]),
            helper.make_node("Greater", ["two", "zero"], ["above"]),
            helper.make_node("Cast", ["above"], ["label"], to=TensorProto.INT64),
            helper.make_node("Cast", ["above"], ["sure"], to=TensorProto.DOUBLE),
            helper.make_node("Sub", ["one", "sure"], ["unsure"]),
            helper.make_node("Split", ["sure"], ["s0", "s1"], axis=1, num_outputs=2),
            helper.make_node("Split", ["unsure"], ["u0", "u1"], axis=1, num_outputs=2),
            helper.make_node("Concat", ["u0", "s0"], ["p0"], axis=1),
            helper.make_node("Concat", ["u1", "s1"], ["p1"], axis=1),
        ],
        {
            "start": np.array([0]),
            "end": np.array([2]),
            "axis": np.array([1]),
            "zero": np.array(0.0),
            "one": np.array(1.0),
        },
        len(inputs),
        {"label": ("int64", (2,)), "p0": ("float64", (2,)), "p1": ("float64", (2,))},
    )
    rows = canary(inputs)
    above = codes(inputs, rows)[:, :2] > 0
    outputs = (
        Output("predict", ("label",), "<U1", (2,), labels=True),
        Output("predict_proba", ("p0", "p1"), "float64", (2,)),
    )
    answers = {
        "predict": [["ab"[a], "xy"[b]] for a, b in above.astype(int).tolist()],
        "predict_proba": [np.stack([1.0 - above[:, k], above[:, k]], axis=1).tolist() for k in (0, 1)],
    }
    proof = {key: changes.pop(key) for key in list(changes) if key in Proof.__struct_fields__}
    made = manifest("classifier", inputs, outputs, classes=(("a", "b"), ("x", "y")), **changes)
    return write(folder, text, made, rows=rows, answers=answers, **proof)
