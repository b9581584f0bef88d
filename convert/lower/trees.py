"""scikit-learn's own trees and forests."""

from itertools import repeat
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from spox import Var

from . import lower, lowers
from .dates import in_float32
from .ensemble import FLOAT32, Trees, chosen_leaves, distinct, in_order, join, sum_of_leaves
from .labels import Labels, argmax, log, scalar
from .matrix import Matrix

Floats = NDArray[np.float64]


def sklearn_tree(estimator: Any, columns: Any = None) -> Trees:
    """The nodes of a fitted decision tree.

    columns: where its features are among those of the matrix; None if they are the matrix's own.
    """
    tree = estimator.tree_
    is_leaf = tree.children_left < 0
    # Leaves ask none, which scikit-learn calls column -2.
    feature = tree.feature if columns is None else np.asarray(columns, np.int64)[np.maximum(tree.feature, 0)]
    return Trees(
        roots=np.array([0]),
        feature=np.where(is_leaf, -1, feature),
        threshold=tree.threshold.astype(np.float64),
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        missing_left=tree.missing_go_to_left.astype(bool),
    )


def as_float32(x: Matrix) -> Matrix:
    """The columns as trees see them."""
    return x.map(op.cast(in_float32(x), to=np.float64), [FLOAT32] * x.width)


def _joined(estimators: list[Any], columns: Any) -> Trees:
    return join([sklearn_tree(tree, own) for tree, own in zip(estimators, columns or repeat(None), strict=False)])


def leaf_values(estimators: list[Any], x: Matrix, columns: Any = None) -> Var:
    """A float64 tensor [N, T, outputs * classes]: the value of the leaf that each tree comes to.

    columns: for each tree, where its features are among those of the matrix; None if they are the matrix's own.
    """
    is_leaf, values = _leaves(estimators)
    # The leaves' values of all trees, each different row once.
    first, which = distinct(list(np.ascontiguousarray(values.T).view(np.int64)))
    place = np.zeros(len(is_leaf), np.int64)
    place[is_leaf] = which
    leaves = chosen_leaves(x, _joined(estimators, columns), place, FLOAT32)
    return op.gather(op.const(np.ascontiguousarray(values[first])), leaves, axis=0)


def _leaves(estimators: list[Any]) -> tuple[NDArray[np.bool_], Floats]:
    """Of the nodes of all trees, which are leaves, and the values of these, [leaves, outputs * classes]."""
    trees = [tree.tree_ for tree in estimators]
    own = [tree.children_left < 0 for tree in trees]
    values = [tree.value.reshape(tree.node_count, -1)[leaf] for tree, leaf in zip(trees, own, strict=True)]
    return np.concatenate(own), np.concatenate(values)


def mean_of_trees(estimators: list[Any], x: Matrix, columns: Any = None) -> Var:
    """A float64 tensor [N, outputs * classes]: added in the order of the trees, then divided by their number.

    columns: as for ``leaf_values``.
    """
    count = len(estimators)
    is_leaf, values = _leaves(estimators)
    width = values.shape[1]
    exact = adds_up_exactly(values, count)
    whole = exact and bool((values.sum(axis=1) == 1).all())
    two = whole and width == 2
    votes = whole and not two and bool(np.isin(values, (0, 1)).all())
    if not (width == 1 or two or votes):
        total = in_order(leaf_values(estimators, x, columns), count)
        return total if count == 1 else op.div(total, op.const(np.float64(count)))
    weights = np.zeros(len(is_leaf))
    targets = np.zeros(len(is_leaf), np.int64)
    each = np.ones(width)
    if votes:
        # Where a tree speaks for one class, as those do that were grown to the end, the ensemble itself adds the votes,
        # of the n-th class n each: onnxruntime 1.32 takes two leaves for one where their weights are equal, whatever
        # their classes. A quotient of whole numbers is rounded once, so n votes through n trees are a vote through one.
        targets[is_leaf] = values.argmax(axis=1)
        each = np.arange(1.0, width + 1)
        weights[is_leaf] = each[targets[is_leaf]]
    else:
        weights[is_leaf] = values[:, -1]
    trees, targeted = _joined(estimators, columns), width if votes else 1
    total = sum_of_leaves(x, trees, targets, weights, targeted, FLOAT32, in_any_order=exact)
    if two:
        total = op.concat([op.sub(op.const(np.float64(count)), total), total], axis=1)
    return op.div(total, op.const(each * count)) if count > 1 or votes else total


def adds_up_exactly(values: Floats, count: int) -> bool:
    """Whether no sum of so many of the values is ever rounded, so that their order does not matter.

    They are then multiples of 2^-20, and so is their sum, which has no more than 53 bits.
    """
    scaled = values * 2.0**20
    return bool((scaled == np.rint(scaled)).all() and np.abs(scaled).max(initial=0.0) * count <= 2.0**53)


def _members(estimator: Any) -> list[Any]:
    return list(estimator.estimators_) if hasattr(estimator, "estimators_") else [estimator]


CLASSIFIERS = (
    DecisionTreeClassifier,
    ExtraTreeClassifier,
    RandomForestClassifier,
    ExtraTreesClassifier,
)


@lowers(*CLASSIFIERS, method="predict_proba")
def forest_probabilities(forest: Any, x: Matrix) -> Var | list[Var]:
    mean = mean_of_trees(_members(forest), x)
    if forest.n_outputs_ == 1:
        return mean
    # Every output has the width of the one with most classes.
    width = int(max(forest.n_classes_))
    return [
        op.gather(mean, op.const(np.arange(output * width, output * width + int(classes))), axis=1)
        for output, classes in enumerate(forest.n_classes_)
    ]


@lowers(*CLASSIFIERS, method="predict")
def forest_labels(forest: Any, x: Matrix) -> Labels:
    return argmax(lower(forest, "predict_proba", x), forest.classes_)


@lowers(*CLASSIFIERS, method="predict_log_proba")
def forest_log_probabilities(forest: Any, x: Matrix) -> Var | list[Var]:
    return log(x, lower(forest, "predict_proba", x))


@lowers(DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor, method="predict")
def forest_regressor(forest: Any, x: Matrix) -> Var:
    mean = mean_of_trees(_members(forest), x)
    return scalar(mean) if forest.n_outputs_ == 1 else mean


@lowers(RandomTreesEmbedding, method="transform")
def leaves_one_hot(forest: RandomTreesEmbedding, x: Matrix) -> Matrix:
    """A column for each leaf of each tree, in the order of the forest's encoder."""
    columns = []
    start = 0
    for tree, leaves in zip(forest.estimators_, forest.one_hot_encoder_.categories_, strict=True):
        own = np.full(tree.tree_.node_count, -1)
        own[leaves] = start + np.arange(len(leaves))
        columns.append(own)
        start += len(leaves)
    chosen = chosen_leaves(x, _joined(forest.estimators_, None), np.concatenate(columns), FLOAT32)
    trees = np.repeat(np.arange(len(columns)), [len(leaves) for leaves in forest.one_hot_encoder_.categories_])
    lit = op.equal(op.gather(chosen, op.const(trees), axis=1), op.const(np.arange(start)))
    return x.new(op.cast(lit, to=np.float64))
