"""A pipeline's methods become one graph, and what is to be known of its answers."""

import datetime
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from functools import partial
from typing import Any

import numpy as np
import onnx
import spox
import spox.opset.ai.onnx.v21 as op

from runtime.manifest import STD, Category, Feature, Output

from .bounds import gauge
from .changed import changed
from .errors import UnsupportedError
from .lower import lacking, lower, offered
from .lower.labels import Labels
from .lower.matrix import Categorical, Column, Date, Matrix, Number, Raw
from .lower.packed import serialize
from .lower.scope import Scope
from .lower.terms import side_by_side
from .order import note_order
from .reference import RAISED, Signature
from .reread import Reread
from .rows import note_rows
from .single import spread
from .stored import given_sparse

__all__ = ["build_graph", "plain"]

FEW = 256
"""Rows whose answers are asked for their dtype, and numbers of such an answer to a row."""


def build_graph(
    pipeline: Any, signature: Signature, *, fold: bool = True
) -> tuple[bytes, Scope, tuple[Output, ...], tuple[tuple[Category, ...], ...]]:
    """The graph's bytes, what was learnt on the way, its outputs and the tables of labels.

    Raises UnsupportedError for a step that cannot be expressed, Reread where strings are dates.
    """
    columns = [feature for feature in signature.features if feature.position is not None]
    x = spox.argument(spox.Tensor(np.float64, ("N", len(columns))))
    names = tuple(feature.name for feature in columns)
    stored = given_sparse(pipeline, signature)
    seen = partial(_seen, signature)
    scope = Scope(x, tuple(feature.missing for feature in columns), names, fold=fold, seen=seen, stored=stored)
    try:
        tensors = _lowered(pipeline, signature, scope)
    except UnsupportedError as error:
        strings = {feature.position for feature in columns if feature.kind == "category"}
        readings = {position: reading for position, reading in scope.written.items() if position in strings}
        if not readings:
            raise
        raise Reread(readings) from error
    if scope.regrown:
        # An encoder met categories after another had built its table of the column: now all are known beforehand.
        scope = Scope(x, scope.missing, names, tables=scope.tables, fold=fold, seen=seen, stored=stored)
        tensors = _lowered(pipeline, signature, scope)
    _check_dates(columns, scope)
    outputs: list[Output] = []
    named: dict[str, spox.Var] = {}
    sizes: dict[str, spox.Var] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    classes: tuple[tuple[Category, ...], ...] = ()
    # Twice, for of a single row SparsePCA forgets that it is one of N.
    example = signature.frame.iloc[[0, 0]].reset_index(drop=True)
    for method, result in tensors.items():
        answer = signature.ask(pipeline, method, example)
        labels = isinstance(result, Labels)
        if labels:
            classes = tuple(tuple(_label(label) for label in table) for table in result.classes)
            result = result.places
        elif isinstance(result, Matrix):
            result = side_by_side(result)
        parts = result if isinstance(result, list) else [result]
        names = tuple(method if len(parts) == 1 else f"{method}_{index}" for index in range(len(parts)))
        named.update(zip(names, parts, strict=True))
        answers = answer if isinstance(answer, list) else [answer]
        first = answers[0]
        shapes.update(zip(names, (one.shape[1:] for one in answers), strict=False))
        _check_numbers(method, first)
        scope.logged.update((method, floor) for logarithm, floor in scope.logarithms if logarithm is parts[0])
        scope.rowwise.update([method] if scope.held_alone(parts) else [])
        terms = [size for part in parts if (size := scope.terms_of(part)) is not None]
        sizes |= {method: op.max(terms)} if terms else {}
        dtype = _dtype(first) if labels else _dtype_of_all(pipeline, signature, method, first)
        outputs.append(Output(method, names, dtype, tuple(map(int, first.shape[1:])), labels))
    model = spox.build(scope.inputs, named, drop_unused_inputs=False)
    model.graph.name = "pipetwin"
    model.producer_name = "pipetwin"
    _say_shapes(model, shapes)
    spread(model)
    note_rows(model, scope.ensembles)
    note_order(model, scope.ensembles)
    scope.gauge = gauge(scope, sizes)
    # What trees ask that is not the request's matrix itself, where rows can be put on their thresholds all the same.
    asked = {str(id(e.matrix)): e.matrix for e in scope.ensembles if e.matrix is not x and (e.sources >= 0).any()}
    if asked:
        scope.asked = serialize(spox.build(scope.inputs, asked, drop_unused_inputs=False), scope.ensembles)
    scope.model = model
    return serialize(model, scope.ensembles), scope, tuple(outputs), classes


