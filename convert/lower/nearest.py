"""The nearest training rows, chosen among equally near ones as scikit-learn chooses.

scikit-learn pushes distances onto a heap of k, in the order in which its search comes to the rows; which of several
equally near rows stays depends on both. Far out, where all distances round to the same, every answer depends on it.
So the graph selects with TopK, and where a row has a tie at the border it repeats the search (``visits``, ``heap``).
Of metrics that have no such loop, and between sparse rows of the euclidean one, scikit-learn partitions the distances
with NumPy, which chooses otherwise on another processor: there the graph takes the first of equals, and the proof
settles it (``settled``).

Where scikit-learn multiplies matrices to get distances (brute force and euclidean, cosine or nan_euclidean), these have
the rounding of the processor's own multiplication: the proof is told which rows hang on that.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.metrics._pairwise_distances_reduction import ArgKmin
from spox import Var

from ..errors import UnsupportedError
from .distances import columns, constant, in_blocks
from .heap import pushed
from .impute import missing_mask
from .kernels import pairwise_kernel
from .matrix import Matrix
from .metrics import SQUARED, from_reduced, named, nan_euclidean, reduced_distances, scipy_distances
from .packed import LIMIT
from .rounding import LARGEST, ROUNDING, choice_hangs, of_gaps, of_root, of_whole
from .visits import Tree

__all__ = ["doubt", "nearest", "within"]

ON_RADIUS = 1e-9
"""How near to the radius a distance is taken for being on it, of the radius."""


def _same(values: Any) -> Any:
    return values


@dataclass(frozen=True)
class Search:
    """By what a model's search compares rows with its training rows.

    compared: rows [N, features] to the numbers that are compared, [N, n]. real: these to distances.
    size: how many numbers that makes of a row on its way.
    radius: the largest of those numbers that are within the model's radius.
    rounding: rows and those numbers to how far these may be off, [N, n]; None where they have scikit-learn's bits.
    partition: whether NumPy's partition chooses. tree: the tree that is searched, or None.
    empty: whether NumPy's partition chooses for a row of nothing but zeros that comes alone.
    """

    compared: Callable[[Var], Var]
    real: Callable[[Var], Var]
    size: int
    radius: Callable[[float], float] = _same
    rounding: Callable[[Var, Var], Var] | None = None
    partition: bool = False
    tree: Tree | None = None
    empty: bool = False


def _integers(*values: int) -> Var:
    return op.const(np.array(values, np.int64))


def _search(model: Any, x: Matrix) -> Search:
    metric, parameters = named(model.effective_metric_, model.effective_metric_params_)
    if metric == "precomputed":
        return Search(_same, _same, model.n_samples_fit_, partition=True)
    points, sparse = _points(model), issparse(model._fit_X)
    brute = model._fit_method == "brute"
    if brute and metric in ("euclidean", "sqeuclidean"):
        return _multiplied(metric, points, partition=sparse)
    if brute and metric == "cosine":
        return Search(lambda rows: _cosine(rows, points, x), _same, len(points), rounding=_of_cosines, partition=True)
    if brute and metric == "nan_euclidean":
        return _with_gaps(points, parameters)
    if brute and metric not in ArgKmin.valid_metrics():
        return Search(
            lambda rows: scipy_distances(rows, points, metric, parameters), _same, points.size, partition=True
        )
    return Search(
        lambda rows: reduced_distances(rows, points, metric, parameters, blocks=False),
        lambda reduced: from_reduced(reduced, metric, parameters),
        points.size,
        lambda radius: _reduced_radius(radius, metric, parameters),
        tree=None if brute else Tree.of(model),
        empty=sparse,
    )


def _points(model: Any) -> NDArray[np.float64]:
    """The training rows, [n, features]. Raises UnsupportedError where sparse ones would never fit into a graph."""
    rows = model._fit_X
    if not issparse(rows):
        return np.asarray(rows, np.float64)
    if 8 * math.prod(rows.shape) > LIMIT:
        raise UnsupportedError(
            f"expected training rows of at most 2 GB with their zeros, where protobuf ends, found {rows.shape[0]:,} "
            f"rows of {rows.shape[1]:,} columns: fit it on fewer rows, or put TruncatedSVD before it"
        )
    return np.asarray(rows.toarray(), np.float64)


def _multiplied(metric: str, points: NDArray[np.float64], *, partition: bool = False) -> Search:
    """ArgKmin's and RadiusNeighbors' squares, x.x - 2 x.y + y.y; between sparse rows they are NumPy's to partition.

    The norms are BLAS's dot products. Of less than 16 features they are added like the products, so that of a training
    row itself nothing is left.
    """
    norms = np.array([row @ row for row in points])[np.newaxis]

    def norm(rows: Var) -> Var:
        product = op.matmul(op.unsqueeze(rows, _integers(1)), op.unsqueeze(rows, _integers(2)))
        return op.reshape(product, _integers(-1, 1))

    def squares(rows: Var) -> Var:
        products = op.mul(op.matmul(rows, constant(points.T)), constant(-2))
        return op.max([op.add(op.add(products, norm(rows)), constant(norms)), constant(0)])

    def rounding(rows: Var, _: Var) -> Var:
        terms = op.add(norm(rows), constant(norms))
        return of_whole(rows, points, op.mul(terms, constant(2)), op.mul(terms, constant(ROUNDING)))

    if metric == "sqeuclidean":
        return Search(squares, _same, len(points), rounding=rounding, partition=partition)
    return Search(squares, op.sqrt, len(points), lambda radius: radius * radius, rounding, partition)


def _cosine(rows: Var, points: Any, x: Matrix) -> Var:
    similarity = pairwise_kernel(x.new(rows), points, "cosine", {})
    distance = op.add(op.mul(similarity, constant(-1)), constant(1))
    return op.min([op.max([distance, constant(0)]), constant(2)])


def _of_cosines(rows: Var, compared: Var) -> Var:
    return op.add(op.mul(compared, constant(0)), constant(2 * ROUNDING))


def _with_gaps(points: Any, parameters: dict[str, Any]) -> Search:
    marker = parameters.get("missing_values", np.nan)
    unknown = sorted(set(parameters) - {"missing_values"})
    if unknown:
        raise UnsupportedError(f"expected metric 'nan_euclidean' with missing_values at most, found {unknown}")
    absent = np.isnan(points) if np.isnan(marker) else points == marker
    filled = np.where(absent, 0.0, points)

    def compared(rows: Var) -> Var:
        mask = missing_mask(rows, marker)
        return nan_euclidean(op.where(mask, constant(0), rows), mask, filled, absent)

    def rounding(rows: Var, distances: Var) -> Var:
        mask = missing_mask(rows, marker)
        return of_gaps(op.where(mask, constant(0), rows), mask, filled, absent, distances)

    return Search(compared, _same, len(points), rounding=rounding, partition=True)


def _reduced_radius(radius: float, metric: str, parameters: dict[str, Any]) -> float:
    if metric in SQUARED:
        return radius * radius
    if metric == "minkowski":
        return float(np.power(radius, parameters["p"]))
    return float(np.sin(0.5 * radius) ** 2) if metric == "haversine" else radius


def nearest(model: Any, x: Matrix, k: int) -> tuple[Var, Var]:
    """The distances of the k nearest training rows, ascending, float64 [N, k], and which they are, int64 [N, k]."""

    def make() -> tuple[Var, Var]:
        search, count = _search(model, x), model.n_samples_fit_

        def block(rows: Var) -> list[Var]:
            compared = search.compared(rows)
            values, places = _first(search, compared, min(k + 1, count))
            if k == count:
                return [values, places]
            chosen = columns(places, 0, k)
            if not search.partition:
                chosen = _settled(search, rows, compared, _tied(search, compared, values, k), chosen, k)
            if search.tree is not None and search.tree.overlooks:
                return [op.gather_elements(compared, chosen, axis=1), chosen]
            return [columns(values, 0, k), chosen]

        values, places = in_blocks(x.tensor, search.size, block)
        x.scope.among_equals |= search.partition
        if search.rounding is not None and k < count:
            x.scope.undecided.append(in_blocks(x.tensor, search.size, lambda rows: [_open(search, rows, k)])[0])
        if search.empty:
            most = op.reduce_max(op.abs(x.tensor), _integers(1), keepdims=1)
            x.scope.undecided.append(op.equal(most, constant(0)))
        return search.real(values), places

    found: tuple[Var, Var] = x.once(model, f"{k} nearest", make)
    return found


def _first(search: Search, compared: Var, k: int) -> tuple[Var, Var]:
    """The least numbers of each row in ascending order, and their places."""
    if not search.partition:
        values, places = op.top_k(compared, _integers(k), axis=1, largest=0, sorted=1)
        return values, places
    # NumPy sorts NaN behind infinity.
    known = op.where(op.isnan(compared), constant(np.inf), op.min([compared, constant(LARGEST)]))
    _, places = op.top_k(known, _integers(k), axis=1, largest=0, sorted=1)
    return op.gather_elements(compared, places, axis=1), places


def _tied(search: Search, compared: Var, values: Var, k: int) -> Var:
    """Whether the k-th and the next number of a row are equal, [N, 1]; of a search that overlooks rows, whether all
    must be asked."""
    last, next_ = columns(values, k - 1, k), columns(values, k, k + 1)
    if search.tree is not None and search.tree.overlooks:
        return op.greater_or_equal(op.shape(compared, start=1, end=2), op.cast(op.isnan(last), to=np.int64))
    return op.not_(op.less(last, next_))


def _settled(search: Search, rows: Var, compared: Var, tied: Var, chosen: Var, k: int) -> Var:
    """The choice, [N, k], made again by the search's own way for the rows that have a tie at the border."""

    def again() -> list[Var]:
        which = op.reshape(op.non_zero(op.reshape(tied, _integers(-1))), _integers(-1))
        distances = op.gather(compared, which, axis=0)
        visits = None
        if search.tree is None:  # one training row after the other
            width = op.squeeze(op.shape(distances, start=1, end=2))
            order = op.unsqueeze(op.range(op.const(np.int64(0)), width, op.const(np.int64(1))), _integers(0))
            places = op.add(op.mul(op.cast(distances, to=np.int64), op.const(np.int64(0))), order)
        else:
            places, visits = search.tree.order(op.gather(rows, which, axis=0))
            distances = op.gather_elements(distances, places, axis=1)
        return [op.scatter_nd(chosen, op.unsqueeze(which, _integers(1)), pushed(distances, places, k, visits))]

    some = op.greater(op.reduce_max(op.cast(tied, to=np.int64), keepdims=0), op.const(np.int64(0)))
    (found,) = op.if_(some, then_branch=again, else_branch=lambda: [op.identity(chosen)])
    return op.reshape(found, _integers(-1, k))


