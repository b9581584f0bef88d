"""Pipeline, FeatureUnion, ColumnTransformer: they choose and join columns, and build no graph of their own."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from runtime.manifest import STD

from . import METHODS, lower, lowers
from .matrix import Matrix, Monotone, Number, concat
from .sparse import Sparse


def _through(pipeline: Pipeline, x: Matrix) -> Matrix:
    """The matrix that reaches the last step."""
    for name, step in pipeline.steps[:-1]:
        if step is not None and step != "passthrough":
            x = lower(step, "transform", x, f"[{name!r}]")
    return x


def _pipeline(method: str) -> None:
    @lowers(Pipeline, method=method)
    def pipeline(pipeline: Pipeline, x: Matrix) -> Any:
        x = _through(pipeline, x)
        name, last = pipeline.steps[-1]
        return x if last is None or last == "passthrough" else lower(last, method, x, f"[{name!r}]")


for _method in (*METHODS, STD):
    _pipeline(_method)


@lowers(FeatureUnion, method="transform")
def feature_union(union: FeatureUnion, x: Matrix) -> Matrix:
    weights = union.transformer_weights or {}
    parts = []
    for name, transformer in union.transformer_list:
        if transformer != "drop":
            part = x if transformer == "passthrough" else lower(transformer, "transform", x, f"[{name!r}]")
            parts.append(_weighted(part, weights.get(name)))
    return concat(parts) if parts else x.select([])


@lowers(ColumnTransformer, method="transform")
def column_transformer(transformer: ColumnTransformer, x: Matrix) -> Matrix:
    weights = transformer.transformer_weights or {}
    # The one place that knows for every way of naming columns (name, place, slice, mask, selector) what it chose.
    chosen = transformer._transformer_to_input_indices
    parts = []
    for name, step, _ in transformer.transformers_:
        columns = x.select(chosen[name])
        if step == "drop" or not columns.width:
            continue
        part = columns if step == "passthrough" else lower(step, "transform", columns, f"[{name!r}]")
        parts.append(_weighted(part, weights.get(name)))
    joined = concat(parts) if parts else x.select([])
    return joined if transformer.sparse_output_ else _dense(joined)


def _dense(x: Matrix) -> Matrix:
    """The same with its sparse columns made dense, as scikit-learn has made them: some steps give numbers out of sparse
    ones that differ in the last bit."""
    places = [
        place
        for place, column in enumerate(x.columns)
        if isinstance(column, Number) and isinstance(column.tensor, Sparse)
    ]
    if not places:
        return x
    made = dict(zip(places, x.new(x.select(places).tensor).columns, strict=True))
    return Matrix(x.scope, tuple(made.get(place, column) for place, column in enumerate(x.columns)))


def _weighted(x: Matrix, weight: float | None) -> Matrix:
    if weight is None:
        return x
    factor = np.float64(weight)
    if x.sparse is not None:
        return x.sparse_columns(x.sparse.scaled(np.full(x.width, factor)))
    step = Monotone(lambda values: values * factor, rising=bool(factor >= 0))
    return x.map(op.mul(x.tensor, op.const(factor)), [step] * x.width)
