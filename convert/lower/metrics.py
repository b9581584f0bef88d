"""The metrics of sklearn.metrics and scipy.spatial, with the bits of their own loops."""

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..errors import UnsupportedError
from .callables import of_pairs
from .distances import columns, constant, feature_sum, in_blocks, ordered_sum, row_sum, squared_euclidean
from .flags import FLAGS, YULE, weighed
from .special import arcsine

__all__ = ["SQUARED", "from_reduced", "named", "nan_euclidean", "nan_terms", "reduced_distances", "scipy_distances"]

Floats = NDArray[np.float64]
Parameters = Mapping[str, Any]
SQUARED = ("euclidean", "l2", "seuclidean", "mahalanobis")
"""Metrics whose squares are compared."""


def named(metric: Any, parameters: Parameters) -> tuple[Any, dict[str, Any]]:
    """A metric and its parameters as DistanceMetric.get_metric takes them: a power of one, two or infinity has a loop
    of its own, and a covariance is inverted. A Python function is given all that there are."""
    if callable(metric):
        return metric, dict(parameters)
    parameters = {name: value for name, value in parameters.items() if value is not None}
    if metric in ("minkowski", "p"):
        power = float(parameters.pop("p", 2))
        own = {1.0: "manhattan", 2.0: "euclidean", math.inf: "chebyshev"}
        if "w" not in parameters and power in own:
            return own[power], {}
        return "minkowski", parameters | {"p": power}
    if metric == "mahalanobis" and "VI" not in parameters:
        return metric, {"VI": np.linalg.inv(np.atleast_2d(parameters["V"]))}
    return metric, parameters


def _difference(row: Var, point: Var) -> Var:
    return op.abs(op.sub(row, point))


def _square(row: Var, point: Var) -> Var:
    difference = op.sub(row, point)
    return op.mul(difference, difference)


def _sizes(row: Var, point: Var) -> Var:
    return op.add(op.abs(row), op.abs(point))


