"""The same graph for other ONNX runtimes: an input for each feature, and the encoding of categories inside.

Categories are strings there: a text as it is, anything else as JSON writes it (``3``, ``true``). A missing one is the
empty string, or ``null`` where that is a category itself; a missing number is NaN, a boolean is 0 or 1. A date or time
is int64 microseconds since 1970-01-01, in UTC where it has a zone; a missing one is NumPy's NaT, the smallest int64. An
unseen category is whatever no table has. What the pipeline would refuse is not refused by a graph: that is the
runtime's.
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import spox
import spox.opset.ai.onnx.ml.v4 as ml
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from runtime.cells import UNKNOWN
from runtime.manifest import Category, Feature, Manifest
from runtime.model import Model
from runtime.reading import key
from runtime.rows import Rows
from runtime.session import INPUT

from .errors import ParityError, UnsupportedError

__all__ = ["check", "feed", "portable"]

MISSING = ("", "null")
NAT = -(2**63)


def portable(graph: bytes, manifest: Manifest) -> bytes:
    """The graph's bytes with a named input a feature, [N, 1], strings for categories, int64 for dates and float64 for
    all others; its outputs are named as the pipeline's methods, and a classifier's labels are the labels themselves.

    Raises UnsupportedError for texts, whose terms no graph counts as scikit-learn does.
    """
    inputs: dict[str, Var] = {}
    columns: list[Var] = []
    for feature in manifest.columns:
        if feature.kind == "text":
            raise UnsupportedError(
                f"expected no texts in a portable graph, found those of column {feature.name!r}, whose terms the "
                "runtime counts: convert it without --portable"
            )
        kind = {"category": str, "date": np.int64}.get(feature.kind, np.float64)
        inputs[feature.name] = x = spox.argument(spox.Tensor(kind, ("N", 1)))
        columns.append(_codes(feature, x) if feature.kind == "category" else _time(x) if kind is np.int64 else x)
    joined = op.concat(columns, axis=1)
    found = spox.inline(onnx.load_from_string(graph))(**{INPUT: joined})
    outputs = {
        name: _labelled(found[name], manifest) if output.labels else found[name]
        for output in manifest.outputs
        for name in output.tensors
    }
    model = spox.build(inputs, outputs, drop_unused_inputs=False)
    model.graph.name = "pipetwin"
    model.producer_name = "pipetwin"
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _time(x: Var) -> Var:
    """A column of int64 microseconds as float64, NaN where one is missing."""
    return op.where(op.equal(x, op.const(np.int64(NAT))), op.const(np.nan), op.cast(x, to=np.float64))


def _codes(feature: Feature, x: Var) -> Var:
    """A column of strings as float64 codes."""
    texts = [key(category) for category in feature.categories]
    if len(set(texts)) < len(texts) or any("\0" in text for text in texts):
        raise UnsupportedError(
            f"expected categories of column {feature.name!r} that differ as texts without NUL, found others: convert "
            "it without --portable"
        )
    codes = [float(code) for code in range(len(texts))]
    if feature.missing:
        texts, codes = [*texts, _missing(feature)], [*codes, np.nan]
    if not texts:
        texts, codes = ["\ufffd"], [UNKNOWN]  # the operator wants a table, and this one tells nothing apart
    return ml.label_encoder(
        x, keys_tensor=np.array(texts, np.str_), values_tensor=np.array(codes), default_tensor=np.array([UNKNOWN])
    )


def _missing(feature: Feature) -> str:
    """What stands for a missing category."""
    texts = {key(category) for category in feature.categories}
    marker = next((marker for marker in MISSING if marker not in texts), None)
    if marker is None:
        raise UnsupportedError(
            f"expected a column {feature.name!r} without one of the categories '' and 'null', found both: nothing "
            "could stand for a missing one; convert it without --portable"
        )
    return marker


def _labelled(places: Var, manifest: Manifest) -> Var:
    tables = [_table(labels) for labels in manifest.classes]
    if len(tables) == 1:
        return op.gather(op.const(tables[0]), places, axis=0)
    if len({table.dtype.kind for table in tables}) > 1:  # one tensor holds one type
        tables = [_table(tuple(map(key, labels))) for labels in manifest.classes]
    columns = [op.gather(places, op.const(np.array([index])), axis=1) for index in range(len(tables))]
    return op.concat(
        [op.gather(op.const(table), column, axis=0) for table, column in zip(tables, columns, strict=True)], axis=1
    )


def _table(labels: tuple[Category, ...]) -> NDArray[Any]:
    return np.array(labels, np.str_ if any(isinstance(label, str) for label in labels) else None)


def check(graph: bytes, twin: Model, frame: pd.DataFrame, rows: Rows) -> int:
    """Put rows to plain onnxruntime and to the twin: bit for bit the same answers, or a ParityError; returns how many.

    frame, rows: the same rows, as the pipeline takes them (a column a feature, in the manifest's order) and as the
        twin does. One that holds a category of another type than its table is left out: as a text it might be one.
    """
    fed, sayable = feed(frame, twin.manifest)
    places = np.flatnonzero(sayable)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    for output in twin.manifest.outputs:
        given = {name: values[places] for name, values in fed.items()}
        found, wanted = session.run(list(output.tensors), given), twin.answers(output, rows[places])
        for part, expected in zip(found, wanted if isinstance(wanted, list) else [wanted], strict=True):
            if not _same(part, expected):
                raise ParityError(
                    f"expected the portable graph to answer {output.method} with the twin's bits on {len(places):,} "
                    "rows, found other answers: convert it without --portable"
                )
    return len(places)


def _same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    if expected.dtype.kind == "f" and found.dtype.kind == "f":
        return np.array_equal(found.astype(expected.dtype), expected, equal_nan=True)
    return [key(label) for label in found.ravel().tolist()] == [key(label) for label in expected.ravel().tolist()]


def feed(frame: pd.DataFrame, manifest: Manifest) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Rows as the portable graph takes them, and which of them can be said to it."""
    fed: dict[str, NDArray[Any]] = {}
    sayable = np.ones(len(frame), bool)
    places = [place for place, feature in enumerate(manifest.inputs) if feature.position is not None]
    for place in places:
        feature, values = manifest.inputs[place], frame.iloc[:, place]
        if feature.kind == "date":
            fed[feature.name] = values.to_numpy().astype("M8[us]").view(np.int64).reshape(-1, 1)
            continue
        if feature.kind != "category":
            fed[feature.name] = values.to_numpy(np.float64).reshape(-1, 1)
            continue
        kinds = {type(category) for category in feature.categories} or {str}
        cells = np.empty((len(values), 1), object)
        for row, (value, missing) in enumerate(zip(values, values.isna(), strict=True)):
            plain = value.item() if isinstance(value, np.generic) else value
            sayable[row] &= missing or type(plain) in kinds
            # onnxruntime's Python binding ends a string at NUL, which no table has.
            cells[row, 0] = _missing(feature) if missing else key(plain).replace("\0", "\ufffd")
        fed[feature.name] = cells
    return fed, sayable
