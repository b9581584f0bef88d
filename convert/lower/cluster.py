"""Clusterers that assign new rows: to the nearest of their centres."""

from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from scipy.sparse import issparse
from sklearn.cluster import (
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)
from spox import Var

from ..errors import UnsupportedError
from . import lowers
from .distances import axis, constant, euclidean, ordered_sum, squared_euclidean
from .matrix import Matrix
from .rounding import ROUNDING, of_root

POOLS: dict[Any, Callable[..., Var]] = {np.max: op.reduce_max, np.min: op.reduce_min}


def _first_smallest(distances: Var) -> Var:
    return op.arg_min(distances, axis=1, keepdims=0)


def _lloyd_distances(x: Matrix, centres: Any) -> Var:
    """c.c - 2 x.c, by which sklearn.cluster._k_means_lloyd compares centres: a row's own norm is left out."""
    centres = np.ascontiguousarray(centres, np.float64)
    products = op.mul(op.matmul(x.tensor, constant(centres.T)), constant(-2))
    return op.add(constant(np.einsum("ij,ij->i", centres, centres)), products)


@lowers(KMeans, MiniBatchKMeans, method="predict")
def nearest_centre(model: Any, x: Matrix) -> Var:
    return _first_smallest(_lloyd_distances(x, model.cluster_centers_))


@lowers(BisectingKMeans, method="predict")
def bisecting_labels(model: BisectingKMeans, x: Matrix) -> Var:
    """Down the tree of bisections: at each the left centre unless the right one is nearer."""

    def label(node: Any) -> Var:
        if node.left is None:
            return op.const(np.int64(node.label))
        centres = np.vstack((node.left.center, node.right.center)) + getattr(model, "_X_mean", 0.0)
        left = op.equal(_first_smallest(_lloyd_distances(x, centres)), op.const(np.int64(0)))
        return op.where(left, label(node.left), label(node.right))

    if model._bisecting_tree.left is not None:
        return label(model._bisecting_tree)
    return op.mul(_first_smallest(x.select([0]).tensor), op.const(np.int64(0)))


def _distances(x: Matrix, centres: Any) -> Matrix:
    """[N, centres], and the proof told that they are roots of squares that cancel: of a row near a centre and far from
    the origin few digits are left, or none."""
    distances = euclidean(x.tensor, x.width, centres)
    rows = op.reduce_sum_square(x.tensor, axis(1), keepdims=1)
    terms = op.add(rows, constant(np.square(centres).sum(axis=1).max()))
    nearest = op.reduce_min(distances, axis(1), keepdims=1)
    x.scope.adds_up(
        distances, op.div(of_root(op.mul(terms, constant(ROUNDING)), nearest), constant(ROUNDING)), alone=True
    )
    return x.new(distances)


@lowers(KMeans, MiniBatchKMeans, BisectingKMeans, method="transform")
def distances_to_centres(model: Any, x: Matrix) -> Matrix:
    return _distances(x, model.cluster_centers_)


@lowers(AffinityPropagation, MeanShift, method="predict")
def nearest_exemplar(model: Any, x: Matrix) -> Var:
    if not hasattr(model, "cluster_centers_"):
        raise UnsupportedError(
            "expected AffinityPropagation with affinity='euclidean', found a precomputed one, which cannot predict: "
            "fit it on the features themselves"
        )
    centres = model.cluster_centers_.toarray() if issparse(model.cluster_centers_) else model.cluster_centers_
    if not len(centres):
        return op.sub(op.mul(_first_smallest(x.select([0]).tensor), op.const(np.int64(0))), op.const(np.int64(1)))
    return _first_smallest(squared_euclidean(x.tensor, x.width, centres))


@lowers(Birch, method="predict")
def birch_labels(model: Birch, x: Matrix) -> Var:
    nearest = _first_smallest(squared_euclidean(x.tensor, x.width, model.subcluster_centers_))
    return op.gather(op.const(np.asarray(model.subcluster_labels_, np.int64)), nearest, axis=0)


@lowers(Birch, method="transform")
def birch_distances(model: Birch, x: Matrix) -> Matrix:
    return _distances(x, model.subcluster_centers_)


@lowers(FeatureAgglomeration, method="transform")
def pooled_features(model: FeatureAgglomeration, x: Matrix) -> Matrix:
    groups = [np.flatnonzero(model.labels_ == label) for label in np.unique(model.labels_)]
    if model.pooling_func in POOLS:
        pool = POOLS[model.pooling_func]
        return x.new(op.concat([pool(x.select(group).tensor, axis(1), keepdims=1) for group in groups], axis=1))
    if model.pooling_func is not np.mean:
        raise UnsupportedError(
            f"expected pooling_func numpy.mean, numpy.max or numpy.min, found {model.pooling_func!r}: "
            "choose one of them"
        )
    # The columns of each group below one another, with zeros below the shorter ones.
    longest = max(map(len, groups))
    places = np.array([np.pad(group, (0, longest - len(group)), constant_values=x.width) for group in groups])
    padded = op.pad(x.tensor, op.const(np.array([0, 0, 0, 1])), constant(0))
    columns = op.gather(padded, op.const(np.ascontiguousarray(places.T)), axis=1)
    return x.new(op.div(ordered_sum(columns), constant([len(group) for group in groups])))
