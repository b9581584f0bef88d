"""Isotonic regression: a search among thresholds, then a straight line between two of them."""

from typing import Any

import numpy as np
import scipy
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .dummy import repeated
from .labels import scalar
from .matrix import Matrix
from .places import places

WEIGHTED = tuple(map(int, scipy.__version__.split(".")[:2])) >= (1, 18)
"""Whether scipy's interp1d adds the two ends by their weights (de Boor), and not a slope to the first, as before."""


@lowers(IsotonicRegression, method="predict")
def isotonic(model: IsotonicRegression, x: Matrix) -> Var:
    """The value between two thresholds, as scipy.interpolate.interp1d has it: float64 [N].

    It leaves float64 to numpy.interp, which looks for the last threshold that is at most the number; of float32 it
    looks for the last one below it.
    """
    return _interpolated(model, x)[0]


def steepness(model: IsotonicRegression, x: Matrix, terms: Var | None = None) -> Var:
    """The size of the terms that cancel between two thresholds, float64 [N]: the number times the line's slope, or its
    neighbour's, for a number on a threshold may be an ulp beside it.

    terms: of what cancels in the number itself, [N, 1].
    """
    _, slope, size = _interpolated(model, x)
    return op.mul(slope, size if terms is None else op.add(size, scalar(terms)))


def _interpolated(model: IsotonicRegression, x: Matrix) -> tuple[Var, Var, Var]:
    found: tuple[Var, Var, Var] = x.once(model, "interpolated", lambda: _interpolate(model, x))
    return found


def _interpolate(model: IsotonicRegression, x: Matrix) -> tuple[Var, Var, Var]:
    """What is predicted, how steep it is there, and the size of the number; float64 [N] each."""
    thresholds, values = model.X_thresholds_, model.y_thresholds_
    if len(thresholds) == 1:
        none = scalar(repeated(np.zeros(1), x))
        return scalar(repeated(values.astype(np.float64), x)), none, none
    # A model that was trained on float32 sees, compares and computes in float32.
    single = thresholds.dtype == np.float32
    dtype = np.float32 if single else np.float64
    number = op.cast(x.tensor, to=np.float32) if single else x.tensor
    low, high = op.const(dtype(model.X_min_)), op.const(dtype(model.X_max_))
    if model.out_of_bounds == "clip":
        number = op.clip(number, low, high)
    if single or model.out_of_bounds == "clip":
        x = x.new(op.cast(number, to=np.float64))
    with np.errstate(all="ignore"):
        # As both compute the slopes; at the last threshold none is needed.
        slopes = np.append(np.diff(values) / np.diff(thresholds), dtype(0))
    if not np.isfinite(slopes).all():
        raise UnsupportedError(
            "expected an IsotonicRegression with finite slopes, found thresholds too near each other: train it on "
            "numbers that are further apart"
        )
    # The first threshold is where a number below all of them is put too; a strict search never comes to the last.
    edges = thresholds[1:].astype(np.float64)
    at = places(x, [edges[:-1] if single else edges], ["left" if single else "right"])

    def found(table: NDArray[Any]) -> Var:
        return op.gather(op.const(table.astype(dtype)), at, axis=0)

    start, value = found(thresholds), found(values)
    if single and WEIGHTED:
        end = found(thresholds[1:])
        length = op.sub(end, start)
        late, early = op.div(op.sub(number, start), length), op.div(op.sub(end, number), length)
        line = op.add(op.mul(late, found(values[1:])), op.mul(early, value))
    else:
        line = op.add(op.mul(found(slopes), op.sub(number, start)), value)
    if model.out_of_bounds != "clip":
        # Where scikit-learn would raise the answer is NaN too.
        outside = op.or_(op.less(number, low), op.greater(number, high))
        line = op.where(outside, op.const(dtype(np.nan)), line)
    padded = np.pad(np.abs(slopes).astype(np.float64), 1)
    steepest = np.max([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    slope = op.gather(op.const(steepest), at, axis=0)
    return scalar(op.cast(line, to=np.float64)), scalar(slope), scalar(op.abs(x.tensor))


@lowers(IsotonicRegression, method="transform")
def isotonic_transform(model: IsotonicRegression, x: Matrix) -> Any:
    """The same; it is one-dimensional, so that nothing can come behind it."""
    return lower(model, "predict", x)
