"""Linear models: a product in float64, and for classifiers the links behind it."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    LogisticRegression,
    RANSACRegressor,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
    SGDOneClassSVM,
)
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.linear_model._stochastic_gradient import BaseSGDRegressor
from spox import Var

from . import lower, lowers
from .labels import Labels, argmax, log_probabilities, probabilities_of, scalar
from .links import expit, softmax
from .matrix import Matrix
from .sparse import Sparse
from .terms import hand_on_product, same

BINARY = np.array([0, 1])
"""The two answers for each label of a multi-label classifier."""


def linear(x: Matrix, coefficients: Any, intercepts: Any) -> Var:
    """x @ coefficients.T + intercepts: float64 [N, outputs], for coefficients [outputs, features]."""
    weights = np.atleast_2d(np.asarray(coefficients, np.float64)).T
    # Scores and probabilities are of one product, whose weights are in the graph once.
    found = x.once(coefficients, "product", lambda: product(x, weights))
    scores = op.add(found, op.const(np.atleast_1d(np.asarray(intercepts, np.float64))))
    return hand_on_product(x, scores, weights)


def product(x: Matrix, weights: NDArray[np.float64]) -> Var:
    """x @ weights: float64 [N, outputs], for weights [features, outputs]; sparse columns stay sparse."""
    blocks: dict[int, tuple[Sparse, list[int]]] = {}
    dense: list[int] = []
    for place, column in enumerate(x.numbers()):
        if isinstance(column.tensor, Sparse):
            blocks.setdefault(id(column.tensor), (column.tensor, []))[1].append(place)
        else:
            dense.append(place)
    if not blocks:
        return op.matmul(x.tensor, op.const(np.ascontiguousarray(weights)))
    parts = [op.matmul(x.select(dense).tensor, op.const(np.ascontiguousarray(weights[dense])))] if dense else []
    for entries, places in blocks.values():
        own = np.zeros((entries.width, weights.shape[1]))
        np.add.at(own, [x.numbers()[place].index for place in places], weights[places])
        parts.append(entries.product(own))
    return parts[0] if len(parts) == 1 else op.sum(parts)


@lowers(LinearModel, method="predict")
def linear_regressor(model: Any, x: Matrix) -> Var:
    """Every regressor with coef_ and intercept_: from LinearRegression and Lasso to TheilSen and LinearSVR."""
    prediction = linear(x, model.coef_, model.intercept_)
    return same(x, scalar(prediction), prediction) if np.ndim(model.coef_) == 1 else prediction


@lowers(BaseSGDRegressor, method="predict")
def sgd_regressor(model: Any, x: Matrix) -> Var:
    prediction = linear(x, model.coef_, model.intercept_)
    return same(x, scalar(prediction), prediction)


@lowers(RANSACRegressor, method="predict")
def ransac(model: RANSACRegressor, x: Matrix) -> Var:
    prediction: Var = lower(model.estimator_, "predict", x, ".estimator_")
    return prediction


@lowers(LinearClassifierMixin, method="decision_function")
def linear_decision(model: Any, x: Matrix) -> Var:
    scores = linear(x, model.coef_, model.intercept_)
    return same(x, scalar(scores), scores) if np.atleast_2d(model.coef_).shape[0] == 1 else scores


@lowers(LinearClassifierMixin, method="predict")
def linear_labels(model: Any, x: Matrix) -> Labels:
    scores = lower(model, "decision_function", x)
    if np.atleast_2d(model.coef_).shape[0] > 1:
        return argmax(scores, model.classes_)
    return Labels(_positive(scores), (model.classes_,))


@lowers(RidgeClassifier, RidgeClassifierCV, method="predict")
def ridge_labels(model: Any, x: Matrix) -> Labels:
    if not model._label_binarizer.y_type_.startswith("multilabel"):
        labels: Labels = linear_labels(model, x)
        return labels
    return Labels(_positive(linear(x, model.coef_, model.intercept_)), (BINARY,) * len(model.coef_))


def _positive(scores: Var) -> Var:
    """1 where a score is above zero, else 0."""
    return op.cast(op.greater(scores, op.const(np.float64(0))), to=np.int64)


def sides(inlier: Var) -> Var:
    """What an outlier detector predicts: 1 for an inlier, -1 for an outlier; int64."""
    return op.where(inlier, op.const(np.int64(1)), op.const(np.int64(-1)))


@lowers(LogisticRegression, LinearDiscriminantAnalysis, method="predict_proba")
def logistic_probabilities(model: Any, x: Matrix) -> Var:
    scores = linear(x, model.coef_, model.intercept_)
    return same(x, probabilities_of(expit(scores)) if len(model.classes_) == 2 else softmax(scores), scores)


@lowers(SGDClassifier, method="predict_proba")
def sgd_probabilities(model: SGDClassifier, x: Matrix) -> Var:
    """A probability a class, made to sum to one; where every class has zero they are equal."""
    scores = linear(x, model.coef_, model.intercept_)
    one, two = op.const(np.float64(1)), op.const(np.float64(2))
    if model.loss == "log_loss":
        own = expit(scores)
    else:
        # On these numbers Clip and NumPy's clip agree: no NaN passes scikit-learn's checks.
        own = op.div(op.add(op.clip(scores, op.const(np.float64(-1)), one), one), two)
    if len(model.classes_) == 2:
        return probabilities_of(own)
    total = op.reduce_sum(own, op.const(np.array([1])), keepdims=1)
    none = op.equal(total, op.const(np.float64(0)))
    count = op.const(np.float64(len(model.classes_)))
    return op.div(op.where(none, one, own), op.where(none, count, total))


lowers(LogisticRegression, SGDClassifier, method="predict_log_proba")(log_probabilities)


@lowers(SGDOneClassSVM, method="decision_function")
def sgd_one_class_decision(model: SGDOneClassSVM, x: Matrix) -> Var:
    return scalar(linear(x, model.coef_, -np.asarray(model.offset_)))


@lowers(SGDOneClassSVM, method="score_samples")
def sgd_one_class_scores(model: SGDOneClassSVM, x: Matrix) -> Var:
    return op.add(lower(model, "decision_function", x), op.const(np.asarray(model.offset_, np.float64)))


@lowers(SGDOneClassSVM, method="predict")
def sgd_one_class_sides(model: SGDOneClassSVM, x: Matrix) -> Var:
    return sides(op.greater_or_equal(lower(model, "decision_function", x), op.const(np.float64(0))))
