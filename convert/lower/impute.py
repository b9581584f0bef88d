"""SimpleImputer and MissingIndicator; a string imputer builds no graph but renames categories."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.utils._mask import _get_mask
from spox import Var

from . import lower, lowers
from .dates import numbered
from .matrix import MISSING, Categorical, Column, Lookup, Matrix, Monotone, Number, Raw

NEVER = -2.0
"""No category's code."""


@lowers(SimpleImputer, method="transform")
def simple_imputer(imputer: SimpleImputer, x: Matrix) -> Matrix:
    x = numbered(x)
    statistics = list(imputer.statistics_)
    empty = _get_mask(imputer.statistics_, np.nan)  # None is a value like another where NaN is what is missing
    kept = [index for index in range(len(statistics)) if imputer.keep_empty_features or not empty[index]]
    numeric = [index for index in kept if isinstance(x.columns[index], Number) and _is_number(statistics[index])]
    filled: dict[int, Column] = {}
    if numeric:
        fills = np.array([statistics[index] for index in numeric], np.float64)
        if imputer._fill_dtype.kind == "f":  # what was fitted on float32 fills with float32
            fills = fills.astype(imputer._fill_dtype).astype(np.float64)
        filled = dict(zip(numeric, _fill(x.select(numeric), fills, imputer.missing_values).columns, strict=True))
    for index in kept:
        column = x.columns[index]
        if isinstance(column, Categorical):
            before = imputer.missing_values
            if is_missing(before):
                before = MISSING if _stands_for(before, column.marker) else None
            changes = column.changes if before is None else (*column.changes, (before, statistics[index]))
            filled[index] = replace(column, changes=changes)
        elif isinstance(column, Number) and index not in filled:  # a number among categories, and so among objects
            gaps = is_missing(imputer.missing_values) and _may_be_missing(x, column)
            filled[index] = replace(column, fill=statistics[index]) if gaps else column
    imputed = Matrix(x.scope, tuple(filled[index] for index in kept))
    return imputed.beside(lower(imputer.indicator_, "transform", x)) if imputer.add_indicator else imputed


def _may_be_missing(x: Matrix, column: Number) -> bool:
    return column.origin is None or x.scope.missing[column.origin.source]


def _is_number(fill: Any) -> bool:
    return is_missing(fill) or isinstance(fill, int | float | np.number)


def _stands_for(missing: Any, marker: Any) -> bool:
    """Whether an imputer's marker of missing values is that of a column; pandas.NA is any of them."""
    return type(missing).__name__ == "NAType" or (missing is None) == (marker is None)


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
            number = Number(x.scope.x, column.source, Raw(column.source))
            wanted: Any = np.nan
            if not is_missing(indicator.missing_values):
                wanted = float(x.scope.codes(column.source, [indicator.missing_values])[0])
            elif not _stands_for(indicator.missing_values, column.marker):
                wanted = NEVER
        else:
            (number,), wanted = Matrix(x.scope, (column,)).numbers(), indicator.missing_values
        single = Matrix(x.scope, (number,))
        mask = op.cast(missing_mask(single.tensor, wanted), to=np.float64)
        columns.append(Number(mask, 0, _test(number.raw, wanted)))
    return Matrix(x.scope, tuple(columns))


def _test(raw: Raw | None, wanted: Any) -> Lookup | None:
    """Where the column is the request's own, being missing is a table of one entry."""
    if raw is None:
        return None
    if is_missing(wanted):
        return Lookup(raw.source, np.empty(0), np.empty(0), default=0.0, missing=1.0)
    return Lookup(raw.source, np.array([wanted], np.float64), np.ones(1), default=0.0, missing=0.0)


def missing_mask(tensor: Var, missing: Any) -> Var:
    """Where a float64 tensor holds the marker of a missing value: a tensor of its shape, of booleans."""
    return op.isnan(tensor) if is_missing(missing) else op.equal(tensor, op.const(np.float64(missing)))


def is_missing(value: Any) -> bool:
    """Whether a value is one of the markers None, NaN and pandas.NA."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
