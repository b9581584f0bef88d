"""The nearest training rows, chosen among equally near ones as scikit-learn chooses.

scikit-learn pushes distances onto a heap of k, in the order in which its search comes to the rows; which of several
equally near rows stays depends on both. Far out, where all distances round to the same, every answer depends on it.
So the graph selects with TopK, and where a row has a tie at the border it repeats the search: the order of the tree's
leaves, and the heap (sklearn.utils._heap, sklearn.neighbors._binary_tree).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from scipy.sparse import issparse
from spox import Var

from ..errors import UnsupportedError
from .distances import (
    constant,
    from_reduced,
    in_blocks,
    ordered_sum,
    reduced_distances,
    squared_euclidean,
)
from .kernels import pairwise_kernel
from .matrix import Matrix

__all__ = ["all_distances", "nearest"]

SQUARED = ("euclidean", "l2", "seuclidean", "mahalanobis")


def _integers(*values: int) -> Var:
    return op.const(np.array(values, np.int64))


def _points(model: Any) -> Any:
    if issparse(model._fit_X):
        raise UnsupportedError("expected a model fitted on dense rows, found sparse ones: fit it on a dense array")
    return np.asarray(model._fit_X, np.float64)


def _reduced(model: Any, x: Matrix, *, blocks: bool) -> Callable[[Var], Var]:
    """Rows [N, features] to what the search compares, [N, n]."""
    metric, parameters = model.effective_metric_, model.effective_metric_params_
    if metric == "precomputed":
        return lambda rows: rows
    points = _points(model)
    brute = model._fit_method == "brute"
    if brute and metric in ("euclidean", "sqeuclidean"):
        return lambda rows: squared_euclidean(rows, points.shape[1], points)
    if brute and metric == "cosine":
        return lambda rows: _cosine(rows, points, x)
    if metric == "mahalanobis" and "VI" not in parameters:
        parameters = {"VI": np.linalg.inv(np.atleast_2d(parameters["V"]))}
    if metric == "minkowski" and "p" not in parameters:
        parameters = {**parameters, "p": model.p}
    return lambda rows: reduced_distances(rows, points, metric, parameters, blocks=blocks)


def _cosine(rows: Var, points: Any, x: Matrix) -> Var:
    similarity = pairwise_kernel(x.new(rows), points, "cosine", {})
    distance = op.add(op.mul(similarity, constant(-1)), constant(1))
    return op.min([op.max([distance, constant(0)]), constant(2)])


def _real(model: Any, reduced: Var) -> Var:
    """Distances of what was compared."""
    metric = model.effective_metric_
    if metric in ("precomputed", "cosine", "sqeuclidean"):
        return reduced
    return from_reduced(reduced, metric, {"p": model.p} | model.effective_metric_params_)


def all_distances(model: Any, x: Matrix) -> tuple[Var, Callable[[Var], Var]]:
    """What a search compares, [N, n], and the function that makes distances of it."""
    return _reduced(model, x, blocks=True)(x.tensor), lambda reduced: _real(model, reduced)


def nearest(model: Any, x: Matrix, k: int) -> tuple[Var, Var]:
    """The distances of the k nearest training rows, ascending, float64 [N, k], and which they are, int64 [N, k]."""

    def make() -> tuple[Var, Var]:
        compare, order = _reduced(model, x, blocks=False), _order(model)
        rows = model.n_samples_fit_
        size = rows if model._fit_method == "brute" else rows * x.width

        def block(tensor: Var) -> list[Var]:
            reduced = compare(tensor)
            if k == rows:
                values, places = op.top_k(reduced, _integers(k), axis=1, largest=0, sorted=1)
                return [values, places]
            values, places = op.top_k(reduced, _integers(k + 1), axis=1, largest=0, sorted=1)
            last, next_ = _column(values, k - 1), _column(values, k)
            tied = op.not_(op.less(last, next_))
            chosen = op.slice(places, _integers(0), _integers(k), _integers(1))
            some = op.greater(op.reduce_max(op.cast(tied, to=np.int64), keepdims=0), op.const(np.int64(0)))
            (chosen,) = op.if_(
                some,
                then_branch=lambda: [_settled(tensor, reduced, tied, chosen, k, order)],
                else_branch=lambda: [op.identity(chosen)],
            )
            chosen = op.reshape(chosen, _integers(-1, k))
            return [op.slice(values, _integers(0), _integers(k), _integers(1)), chosen]

        values, places = in_blocks(x.tensor, size, block)
        return _real(model, values), places

    found: tuple[Var, Var] = x.once(model, f"{k} nearest", make)
    return found


def _column(tensor: Var, index: int) -> Var:
    return op.slice(tensor, _integers(index), _integers(index + 1), _integers(1))


def _settled(tensor: Var, reduced: Var, tied: Var, chosen: Var, k: int, order: Callable[[Var], Var] | None) -> Var:
    """The choice, [N, k], made again for rows that have a tie at the border."""
    rows = op.reshape(op.non_zero(op.reshape(tied, _integers(-1))), _integers(-1))
    distances = op.gather(reduced, rows, axis=0)
    if order is None:  # one training row after the other
        places = op.add(op.mul(op.cast(distances, to=np.int64), op.const(np.int64(0))), _range_like(distances))
    else:
        places = order(op.gather(tensor, rows, axis=0))
        distances = op.gather_elements(distances, places, axis=1)
    again = _heap(distances, places, k)
    return op.scatter_nd(chosen, op.unsqueeze(rows, _integers(1)), again)


def _range_like(distances: Var) -> Var:
    """0, 1, 2 ... in the shape [1, n] of a tensor [N, n]."""
    width = op.squeeze(op.shape(distances, start=1, end=2))
    return op.unsqueeze(op.range(op.const(np.int64(0)), width, op.const(np.int64(1))), _integers(0))


def _heap(distances: Var, places: Var, k: int) -> Var:
    """The places left on a heap of k after all distances were pushed from left to right; ascending, [N, k].

    A turn of the loop pushes, in every row, the next distance that is less than the heap's largest: those between
    would not have got onto it.
    """
    rows = op.shape(distances, start=0, end=1)
    shape = op.concat([rows, _integers(k)], axis=0)
    single = op.concat([rows, _integers(1)], axis=0)
    columns = _range_like(distances)

    def turn(_: Var, __: Var, values: Var, held: Var, last: Var) -> list[Var]:
        better = op.and_(op.greater(columns, last), op.less(distances, _column(values, 0)))
        place = op.arg_max(op.cast(better, to=np.uint8), axis=1, keepdims=1)
        found = op.gather_elements(better, place, axis=1)
        value = op.gather_elements(distances, place, axis=1)
        pushed, moved = _push(values, held, value, op.gather_elements(places, place, axis=1), k)
        some = op.greater(op.reshape(op.reduce_max(op.cast(found, to=np.int64)), _integers(1)), _integers(0))
        return [some, op.where(found, pushed, values), op.where(found, moved, held), op.where(found, place, last)]

    values, held, _ = op.loop(
        op.shape(distances, start=1, end=2),
        op.const(np.array([True])),
        [
            op.expand(constant([[np.inf]]), shape),
            op.expand(op.const(np.array([[0]])), shape),
            op.expand(op.const(np.array([[-1]])), single),
        ],
        body=turn,
    )
    _, order = op.top_k(values, _integers(k), axis=1, largest=0, sorted=1)
    return op.gather_elements(held, order, axis=1)


def _push(values: Var, held: Var, value: Var, place: Var, k: int) -> tuple[Var, Var]:
    """sklearn.utils._heap.heap_push: the root is replaced and sinks below every larger child."""
    # Two columns more, for the children of the last level.
    smallest = op.pad(values, _integers(0, 0, 0, 2), constant(-np.inf))
    at = op.mul(place, op.const(np.int64(0)))
    one, two, end = (op.const(np.int64(number)) for number in (1, 2, k))
    for _ in range(int(math.log2(k))):
        left = op.min([op.add(op.mul(at, two), one), end])
        right = op.add(left, one)
        left_value = op.gather_elements(smallest, left, axis=1)
        right_value = op.gather_elements(smallest, right, axis=1)
        to_left = op.greater_or_equal(left_value, right_value)
        child = op.where(to_left, left, right)
        larger = op.where(to_left, left_value, right_value)
        sinks = op.less(value, larger)
        values = op.scatter_elements(
            values, at, op.where(sinks, larger, op.gather_elements(values, at, axis=1)), axis=1
        )
        target = op.min([child, op.const(np.int64(k - 1))])
        moved = op.where(sinks, op.gather_elements(held, target, axis=1), op.gather_elements(held, at, axis=1))
        held = op.scatter_elements(held, at, moved, axis=1)
        at = op.where(sinks, child, at)
    return op.scatter_elements(values, at, value, axis=1), op.scatter_elements(held, at, place, axis=1)


def _order(model: Any) -> Callable[[Var], Var] | None:
    """Rows [N, features] to the order in which the search comes to the training rows, int64 [N, n]; None where it
    takes them one after the other."""
    if model._fit_method == "brute":
        return None
    _, slots, nodes, bounds = (np.asarray(part) for part in model._tree.get_arrays())
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    sizes = nodes["idx_end"] - nodes["idx_start"]
    # The place of a slot: its own within its leaf, and the sizes of all leaves that are visited before, which change
    # with which child of each node is nearer.
    leaves = np.flatnonzero(nodes["is_leaf"])
    leaves = leaves[np.argsort(nodes["idx_start"][leaves])]
    starts = nodes["idx_start"][leaves]
    leaf_of_slot = np.repeat(np.arange(len(leaves)), sizes[leaves])
    own = np.arange(len(slots)) - starts[leaf_of_slot]
    before, change = np.zeros(len(leaves)), np.zeros((len(inner), len(leaves)))
    for row, node in enumerate(inner):
        left, right = 2 * node + 1, 2 * node + 2
        in_left = (starts >= nodes["idx_start"][left]) & (starts < nodes["idx_end"][left])
        in_right = (starts >= nodes["idx_start"][right]) & (starts < nodes["idx_end"][right])
        before[in_left] += sizes[right]
        change[row, in_left] = -sizes[right]
        change[row, in_right] = sizes[left]
    bound = _box_bounds(model, bounds) if model._fit_method == "kd_tree" else _ball_bounds(model, nodes, bounds[0])

    def order(rows: Var) -> Var:
        if len(inner):
            lower = bound(rows)
            left = op.gather(lower, op.const(2 * inner + 1), axis=1)
            right = op.gather(lower, op.const(2 * inner + 2), axis=1)
            left_first = op.cast(op.less_or_equal(left, right), to=np.float64)
            leaf_places = op.add(op.matmul(left_first, constant(change)), constant(before))
        else:
            leaf_places = op.mul(_column(rows, 0), constant(0))
        positions = op.add(op.gather(leaf_places, op.const(leaf_of_slot), axis=1), constant(own[np.newaxis]))
        _, sequence = op.top_k(positions, _integers(len(slots)), axis=1, largest=0, sorted=1)
        return op.gather(op.const(slots.astype(np.int64)), sequence, axis=0)

    return order


def _box_bounds(model: Any, bounds: Any) -> Callable[[Var], Var]:
    """KDTree's min_rdist: from a row to the box of each node, [N, nodes]."""
    metric, zero = model.effective_metric_, constant(0)
    power = {"euclidean": 2.0, "l2": 2.0, "manhattan": 1.0, "cityblock": 1.0, "l1": 1.0}.get(metric)
    if power is None and metric in ("minkowski", "p"):
        power = float(model.effective_metric_params_.get("p", model.p))
    lower, upper = (constant(part.T[np.newaxis]) for part in bounds)

    def distances(rows: Var) -> Var:
        column = op.unsqueeze(rows, _integers(2))
        outside = op.add(op.max([op.sub(lower, column), zero]), op.max([op.sub(column, upper), zero]))
        if power is None:
            return op.reduce_max(outside, _integers(1), keepdims=0)
        return ordered_sum(outside if power == 1 else op.pow(outside, constant(power)))

    return distances


def _ball_bounds(model: Any, nodes: Any, centres: Any) -> Callable[[Var], Var]:
    """BallTree's min_rdist: from a row to the ball of each node, [N, nodes]."""
    metric, parameters = model.effective_metric_, model.effective_metric_params_
    if metric == "mahalanobis" and "VI" not in parameters:
        parameters = {"VI": np.linalg.inv(np.atleast_2d(parameters["V"]))}

    def distances(rows: Var) -> Var:
        real = _real(model, reduced_distances(rows, centres, metric, {"p": model.p} | parameters, blocks=False))
        outside = op.max([op.sub(real, constant(nodes["radius"])), constant(0)])
        return op.mul(outside, outside) if metric in SQUARED else outside

    return distances