def _minkowski(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    # An exponent an element: for one number to all of a row onnxruntime multiplies where it is 2 or 3, but
    # scikit-learn's loop calls pow.
    exponents = np.full(points.T.shape, parameters["p"])
    if "w" not in parameters:
        return feature_sum(tensor, points, lambda row, point, p: op.pow(_difference(row, point), p), exponents)
    return feature_sum(
        tensor,
        points,
        lambda row, point, p, w: op.mul(w, op.pow(_difference(row, point), p)),
        exponents,
        parameters["w"],
    )


def _squared(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    return feature_sum(tensor, points, _square)


def _standardised(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    return feature_sum(tensor, points, lambda row, point, v: op.div(_square(row, point), v), parameters["V"])


def _manhattan(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    return feature_sum(tensor, points, _difference)


def _chebyshev(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    def term(row: Var, point: Var) -> Var:
        # C's fmax leaves NaN out; the one search that is given any is RadiusNeighborsClassifier's by brute force.
        difference = _difference(row, point)
        return op.where(op.isnan(difference), constant(0), difference)

    return feature_sum(tensor, points, term, largest=True)


def _canberra(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    def term(row: Var, point: Var) -> Var:
        both = _sizes(row, point)
        return op.where(op.greater(both, constant(0)), op.div(_difference(row, point), both), constant(0))

    return feature_sum(tensor, points, term)


def _braycurtis(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    over, under = feature_sum(tensor, points, _difference), feature_sum(tensor, points, _sizes)
    return op.where(op.greater(under, constant(0)), op.div(over, under), constant(0))


def _haversine(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    latitude, longitude = (
        op.sin(op.mul(constant(0.5), op.sub(columns(tensor, i, i + 1), constant(points[:, i][np.newaxis]))))
        for i in (0, 1)
    )
    cosines = op.mul(op.cos(columns(tensor, 0, 1)), constant(np.cos(points[:, 0])[np.newaxis]))
    return op.add(op.mul(latitude, latitude), op.mul(op.mul(cosines, longitude), longitude))


def _mahalanobis(tensor: Var, points: Floats, parameters: Parameters, add: Callable[[Var], Var] = ordered_sum) -> Var:
    difference = op.sub(op.unsqueeze(tensor, op.const([2])), constant(points.T[np.newaxis]))
    rows = [
        op.mul(
            op.slice(difference, op.const([i]), op.const([i + 1]), op.const([1])),
            op.unsqueeze(add(op.mul(difference, constant(row[np.newaxis, :, np.newaxis]))), op.const([1])),
        )
        for i, row in enumerate(np.asarray(parameters["VI"], np.float64))
    ]
    return add(op.concat(rows, axis=1))


def _scipy_mahalanobis(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    return op.sqrt(_mahalanobis(tensor, points, parameters, lambda terms: _two_lanes(terms, points.shape[1])))


def _two_lanes(terms: Var, width: int) -> Var:
    """The sum over the middle axis of [N, width, k] as scipy's C loops add once they are compiled for x86-64: every
    second term, the others, and what is left over."""
    pairs = width - width % 2
    parts = [
        ordered_sum(op.slice(terms, op.const([lane]), op.const([pairs]), op.const([1]), op.const([2])))
        for lane in range(2 if pairs else 0)
    ]
    if width % 2:
        parts.append(ordered_sum(op.slice(terms, op.const([pairs]), op.const([width]), op.const([1]))))
    return reduce(op.add, parts)


def _correlation(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    """One less the cosine of what is left without the means."""
    width = points.shape[1]
    mean = op.reshape(op.div(row_sum(tensor, width), constant(width)), op.const([-1, 1]))
    rows = op.unsqueeze(op.sub(tensor, mean), op.const([2]))
    others = constant((points - points.mean(axis=1, keepdims=True)).T[np.newaxis])
    norms = [op.sqrt(_two_lanes(op.mul(side, side), width)) for side in (rows, others)]
    cosine = op.div(_two_lanes(op.mul(rows, others), width), op.mul(*norms))
    cosine = op.where(op.greater(op.abs(cosine), constant(1)), op.sign(cosine), cosine)
    return op.sub(constant(1), cosine)


def _hamming(tensor: Var, points: Floats, parameters: Parameters) -> Var:
    weights, total = weighed(points, parameters)
    unequal = feature_sum(tensor, points, lambda row, point, w: op.where(op.equal(row, point), constant(0), w), weights)
    return op.div(unequal, total)


_METRICS: dict[str, Callable[[Var, Floats, Parameters], Var]] = {
    **dict.fromkeys(("euclidean", "l2", "sqeuclidean"), _squared),
    **dict.fromkeys(("manhattan", "cityblock", "l1"), _manhattan),
    **dict.fromkeys(("chebyshev", "infinity"), _chebyshev),
    "minkowski": _minkowski,
    "seuclidean": _standardised,
    "canberra": _canberra,
    "braycurtis": _braycurtis,
    "hamming": _hamming,
    "haversine": _haversine,
    "mahalanobis": _mahalanobis,
    **FLAGS,
}
_SCIPY: dict[str, Callable[[Var, Floats, Parameters], Var]] = {
    "correlation": _correlation,
    "hamming": _hamming,
    "mahalanobis": _scipy_mahalanobis,
    "yule": YULE,
    **FLAGS,
}
_PARAMETERS = {
    "minkowski": {"p", "w"},
    "seuclidean": {"V"},
    "mahalanobis": {"VI", "V"},
    **{name: {"w"} for name in (*FLAGS, "hamming", "yule")},
}
"""The parameters of the metrics that have any."""


def reduced_distances(tensor: Var, points: Any, metric: Any, parameters: Parameters, *, blocks: bool = True) -> Var:
    """DistanceMetric's rdist (sklearn.metrics._dist_metrics) of rows [N, k] to points [n, k], with its bits: [N, n].

    metric, parameters: as ``named`` gives them.
    blocks: whether many rows are taken a block at a time; not where the caller does.
    Raises UnsupportedError for a metric without a closed form, and for a function that cannot be traced.
    """
    if callable(metric):
        return of_pairs(metric, tensor, points, parameters, "metric", blocks=blocks)
    function = _known(metric, parameters, _METRICS)
    points = np.ascontiguousarray(points, np.float64)
    size = points.size if blocks else 0
    return in_blocks(tensor, size, lambda rows: [function(rows, points, parameters)])[0]


def scipy_distances(tensor: Var, points: Any, metric: Any, parameters: Parameters) -> Var:
    """scipy.spatial.distance.cdist of rows [N, k] to points [n, k], where scikit-learn calls that: [N, n].

    Raises UnsupportedError for a metric without a closed form, and for a function that cannot be traced.
    """
    if callable(metric):
        return of_pairs(metric, tensor, points, parameters, "metric", blocks=False)
    return _known(metric, parameters, _SCIPY)(tensor, np.ascontiguousarray(points, np.float64), parameters)


def _known(
    metric: Any, parameters: Parameters, table: Mapping[str, Callable[[Var, Floats, Parameters], Var]]
) -> Callable[[Var, Floats, Parameters], Var]:
    function = table.get(metric)
    if function is None:
        known = ", ".join(sorted({*_METRICS, *_SCIPY, "cosine", "nan_euclidean"}))
        raise UnsupportedError(f"expected a metric with a closed form ({known}), found {metric!r}: use one of those")
    unknown = sorted(set(parameters) - _PARAMETERS.get(metric, set()))
    if unknown:
        raise UnsupportedError(
            f"expected metric {metric!r} with no other parameters than {sorted(_PARAMETERS.get(metric, set()))}, found "
            f"{unknown}: leave them out"
        )
    return function


def from_reduced(reduced: Var, metric: Any, parameters: Parameters) -> Var:
    """DistanceMetric's rdist_to_dist."""
    if metric in SQUARED:
        return op.sqrt(reduced)
    if metric == "minkowski":
        return op.pow(reduced, constant(1.0 / parameters["p"]))
    if metric == "haversine":
        return op.mul(constant(2), arcsine(op.sqrt(reduced)))
    return reduced


def nan_terms(rows: Var, mask: Var, points: Floats, absent: NDArray[np.bool_]) -> Var:
    """The magnitudes of the terms of nan_euclidean's squares, added up: [N, n]."""
    width, present = points.shape[1], op.sub(constant(1), op.cast(mask, to=np.float64))
    norms = op.reduce_sum(op.mul(rows, rows), op.const([1]), keepdims=1)
    count = op.matmul(present, constant(~absent.T))
    total = op.add(norms, constant((points * points).sum(axis=1)[np.newaxis]))
    return op.mul(total, op.div(constant(2 * width), op.max([count, constant(1)])))


def nan_euclidean(rows: Var, mask: Var, points: Floats, absent: NDArray[np.bool_]) -> Var:
    """sklearn.metrics.pairwise.nan_euclidean_distances, in its order: [N, n], NaN where nothing is in common.

    rows, points: zero where a value is missing. mask, absent: where that is.
    """
    width = points.shape[1]
    here = op.cast(mask, to=np.float64)
    distances = squared_euclidean(rows, width, points)
    distances = op.sub(distances, op.matmul(op.mul(rows, rows), constant(absent.T)))
    distances = op.max([op.sub(distances, op.matmul(here, constant((points * points).T))), constant(0)])
    count = op.matmul(op.sub(constant(1), here), constant(~absent.T))
    distances = op.where(op.equal(count, constant(0)), constant(np.nan), distances)
    return op.sqrt(op.mul(op.div(distances, op.max([count, constant(1)])), constant(width)))
