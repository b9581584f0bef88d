"""A pipeline's methods become one graph, and what is to be known of its answers."""

import datetime
from contextlib import suppress
from typing import Any

import numpy as np
import spox
import spox.opset.ai.onnx.v21 as op

from runtime.manifest import STD, Category, Output

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
from .reference import Signature
from .rows import note_rows
from .single import spread

__all__ = ["build_graph", "plain"]

FEW = 256
"""Rows whose answers are asked for their dtype, and numbers of such an answer to a row."""


def build_graph(
    pipeline: Any, signature: Signature, *, fold: bool = True
) -> tuple[bytes, Scope, tuple[Output, ...], tuple[tuple[Category, ...], ...]]:
    """The graph's bytes, what was learnt on the way, its outputs and the tables of labels.

    Raises UnsupportedError for a step that cannot be expressed.
    """
    columns = [feature for feature in signature.features if feature.position is not None]
    x = spox.argument(spox.Tensor(np.float64, ("N", len(columns))))
    names = tuple(feature.name for feature in columns)
    scope = Scope(x, tuple(feature.missing for feature in columns), names, fold=fold)
    tensors = _lowered(pipeline, signature, scope)
    if scope.regrown:
        # An encoder met categories after another had built its table of the column: now all are known beforehand.
        scope = Scope(x, scope.missing, names, tables=scope.tables, fold=fold)
        tensors = _lowered(pipeline, signature, scope)
    outputs: list[Output] = []
    named: dict[str, spox.Var] = {}
    sizes: dict[str, spox.Var] = {}
    classes: tuple[tuple[Category, ...], ...] = ()
    example = signature.frame.iloc[:1]
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
        first = answer[0] if isinstance(answer, list) else answer
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


def _lowered(pipeline: Any, signature: Signature, scope: Scope) -> dict[str, Any]:
    columns: list[Column] = []
    for feature in signature.features:
        if feature.position is None:
            columns.append(Categorical(-1, feature.name))  # dropped before anybody can look at it
        elif feature.kind == "date":
            columns.append(Date(feature.position, str(feature.unit)))
        elif feature.kind == "category":
            columns.append(Categorical(feature.position, feature.name, signature.marker(feature)))
        else:
            columns.append(Number(scope.x, feature.position, Raw(feature.position)))
    matrix = Matrix(scope, tuple(columns))
    scope.left_out = _left_out(pipeline, signature)
    methods = [method for method in offered(pipeline) if method not in scope.left_out]
    return {method: lower(pipeline, method, matrix) for method in (*methods, *([STD] if signature.std else []))}


def _left_out(pipeline: Any, signature: Signature) -> dict[str, str]:
    """The methods that the pipeline has and the twin will not have, each with why: those without an answer, and
    those that raise for its own sample. A ClassifierChain of many classes offers probabilities, and has none."""
    reasons = lacking(pipeline)
    for method in offered(pipeline)[1:]:  # the signature has asked the first
        try:
            signature.ask(pipeline, method, signature.frame.iloc[:1])
        except (ValueError, TypeError, AttributeError, IndexError, NotImplementedError) as error:
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
        with suppress(ValueError, TypeError, LookupError):  # some of these rows may be refused together
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
