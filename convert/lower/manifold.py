"""Manifolds that place new rows among the training rows: Isomap and locally linear embedding."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from spox import Var

from . import lower, lowers
from .distances import constant, in_blocks, ordered_sum
from .matrix import Matrix
from .nearest import doubt, nearest, within
from .rounding import ROUNDING


def _ways(model: Isomap, x: Matrix) -> tuple[Var, Var | None]:
    """How long the way to each training row is, [N, n], and how far first steps may be off by rounding, [N, k]."""
    distances, places = nearest(model.nbrs_, x, model.n_neighbors)
    onward = op.gather(constant(model.dist_matrix_), places, axis=0)
    ways = op.add(onward, op.unsqueeze(distances, op.const(np.array([2]))))
    return op.reduce_min(ways, op.const(np.array([1])), keepdims=0), doubt(model.nbrs_, x, places)


def _ways_within(model: Isomap, x: Matrix) -> tuple[Var, Var | None]:
    """The same over all training rows within the radius; endless where there are none, of which scikit-learn raises."""
    distances, near = within(model.nbrs_, x)
    first, onward = op.where(near, distances, constant(np.inf)), constant(model.dist_matrix_[np.newaxis])

    def shortest(steps: Var) -> list[Var]:
        ways = op.add(op.unsqueeze(steps, op.const(np.array([2]))), onward)
        return [op.reduce_min(ways, op.const(np.array([1])), keepdims=0)]

    (found,) = in_blocks(first, model.dist_matrix_.size, shortest)
    off = doubt(model.nbrs_, x)
    return found, None if off is None else op.where(near, off, constant(0))


@lowers(Isomap, method="transform")
def isomap(model: Isomap, x: Matrix) -> Matrix:
    """The shortest way to every training row leads over one of the nearest; then the kernel's projection."""
    shortest, off = _ways(model, x) if model.n_neighbors is not None else _ways_within(model, x)
    kernel = op.mul(op.mul(shortest, shortest), constant(-0.5))
    projected: Matrix = lower(model.kernel_pca_, "transform", x.new(kernel), ".kernel_pca_")
    # Of a far row all ways are long, and centring takes off what they have in common.
    pca = model.kernel_pca_
    scales = np.abs(pca.eigenvectors_ / np.sqrt(np.where(pca.eigenvalues_ > 0, pca.eigenvalues_, np.inf)))
    longest = op.reduce_max(shortest, op.const(np.array([1])), keepdims=1)
    terms = op.mul(op.mul(longest, longest), constant(0.5))
    if off is not None:
        # A square moves by twice its root times what that does.
        most = op.reduce_max(off, op.const(np.array([1])), keepdims=1)
        terms = op.add(terms, op.mul(longest, op.div(most, constant(ROUNDING))))
    terms = op.mul(terms, constant(scales.sum(axis=0).max()))
    x.scope.adds_up(projected.tensor, terms, alone=off is not None)
    return projected


@lowers(LocallyLinearEmbedding, method="transform")
def locally_linear(model: LocallyLinearEmbedding, x: Matrix) -> Matrix:
    """The neighbours' places, weighted as they best make up the row (barycenter_weights)."""
    k = int(model.n_neighbors)
    _, places = nearest(model.nbrs_, x, k)
    neighbours = op.gather(constant(model.nbrs_._fit_X), places, axis=0)
    away = op.sub(neighbours, op.unsqueeze(x.tensor, op.const(np.array([1]))))
    gram = op.matmul(away, op.transpose(away, perm=[0, 2, 1]))
    identity = constant(np.eye(k)[np.newaxis])
    trace = op.reduce_sum(op.mul(gram, identity), op.const(np.array([1, 2])), keepdims=1)
    ridge = op.where(op.greater(trace, constant(0)), op.mul(constant(model.reg), trace), constant(model.reg))
    weights = _solved(op.add(gram, op.mul(identity, ridge)), k)
    weights = op.div(weights, op.reduce_sum(weights, op.const(np.array([1])), keepdims=1))
    placed = op.gather(constant(model.embedding_), places, axis=0)
    return x.new(ordered_sum(op.mul(placed, weights)))


def _solved(matrix: Var, size: int) -> Var:
    """The solution of A w = 1 for positive definite A, [N, k, k]: by elimination, which needs no pivots; [N, k, 1]."""
    ones = op.slice(matrix, op.const([0]), op.const([1]), op.const([2]))
    table = op.concat([matrix, op.add(op.mul(ones, constant(0)), constant(1))], axis=2)
    for pivot in range(size):
        row = op.slice(table, op.const([pivot]), op.const([pivot + 1]), op.const([1]))
        row = op.div(row, op.slice(row, op.const([pivot]), op.const([pivot + 1]), op.const([2])))
        column = op.slice(table, op.const([pivot]), op.const([pivot + 1]), op.const([2]))
        # The pivot's own row becomes the scaled one, every other loses its share of it.
        own = np.zeros((1, size, 1))
        own[0, pivot] = 1.0
        is_own = op.const(own.astype(bool))
        table = op.where(is_own, row, op.sub(table, op.mul(column, row)))
    return op.slice(table, op.const([size]), op.const([size + 1]), op.const([2]))