def _open(search: Search, rows: Var, k: int) -> Var:
    """Rows of which another rounding might choose others, [N, 1]."""
    compared = search.compared(rows)
    return choice_hangs(compared, search.rounding(rows, compared), k)  # type: ignore[misc]


def doubt(model: Any, x: Matrix, places: Var | None = None) -> Var | None:
    """How far the distances of training rows may be off by rounding, [N, n], or of chosen ones, [N, k]; None where
    they have scikit-learn's bits."""
    search = _search(model, x)
    if search.rounding is None:
        return None

    def block(rows: Var) -> list[Var]:
        compared = search.compared(rows)
        off = search.rounding(rows, compared)  # type: ignore[misc]
        return [off if search.real is _same else of_root(off, search.real(compared))]

    (found,) = in_blocks(x.tensor, search.size, block)
    return found if places is None else op.gather_elements(found, places, axis=1)


def within(model: Any, x: Matrix) -> tuple[Var, Var]:
    """The distances to all training rows and which of them are within the model's radius: [N, n] each."""

    def make() -> tuple[Var, Var]:
        search, radius = _search(model, x), float(model.radius)
        limit = constant(search.radius(radius))

        def block(rows: Var) -> list[Var]:
            compared = search.compared(rows)
            near = op.less_or_equal(compared, limit)
            return [search.real(compared), near if search.tree is None else _walked(search.tree, rows, compared, near)]

        def _walked(tree: Tree, rows: Var, compared: Var, near: Var) -> Var:
            """Where a training row lies on the radius, as the tree's search has it."""
            gap = op.abs(op.sub(compared, limit))
            on = op.less_or_equal(gap, op.abs(op.mul(limit, constant(ON_RADIUS))))
            some = op.greater(op.reduce_max(op.cast(on, to=np.int64), keepdims=0), op.const(np.int64(0)))
            (found,) = op.if_(
                op.or_(some, op.const(np.array(tree.overlooks))),
                then_branch=lambda: [tree.within(rows, near, radius)],
                else_branch=lambda: [op.identity(near)],
            )
            return op.reshape(found, op.const(np.array([-1, model.n_samples_fit_])))

        def undecided(rows: Var) -> list[Var]:
            compared = search.compared(rows)
            off = search.rounding(rows, compared)  # type: ignore[misc]
            on = op.cast(op.less_or_equal(op.abs(op.sub(compared, limit)), off), to=np.int64)
            return [op.greater(op.reduce_max(on, _integers(1), keepdims=1), op.const(np.int64(0)))]

        if search.rounding is not None:
            x.scope.undecided.append(in_blocks(x.tensor, search.size, undecided)[0])
        distances, near = in_blocks(x.tensor, search.size, block)
        return distances, near

    found: tuple[Var, Var] = x.once(model, "within", make)
    return found
