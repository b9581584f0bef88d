"""Sums and distances in the order of scikit-learn's own loops, so that they have the same bits.

A ReduceSum of onnxruntime over a middle axis adds term by term, as a plain loop does, and alike for one row and for
many; over the last axis it adds in an order of its own.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..errors import UnsupportedError

__all__ = [
    "constant",
    "euclidean",
    "from_reduced",
    "in_blocks",
    "ordered_sum",
    "reduced_distances",
    "row_sum",
    "squared_euclidean",
    "squared_norms",
]

Floats = NDArray[np.float64]
BLOCK = 64
"""Rows at a time where a matrix of distances might not fit into memory."""
LARGE = 50_000
"""Numbers a row from which on rows are taken in blocks."""


def constant(value: Any) -> Var:
    """A float64 constant."""
    return op.const(np.ascontiguousarray(value, np.float64) if np.ndim(value) else np.float64(value))


def ordered_sum(terms: Var) -> Var:
    """The sum over the middle axis of [N, terms, k], from the first term to the last."""
    return op.reduce_sum(terms, op.const(np.array([1])), keepdims=0)


def _columns(tensor: Var, start: int, stop: int) -> Var:
    return op.slice(tensor, op.const([start]), op.const([stop]), op.const([1]))


def row_sum(tensor: Var, width: int) -> Var:
    """numpy.sum over the last axis of [N, width], with its bits: [N].

    The order is that of NumPy's pairwise sum (numpy/_core/src/umath/loops_utils.h.src) over contiguous numbers.
    """
    return op.reshape(_pairwise(tensor, 0, width), op.const(np.array([-1])))


def _pairwise(tensor: Var, start: int, count: int) -> Var:
    """The sum of some columns, [N, 1]."""
    if count > 128:
        half = count // 2 - count // 2 % 8
        return op.add(_pairwise(tensor, start, half), _pairwise(tensor, start + half, count - half))
    whole = count - count % 8
    total: Var | None = None
    if whole:
        eight = _columns(tensor, start, start + whole)
        if whole > 8:
            eight = ordered_sum(op.reshape(eight, op.const(np.array([-1, whole // 8, 8]))))
        for pairs in (4, 2, 1):
            halved = op.reshape(eight, op.const(np.array([-1, pairs, 2])))
            eight = op.reduce_sum(halved, op.const(np.array([2])), keepdims=0)
        total = eight
    for column in range(start + whole, start + count):
        term = _columns(tensor, column, column + 1)
        total = term if total is None else op.add(total, term)
    return total if total is not None else op.mul(_columns(tensor, 0, 1), constant(0))


def squared_norms(tensor: Var, width: int) -> Var:
    """sklearn.utils.extmath.row_norms(squared=True) of contiguous rows, with its bits: [N, 1].

    It is an einsum, which adds two lanes, of every eight columns the last pair first
    (numpy/_core/src/multiarray/einsum_sumprod.c.src).
    """
    if width == 1:
        return op.mul(tensor, tensor)
    whole = width - width % 8
    order = [start + 2 * pair + lane for start in range(0, whole, 8) for pair in (3, 2, 1, 0) for lane in (0, 1)]
    order += range(whole, width)
    if order != list(range(width)):
        tensor = op.gather(tensor, op.const(np.array(order, np.int64)), axis=1)
    squares = op.mul(tensor, tensor)
    if width % 2:
        squares = op.pad(squares, op.const(np.array([0, 0, 0, 1])), constant(0))
    lanes = ordered_sum(op.reshape(squares, op.const(np.array([-1, (width + 1) // 2, 2]))))
    return op.reduce_sum(lanes, op.const(np.array([1])), keepdims=1)


def squared_euclidean(tensor: Var, width: int, points: Any) -> Var:
    """euclidean_distances(squared=True) to points [n, width]: [N, n].

    By scikit-learn's own formula, x.x - 2 x.y + y.y: where it cancels (rows much nearer to a point than to the
    origin) its noise is part of the answer.
    """
    points = np.ascontiguousarray(points, np.float64)
    products = op.matmul(tensor, constant(points.T))
    distances = op.add(op.mul(products, constant(-2)), squared_norms(tensor, width))
    distances = op.add(distances, constant(np.einsum("ij,ij->i", points, points)))
    return op.max([distances, constant(0)])


def euclidean(tensor: Var, width: int, points: Any) -> Var:
    """euclidean_distances to points [n, width]: [N, n]."""
    return op.sqrt(squared_euclidean(tensor, width, points))


def _differences(tensor: Var, points: Floats) -> Var:
    """[N, features, n]: each row less each point."""
    return op.sub(op.unsqueeze(tensor, op.const(np.array([2]))), constant(points.T[np.newaxis]))


def _each(values: Any) -> Var:
    """A number a feature, for tensors [N, features, n]."""
    return constant(np.reshape(np.asarray(values, np.float64), (1, -1, 1)))


def _minkowski(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    # An exponent an element: for one number to all of a row onnxruntime multiplies where it is 2 or 3, but
    # scikit-learn's loop calls pow.
    exponents = constant(np.full((1, *points.T.shape), parameters["p"]))
    terms = op.pow(op.abs(_differences(tensor, points)), exponents)
    weights = parameters.get("w")
    return ordered_sum(terms if weights is None else op.mul(_each(weights), terms))


def _squared(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    difference = _differences(tensor, points)
    return ordered_sum(op.mul(difference, difference))


def _standardised(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    difference = _differences(tensor, points)
    return ordered_sum(op.div(op.mul(difference, difference), _each(parameters["V"])))


def _manhattan(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    return ordered_sum(op.abs(_differences(tensor, points)))


def _chebyshev(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    return op.reduce_max(op.abs(_differences(tensor, points)), op.const(np.array([1])), keepdims=0)


def _canberra(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    both = op.add(op.unsqueeze(op.abs(tensor), op.const(np.array([2]))), constant(np.abs(points).T[np.newaxis]))
    ratio = op.div(op.abs(_differences(tensor, points)), both)
    return ordered_sum(op.where(op.greater(both, constant(0)), ratio, constant(0)))


def _braycurtis(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    both = op.add(op.unsqueeze(op.abs(tensor), op.const(np.array([2]))), constant(np.abs(points).T[np.newaxis]))
    over, under = ordered_sum(op.abs(_differences(tensor, points))), ordered_sum(both)
    return op.where(op.greater(under, constant(0)), op.div(over, under), constant(0))


def _hamming(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    return op.div(_count(_unequal(tensor, points)), constant(points.shape[1]))


def _haversine(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    sines = op.sin(op.mul(constant(0.5), _differences(tensor, points)))
    latitude, longitude = (op.squeeze(part, op.const(np.array([1]))) for part in op.split(sines, num_outputs=2, axis=1))
    cosines = op.mul(op.cos(_columns(tensor, 0, 1)), constant(np.cos(points[:, 0])[np.newaxis]))
    return op.add(op.mul(latitude, latitude), op.mul(op.mul(cosines, longitude), longitude))


def _mahalanobis(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
    difference = _differences(tensor, points)
    rows = [
        op.mul(
            op.slice(difference, op.const([i]), op.const([i + 1]), op.const([1])),
            op.unsqueeze(ordered_sum(op.mul(difference, _each(row))), op.const(np.array([1]))),
        )
        for i, row in enumerate(np.asarray(parameters["VI"], np.float64))
    ]
    return ordered_sum(op.concat(rows, axis=1))


def _unequal(tensor: Var, points: Floats) -> Var:
    return op.not_(op.equal(op.unsqueeze(tensor, op.const(np.array([2]))), constant(points.T[np.newaxis])))


def _count(mask: Var) -> Var:
    return ordered_sum(op.cast(mask, to=np.float64))


def _boolean(formula: Callable[[Var, Var, int], Var]) -> Callable[[Var, Floats, Mapping[str, Any]], Var]:
    """A metric of the numbers of columns in which both are not zero, and in which just one is not."""

    def metric(tensor: Var, points: Floats, parameters: Mapping[str, Any]) -> Var:
        row = op.unsqueeze(op.not_(op.equal(tensor, constant(0))), op.const(np.array([2])))
        point = op.const(np.ascontiguousarray(points.T != 0)[np.newaxis])
        return formula(_count(op.and_(row, point)), _count(op.xor(row, point)), points.shape[1])

    return metric


def _jaccard(both: Var, one: Var, width: int) -> Var:
    nonzero = op.add(both, one)
    return op.where(op.equal(nonzero, constant(0)), constant(0), op.div(op.sub(nonzero, both), nonzero))


def _dice(both: Var, one: Var, width: int) -> Var:
    return op.div(one, op.add(op.mul(constant(2), both), one))


def _rogers(both: Var, one: Var, width: int) -> Var:
    return op.div(op.mul(constant(2), one), op.add(constant(width), one))


def _russell(both: Var, one: Var, width: int) -> Var:
    return op.div(op.sub(constant(width), both), constant(width))


def _sokal_sneath(both: Var, one: Var, width: int) -> Var:
    return op.div(one, op.add(one, op.mul(constant(0.5), both)))


_METRICS: dict[str, Callable[[Var, Floats, Mapping[str, Any]], Var]] = {
    **dict.fromkeys(("euclidean", "l2", "sqeuclidean"), _squared),
    **dict.fromkeys(("manhattan", "cityblock", "l1"), _manhattan),
    **dict.fromkeys(("chebyshev", "infinity"), _chebyshev),
    **dict.fromkeys(("minkowski", "p"), _minkowski),
    "seuclidean": _standardised,
    "canberra": _canberra,
    "braycurtis": _braycurtis,
    "hamming": _hamming,
    "haversine": _haversine,
    "mahalanobis": _mahalanobis,
    "jaccard": _boolean(_jaccard),
    "dice": _boolean(_dice),
    **dict.fromkeys(("rogerstanimoto", "sokalmichener"), _boolean(_rogers)),
    "russellrao": _boolean(_russell),
    "sokalsneath": _boolean(_sokal_sneath),
}


def reduced_distances(
    tensor: Var, points: Any, metric: Any, parameters: Mapping[str, Any], *, blocks: bool = True
) -> Var:
    """DistanceMetric's rdist (sklearn.metrics._dist_metrics) of rows [N, k] to points [n, k], with its bits: [N, n].

    blocks: whether many rows are taken a block at a time; not where the caller does.
    Raises UnsupportedError for a metric without a closed form.
    """
    function = _METRICS.get(metric) if isinstance(metric, str) else None
    if function is None:
        why = "use one of those" if isinstance(metric, str) else "a Python function cannot become a graph"
        raise UnsupportedError(
            f"expected a metric with a closed form ({', '.join(sorted(_METRICS))}), found {metric!r}: {why}"
        )
    points = np.ascontiguousarray(points, np.float64)
    size = points.size if blocks else 0
    return in_blocks(tensor, size, lambda rows: [function(rows, points, parameters)])[0]


def from_reduced(reduced: Var, metric: Any, parameters: Mapping[str, Any]) -> Var:
    """DistanceMetric's rdist_to_dist."""
    if metric in ("euclidean", "l2", "seuclidean", "mahalanobis"):
        return op.sqrt(reduced)
    if metric in ("minkowski", "p"):
        return op.pow(reduced, constant(1.0 / parameters["p"]))
    if metric == "haversine":
        return op.mul(constant(2), arcsine(op.sqrt(reduced)))
    return reduced