def _say_shapes(model: onnx.ModelProto, shapes: dict[str, tuple[int, ...]]) -> None:
    """Say of each output what the pipeline's answer tells of a row's shape, where that cannot be inferred: the runtime
    makes room for one row's answers before it has any.

    Raises UnsupportedError where something else was inferred.
    """
    for output in model.graph.output:
        dims = output.type.tensor_type.shape.dim
        shape = shapes.get(output.name)
        if shape is None or not output.type.tensor_type.HasField("shape"):
            continue
        inferred = [dim.dim_value or None for dim in dims[1:]]
        if len(inferred) != len(shape) or any(
            known not in (None, size) for known, size in zip(inferred, shape, strict=True)
        ):
            raise UnsupportedError(
                f"expected {_shape(shape)} from the lowering of {output.name}, as the pipeline answers N rows, found "
                f"{_shape(inferred)}: mend the lowering"
            )
        for dim, size in zip(dims[1:], shape, strict=True):
            dim.dim_value = size


def _shape(sizes: Sequence[int | None]) -> str:
    return f"[{', '.join(['N', *('?' if size is None else str(size) for size in sizes)])}]"


def _check_dates(columns: Sequence[Feature], scope: Scope) -> None:
    """Raise UnsupportedError for strings that are read as dates and otherwise as well."""
    for feature in columns:
        if feature.format is not None and (feature.position in scope.tables or feature.position in scope.texts):
            raise UnsupportedError(
                f"expected strings in column {feature.name!r} that are read as dates alone, found that they are "
                "categories or texts as well: give the pipeline a copy of the column for these"
            )


def _lowered(pipeline: Any, signature: Signature, scope: Scope) -> dict[str, Any]:
    columns: list[Column] = []
    for feature, name, marker in zip(signature.features, signature.frame.columns, signature.markers, strict=True):
        if feature.position is None:
            columns.append(Categorical(-1, feature.name))  # dropped before anybody can look at it
        elif feature.kind == "date":
            zone = signature.zones.get(name, UTC if feature.zone is not None else None)
            date = Date(feature.position, str(feature.unit), zone)
            written = feature.format is not None
            columns.append(Categorical(feature.position, feature.name, marker, date=date) if written else date)
        elif feature.kind == "category":
            columns.append(Categorical(feature.position, feature.name, signature.marker(feature)))
        else:
            columns.append(Number(scope.x, feature.position, Raw(feature.position)))
    matrix = Matrix(scope, tuple(columns))
    scope.left_out = _left_out(pipeline, signature)
    methods = [method for method in offered(pipeline) if method not in scope.left_out]
    return {method: lower(pipeline, method, matrix) for method in (*methods, *([STD] if signature.std else []))}


def _seen(signature: Signature, source: int) -> list[Any]:
    """The categories of a column that the sample holds."""
    name = next(feature.name for feature in signature.features if feature.position == source)
    return [plain(value) for value in signature.frame[signature.columns[name]].dropna().unique()]


def _left_out(pipeline: Any, signature: Signature) -> dict[str, str]:
    """The methods that the pipeline has and the twin will not have, each with why: those without an answer, and
    those that raise for its own sample. A ClassifierChain of many classes offers probabilities, and has none."""
    reasons = lacking(pipeline)
    for method in offered(pipeline)[1:]:  # the signature has asked the first
        try:
            signature.ask(pipeline, method, signature.frame.iloc[:1])
        except RAISED as error:
            reasons[method] = f"the pipeline raises on its own sample: {(str(error).splitlines() or [repr(error)])[0]}"
    return reasons


def _check_numbers(method: str, answer: Any) -> None:
    """Raise UnsupportedError for an answer of dates or times."""
    cells = answer.ravel()[:1000] if answer.dtype == object else ()
    if answer.dtype.kind in "mM" or any(isinstance(cell, datetime.date | datetime.timedelta) for cell in cells):
        raise UnsupportedError(
            f"expected numbers or labels as answers, found that {method} answers dates or times: let the pipeline end "
            "with a step that makes numbers of them"
        )


def _label(label: Any) -> Category:
    found = plain(label)
    if not isinstance(found, str | int | float):
        raise UnsupportedError(
            f"expected class labels that are strings, numbers or booleans, found {type(found).__name__}: train it on "
            "labels that JSON can say"
        )
    return found


def _dtype_of_all(pipeline: Any, signature: Signature, method: str, first: Any) -> str:
    """The dtype of a method's answers, given the first: what a function of a frame answers may be whole to one row, a
    fraction to another, and missing where something is missing."""
    if first.dtype.kind not in "biu" or first.size > FEW:
        return _dtype(first)
    gaps = {
        feature.name: signature.marker(feature)
        for feature in signature.features
        if feature.missing and feature.position is not None
    }
    found = first.dtype
    for frame in (signature.frame.iloc[:FEW], changed(signature, gaps) if gaps else signature.frame.iloc[:1]):
        with suppress(*RAISED):  # some of these rows may be refused together
            answer = signature.ask(pipeline, method, frame)
            found = np.result_type(found, (answer[0] if isinstance(answer, list) else answer).dtype)
    return _dtype(np.empty(0, found))


def _dtype(answer: Any) -> str:
    """The dtype by name, byte order left out; strings by their width."""
    dtype: np.dtype[Any] = np.asarray(answer).dtype
    return dtype.str.lstrip("<>|=") if dtype.kind in "US" else dtype.name


def plain(label: Any) -> Any:
    """A label or a category as Python has it."""
    return label.item() if isinstance(label, np.generic) else label
