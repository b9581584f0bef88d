"""scikit-learn's own trees, forests and boosting."""

from itertools import repeat
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from spox import Var

from . import lower, lowers
from .ensemble import FLOAT32, Trees, chosen_leaves, join, stump, sum_of_leaves
from .labels import Labels, argmax, log, probabilities_of, scalar
from .links import inverse_link
from .matrix import Matrix, concat

Floats = NDArray[np.float64]


def sklearn_tree(estimator: Any, columns: Any = None) -> Trees:
    """The nodes of a fitted decision tree.

    columns: where its features are among those of the matrix; None if they are the matrix's own.
    """
    tree = estimator.tree_
    is_leaf = tree.children_left < 0
    feature = tree.feature if columns is None else np.asarray(columns, np.int64)[tree.feature]
    return Trees(
        roots=np.array([0]),
        feature=np.where(is_leaf, -1, feature),
        threshold=tree.threshold.astype(np.float64),
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        missing_left=tree.missing_go_to_left.astype(bool),
    )


def _joined(estimators: list[Any], columns: Any) -> Trees:
    return join([sklearn_tree(tree, own) for tree, own in zip(estimators, columns or repeat(None), strict=False)])


def leaf_values(estimators: list[Any], x: Matrix, columns: Any = None) -> Var:
    """A float64 tensor [N, T, outputs * classes]: the value of the leaf that each tree comes to.

    columns: for each tree, where its features are among those of the matrix; None if they are the matrix's own.
    """
    values = np.concatenate([tree.tree_.value.reshape(tree.tree_.node_count, -1) for tree in estimators])
    # The values of all trees, each different one once.
    _, first, place = np.unique(values.view(np.int64), axis=0, return_index=True, return_inverse=True)
    leaves = chosen_leaves(x, _joined(estimators, columns), place.ravel(), FLOAT32)
    return op.gather(op.const(np.ascontiguousarray(values[first])), leaves, axis=0)


def mean_of_trees(estimators: list[Any], x: Matrix, columns: Any = None) -> Var:
    """A float64 tensor [N, outputs * classes]: added in the order of the trees, then divided by their number.

    columns: as for ``leaf_values``.
    """
    if estimators[0].tree_.value.shape[1:] == (1, 1):
        trees = _joined(estimators, columns)
        values = np.concatenate([tree.tree_.value.ravel() for tree in estimators])
        total = sum_of_leaves(x, trees, np.zeros(len(values), np.int64), values, 1, FLOAT32)
    else:
        total = op.reduce_sum(leaf_values(estimators, x, columns), op.const(np.array([1])), keepdims=0)
    return total if len(estimators) == 1 else op.div(total, op.const(np.float64(len(estimators))))


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
    return log(lower(forest, "predict_proba", x))


@lowers(DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor, method="predict")
def forest_regressor(forest: Any, x: Matrix) -> Var:
    mean = mean_of_trees(_members(forest), x)
    return scalar(mean) if forest.n_outputs_ == 1 else mean


def _boosted(start: Floats, stages: list[list[tuple[Trees, Floats]]], x: Matrix, cast: Any) -> Var:
    """A float64 tensor [N, K]: the start, then a tree a target and stage, added one after the other.

    The start is a tree of one leaf, put first: added last it would give other bits.
    """
    width = len(start)
    parts = [(stump(), target, np.array([value])) for target, value in enumerate(start.tolist())]
    parts += [(trees, target, values) for stage in stages for target, (trees, values) in enumerate(stage)]
    targets = np.concatenate([np.full(len(values), target) for _, target, values in parts])
    weights = np.concatenate([values for _, _, values in parts])
    return sum_of_leaves(x, join([trees for trees, _, _ in parts]), targets, weights, width, cast)


