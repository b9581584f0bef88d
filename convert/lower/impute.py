"""SimpleImputer and MissingIndicator; a string imputer builds no graph but renames categories."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.impute import MissingIndicator, SimpleImputer
from spox import Var

from . import lower, lowers
from .matrix import MISSING, Categorical, Column, Lookup, Matrix, Monotone, Number, Raw


@lowers(SimpleImputer, method="transform")
def simple_imputer(imputer: SimpleImputer, x: Matrix) -> Matrix:
    statistics = list(imputer.statistics_)
    kept = [index for index, fill in enumerate(statistics) if imputer.keep_empty_features or not is_missing(fill)]
    numeric = [index for index in kept if isinstance(x.columns[index], Number)]
    filled: dict[int, Column] = {}
    if numeric:
        fills = np.array([statistics[index] for index in numeric], np.float64)
        filled = dict(zip(numeric, _fill(x.select(numeric), fills, imputer.missing_values).columns, strict=True))
    for index in kept:
        column = x.columns[index]
        if isinstance(column, Categorical):
            before = MISSING if is_missing(imputer.missing_values) else imputer.missing_values
            filled[index] = replace(column, changes=(*column.changes, (before, statistics[index])))
    imputed = Matrix(x.scope, tuple(filled[index] for index in kept))
    return imputed.beside(lower(imputer.indicator_, "transform", x)) if imputer.add_indicator else imputed


def _fill(x: Matrix, fills: NDArray[np.float64], missing: Any) -> Matrix:
    # Where of onnxruntime makes 0.0 of a chosen -0.0: such a column changes its sign before and after.
    signs = np.where(np.signbit(fills) & (fills == 0), -1.0, 1.0)
    turned = bool((signs < 0).any())
    given = op.mul(x.tensor, op.const(signs)) if turned else x.tensor
    tensor = op.where(missing_mask(x.tensor, missing), op.const(fills * signs), given)
    tensor = op.mul(tensor, op.const(signs)) if turned else tensor
    if not is_missing(missing):
        return x.new(tensor)  # -1 -> mean turns back: no threshold can stand for it
    return x.map(tensor, [Monotone(partial(_filled, fill)) for fill in fills])


def _filled(fill: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), fill, values)


@lowers(MissingIndicator, method="transform")
def missing_indicator(indicator: MissingIndicator, x: Matrix) -> Matrix:
    chosen = x.select(indicator.features_)
    columns: list[Number] = []
    for column in chosen.columns:
        if isinstance(column, Categorical):
            # A missing category is a NaN code, and so is tested like a number; another marker is a code of its own.
            code = Number(x.scope.x, column.source, Raw(column.source))
            marker: Any = np.nan
            if not is_missing(indicator.missing_values):
                marker = float(x.scope.codes(column.source, [indicator.missing_values])[0])
            column, wanted = code, marker
        else:
            wanted = indicator.missing_values
        single = Matrix(x.scope, (column,))
        mask = op.cast(missing_mask(single.tensor, wanted), to=np.float64)
        columns.append(Number(mask, 0, _test(column.origin, wanted)))
    return Matrix(x.scope, tuple(columns))


def _test(origin: Raw | Lookup | None, wanted: Any) -> Lookup | None:
    """Where the column is the request's own, being missing is a table of one entry."""
    if not isinstance(origin, Raw) or origin.steps:
        return None
    if is_missing(wanted):
        return Lookup(origin.source, np.empty(0), np.empty(0), default=0.0, missing=1.0)
    return Lookup(origin.source, np.array([wanted], np.float64), np.ones(1), default=0.0, missing=0.0)


def missing_mask(tensor: Var, missing: Any) -> Var:
    """Where a float64 tensor holds the marker of a missing value: a tensor of its shape, of booleans."""
    return op.isnan(tensor) if is_missing(missing) else op.equal(tensor, op.const(np.float64(missing)))


def is_missing(value: Any) -> bool:
    """Whether a value is one of the markers None, NaN and pandas.NA."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
