"""Gradient boosting: a start, and trees that are added to it one after the other."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from spox import Var

from . import lower, lowers
from .ensemble import FLOAT32, Trees, chosen_leaves, join, stump, sum_of_leaves
from .labels import Labels, argmax, log_probabilities, probabilities_of, scalar
from .links import inverse_link, link
from .matrix import Matrix, concat
from .meta import column, numbers, upright
from .precision import check_precision
from .trees import as_float32, sklearn_tree

Floats = NDArray[np.float64]


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
    constant = _constant_start(model)
    if constant is not None:
        return _boosted(constant, stages, x, FLOAT32)
    return _boosted_from(_start(model, x), [part for stage in stages for part in stage], x)


def _constant_start(model: Any) -> Floats | None:
    if isinstance(model.init_, str):
        return np.zeros(int(model.n_trees_per_iteration_))
    dummy = isinstance(model.init_, DummyClassifier | DummyRegressor)
    if not dummy or model.init_.strategy == "stratified":  # which draws anew for each row
        return None
    row = np.zeros((1, model.n_features_in_), np.float32)
    start: Floats = model._raw_predict_init(row)[0]
    return start


def _start(model: Any, x: Matrix) -> Var:
    """What another init estimator answers, [N, K], as ``sklearn.ensemble._gb._init_raw_predictions``.

    It is given float32 numbers.
    """
    method = "predict_proba" if is_classifier(model) else "predict"
    check_precision(model.init_, method, model.n_features_in_, "an init estimator", "with a tree model")
    x = x.once(model, "float32", lambda: as_float32(x))
    if not is_classifier(model):
        return upright(numbers(lower(model.init_, "predict", x, ".init_")))
    scores = lower(model.init_, "predict_proba", x, ".init_")
    scores = scores if model._loss.is_multiclass else column(scores, 1)
    eps = np.finfo(np.float64).eps
    scores = op.min([op.max([scores, op.const(eps)]), op.const(1 - eps)])
    return link(model._loss.link, scores)


def _boosted_from(start: Var, trees: list[tuple[Trees, Floats]], x: Matrix) -> Var:
    """As ``_boosted``, with a start of each row's own."""
    values = np.concatenate([own for _, own in trees])
    distinct, places = np.unique(values.view(np.int64), return_inverse=True)
    leaves = chosen_leaves(x, join([own for own, _ in trees]), places.ravel(), FLOAT32)
    steps = op.gather(op.const(distinct.view(np.float64)), leaves, axis=0)
    shape = start.unwrap_tensor().shape
    width = 1 if shape is None else shape[1]
    by_stage = op.reshape(steps, op.const(np.array([-1, len(trees) // width, width])))
    # A running sum adds in order; a reduction need not.
    rows = op.concat([op.unsqueeze(start, op.const(np.array([1]))), by_stage], axis=1)
    sums = op.cumsum(rows, op.const(np.int64(1)))
    return op.gather(sums, op.const(np.int64(len(trees) // width)), axis=1)


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


lowers(GradientBoostingClassifier, HistGradientBoostingClassifier, method="predict_log_proba")(log_probabilities)


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
