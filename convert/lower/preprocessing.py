"""Scalers and other steps that work on each column alone."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from spox import Var

from . import lowers
from .matrix import Matrix, Monotone

Floats = NDArray[np.float64]


class Affine:
    """Elementwise steps, each with one number a column, done the same way in the graph and in NumPy.

    steps: (name, vector [k]) pairs, of ``Sub``, ``Div``, ``Mul``, ``Add``, and ``Clip`` with a pair of numbers.
    """

    def __init__(self, *steps: tuple[str, Any]) -> None:
        self._steps = [(name, amount) for name, amount in steps if amount is not None]

    def __call__(self, x: Matrix) -> Matrix:
        if len(self._steps) == 1 and self._steps[0][0] == "Div" and x.sparse is not None:
            # Of sparse columns scikit-learn multiplies by the inverse.
            return x.sparse_columns(x.sparse.scaled(1 / np.asarray(self._steps[0][1], np.float64)))
        tensor = x.tensor
        for name, amount in self._steps:
            tensor = _GRAPH[name](tensor, amount)
        return x.map(tensor, self.monotone(x.width)) if self._steps else x

    def monotone(self, width: int) -> list[Monotone]:
        """The same, as a function of each column."""
        columns = []
        for column in range(width):
            own = [(name, amount if name == "Clip" else amount[column]) for name, amount in self._steps]
            falling = sum(name in ("Div", "Mul") and amount < 0 for name, amount in own)
            columns.append(Monotone(partial(_apply, own), rising=falling % 2 == 0))
        return columns


def _apply(steps: Sequence[tuple[str, Any]], values: Floats) -> Floats:
    for name, amount in steps:
        values = np.clip(values, *amount) if name == "Clip" else _NUMPY[name](values, amount)
    return values


def _clip(tensor: Var, bounds: tuple[float, float]) -> Var:
    # Clip of onnxruntime turns NaN into a bound; NumPy's keeps it.
    low, high = (op.const(np.float64(bound)) for bound in bounds)
    return op.where(op.less(tensor, low), low, op.where(op.greater(tensor, high), high, tensor))


_NUMPY = {"Sub": np.subtract, "Div": np.divide, "Mul": np.multiply, "Add": np.add}
_GRAPH = {
    "Sub": lambda x, v: op.sub(x, op.const(np.asarray(v, np.float64))),
    "Div": lambda x, v: op.div(x, op.const(np.asarray(v, np.float64))),
    "Mul": lambda x, v: op.mul(x, op.const(np.asarray(v, np.float64))),
    "Add": lambda x, v: op.add(x, op.const(np.asarray(v, np.float64))),
    "Clip": _clip,
}


@lowers(StandardScaler, method="transform")
def standard_scaler(scaler: StandardScaler, x: Matrix) -> Matrix:
    return Affine(
        ("Sub", scaler.mean_ if scaler.with_mean else None), ("Div", scaler.scale_ if scaler.with_std else None)
    )(x)


@lowers(RobustScaler, method="transform")
def robust_scaler(scaler: RobustScaler, x: Matrix) -> Matrix:
    return Affine(
        ("Sub", scaler.center_ if scaler.with_centering else None),
        ("Div", scaler.scale_ if scaler.with_scaling else None),
    )(x)


@lowers(MinMaxScaler, method="transform")
def min_max_scaler(scaler: MinMaxScaler, x: Matrix) -> Matrix:
    return Affine(
        ("Mul", scaler.scale_),
        ("Add", scaler.min_),
        ("Clip", tuple(map(float, scaler.feature_range)) if scaler.clip else None),
    )(x)


@lowers(MaxAbsScaler, method="transform")
def max_abs_scaler(scaler: MaxAbsScaler, x: Matrix) -> Matrix:
    return Affine(("Div", scaler.scale_), ("Clip", (-1.0, 1.0) if getattr(scaler, "clip", False) else None))(x)