def _gradient_boosting(model: Any, x: Matrix) -> Var:
    """The raw predictions, float64 [N, K]."""
    stages = [
        [(sklearn_tree(tree), model.learning_rate * tree.tree_.value.ravel()) for tree in stage]
        for stage in model.estimators_
    ]
    width = int(model.n_trees_per_iteration_)
    constant = _constant_start(model, width)
    if constant is not None:
        return _boosted(constant, stages, x, FLOAT32)
    from ..errors import UnsupportedError

    raise UnsupportedError("expected GradientBoosting with its own init or init='zero', found another init estimator")


def _constant_start(model: Any, width: int) -> Floats | None:
    if isinstance(model.init_, str):
        return np.zeros(width)
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if not isinstance(model.init_, DummyClassifier | DummyRegressor):
        return None
    row = np.zeros((1, model.n_features_in_), np.float32)
    start: Floats = model._raw_predict_init(row)[0]
    return start


def _hist_trees(predictor: Any, x: Matrix) -> tuple[Trees, Floats]:
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    members = {}
    for node in np.flatnonzero(nodes["is_categorical"] & ~is_leaf):
        bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        values = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
        members[int(node)] = values.astype(np.float64)
    trees = Trees(
        roots=np.array([0]),
        feature=np.where(is_leaf, -1, nodes["feature_idx"].astype(np.int64)),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        members=members,
    )
    return trees, nodes["value"].astype(np.float64)


def _hist_gradient_boosting(model: Any, x: Matrix) -> Var:
    """The raw predictions, float64 [N, K]."""
    if model._preprocessor is not None:
        # Categories first, as codes; then the numbers, which its second half only checks.
        encoder = model._preprocessor.named_transformers_["encoder"]
        chosen = model._preprocessor._transformer_to_input_indices
        x = concat([lower(encoder, "transform", x.select(chosen["encoder"])), x.select(chosen["numerical"])])
    stages = [[_hist_trees(predictor, x) for predictor in stage] for stage in model._predictors]
    return _boosted(np.ravel(model._baseline_prediction).astype(np.float64), stages, x, None)


BOOSTED = (
    ((GradientBoostingClassifier, GradientBoostingRegressor), _gradient_boosting),
    ((HistGradientBoostingClassifier, HistGradientBoostingRegressor), _hist_gradient_boosting),
)


def _raw(model: Any, x: Matrix) -> Var:
    function = next(function for classes, function in BOOSTED if isinstance(model, classes))
    raw: Var = x.once(model, "raw", lambda: function(model, x))
    return raw


@lowers(GradientBoostingClassifier, HistGradientBoostingClassifier, method="decision_function")
def boosted_decision(model: Any, x: Matrix) -> Var:
    return scalar(_raw(model, x)) if len(model.classes_) == 2 else _raw(model, x)


@lowers(GradientBoostingClassifier, HistGradientBoostingClassifier, method="predict_proba")
def boosted_probabilities(model: Any, x: Matrix) -> Var:
    return probabilities_of(inverse_link(model._loss.link, _raw(model, x)))


@lowers(GradientBoostingClassifier, HistGradientBoostingClassifier, method="predict_log_proba")
def boosted_log_probabilities(model: Any, x: Matrix) -> Var:
    return log(lower(model, "predict_proba", x))


@lowers(GradientBoostingClassifier, HistGradientBoostingClassifier, method="predict")
def boosted_labels(model: Any, x: Matrix) -> Labels:
    raw = _raw(model, x)
    if len(model.classes_) > 2:
        return argmax(raw, model.classes_)
    zero = op.const(np.float64(0))
    # A tie at zero goes to the second class in one and to the first in the other.
    over = op.greater_or_equal if isinstance(model, GradientBoostingClassifier) else op.greater
    return Labels(op.cast(scalar(over(raw, zero)), to=np.int64), (model.classes_,))


@lowers(GradientBoostingRegressor, method="predict")
def gradient_boosting_regressor(model: Any, x: Matrix) -> Var:
    return scalar(_raw(model, x))


@lowers(HistGradientBoostingRegressor, method="predict")
def hist_gradient_boosting_regressor(model: Any, x: Matrix) -> Var:
    return scalar(inverse_link(model._loss.link, _raw(model, x)))