def arcsine(sine: Var) -> Var:
    """The angle from 0 to pi/2 of a sine: two steps of Halley's kind from an approximation good to 7e-5.

    The start is Hastings' (Abramowitz and Stegun, 4.4.45); a step adds atan(t) for the tangent t of what is left,
    t = (s cos a - c sin a) / (c cos a + s sin a), of which t - t**3 / 3 is enough at the second.
    """
    one = constant(1)
    cosine = op.sqrt(op.mul(op.sub(one, sine), op.add(one, sine)))
    angle = constant(-0.0187293)
    for coefficient in (0.0742610, -0.2121144, 1.5707288):
        angle = op.add(op.mul(angle, sine), constant(coefficient))
    angle = op.sub(constant(math.pi / 2), op.mul(op.sqrt(op.sub(one, sine)), angle))
    for _ in range(2):
        s, c = op.sin(angle), op.cos(angle)
        left = op.div(
            op.sub(op.mul(sine, c), op.mul(cosine, s)),
            op.add(op.mul(cosine, c), op.mul(sine, s)),
        )
        cubed = op.mul(op.mul(left, left), op.div(left, constant(3)))
        angle = op.add(angle, op.sub(left, cubed))
    return angle


def in_blocks(tensor: Var, size: int, make: Callable[[Var], list[Var]]) -> list[Var]:
    """What ``make`` gives for the rows of a tensor, taken a block at a time where ``size`` numbers a row are many.

    make: [rows, k] -> tensors whose first axis is the rows, each row made by itself.
    """
    if size <= LARGE:
        return make(tensor)
    rows = op.shape(tensor, start=0, end=1)
    one = op.const(np.array([1]))
    step = op.max([op.min([rows, op.const(np.array([BLOCK]))]), one])
    blocks = op.div(op.sub(op.add(rows, step), one), step)
    # spox has a loop's count, index and condition as tensors of one element, not as scalars.
    going = op.const(np.array([True]))

    def body(index: Var, _: Var) -> list[Var]:
        first = op.squeeze(op.mul(index, step))
        places = op.range(first, op.add(first, op.squeeze(step)), op.const(np.array(1)))
        # The last block is filled up with the last row.
        block = op.gather(tensor, op.min([places, op.squeeze(op.sub(rows, one))]), axis=0)
        return [going, *make(block)]

    found = op.loop(blocks, going, [], body=body)
    results = []
    for part in found:
        shape = part.unwrap_tensor().shape
        tail = [int(extent) for extent in (shape or ())[2:]]
        flat = op.reshape(part, op.const(np.array([-1, *tail])))
        results.append(op.slice(flat, op.const([0]), rows, op.const([0])))
    return results
