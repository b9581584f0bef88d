"""Isotonic regression: a search among thresholds, then a straight line between two of them."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .dummy import repeated
from .ensemble import Trees, chosen_leaves
from .labels import scalar
from .matrix import Matrix

Floats = NDArray[np.float64]


@lowers(IsotonicRegression, method="predict")
def isotonic(model: IsotonicRegression, x: Matrix) -> Var:
    """The value between two thresholds, as scipy.interpolate.interp1d leaves it to numpy.interp: float64 [N]."""
    if model.X_thresholds_.dtype != np.float64:
        raise UnsupportedError(
            "expected an IsotonicRegression that was trained on float64, found one trained on "
            f"{model.X_thresholds_.dtype}, which computes in {model.X_thresholds_.dtype}: train it on float64"
        )
    places, values = model.X_thresholds_, model.y_thresholds_.astype(np.float64)
    if len(places) == 1:
        return scalar(repeated(values, x))
    with np.errstate(all="ignore"):
        # numpy.interp computes the slopes like this; at the last threshold none is needed.
        slopes = np.append(np.diff(values) / np.diff(places), 0.0)
    if not np.isfinite(slopes).all():
        raise UnsupportedError(
            "expected an IsotonicRegression with finite slopes, found thresholds too near each other"
        )
    number = x.tensor
    low, high = op.const(np.float64(model.X_min_)), op.const(np.float64(model.X_max_))
    if model.out_of_bounds == "clip":
        x = x.new(op.clip(number, low, high))
        number = x.tensor
    trees, interval = _search(places)
    at = chosen_leaves(x, trees, interval, None)
    start, value, slope = (op.gather(op.const(table), at, axis=0) for table in (places, values, slopes))
    line = op.add(op.mul(slope, op.sub(number, start)), value)
    if model.out_of_bounds == "clip":
        return scalar(line)
    # Where scikit-learn would raise the answer is NaN too.
    outside = op.or_(op.less(number, low), op.greater(number, high))
    return scalar(op.where(outside, op.const(np.float64(np.nan)), line))


@lowers(IsotonicRegression, method="transform")
def isotonic_transform(model: IsotonicRegression, x: Matrix) -> Any:
    """The same; it is one-dimensional, so that nothing can come behind it."""
    return lower(model, "predict", x)


def _search(places: Floats) -> tuple[Trees, NDArray[np.int64]]:
    """A binary search as a balanced tree, and for each leaf the last place that is at most the number (else 0)."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    interval: list[int] = []

    def grow(first: int, last: int) -> int:
        node = len(feature)
        leaf = last - first == 1
        middle = (first + last) // 2
        feature.append(-1 if leaf else 0)
        # A tree asks x <= t, the search x < t.
        threshold.append(0.0 if leaf else float(np.nextafter(places[middle], -np.inf)))
        interval.append(first)
        left.append(-1)
        right.append(-1)
        if not leaf:
            left[node] = grow(first, middle)
            right[node] = grow(middle, last)
        return node

    grow(0, len(places))
    trees = Trees(
        roots=np.array([0]),
        feature=np.array(feature),
        threshold=np.array(threshold),
        left=np.array(left),
        right=np.array(right),
        missing_left=np.zeros(len(feature), bool),
    )
    return trees, np.array(interval)
