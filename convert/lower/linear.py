"""Linear models: a product in float64, and for classifiers the links behind it."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge
from spox import Var

from . import lower, lowers
from .labels import Labels, argmax, log, probabilities_of, scalar
from .links import expit, softmax
from .matrix import Matrix

REGRESSORS = (LinearRegression, Ridge, Lasso, ElasticNet)


def linear(x: Matrix, coefficients: Any, intercepts: Any) -> Var:
    """x @ coefficients.T + intercepts: float64 [N, outputs], for coefficients [outputs, features]."""
    weights = np.atleast_2d(np.asarray(coefficients, np.float64)).T
    product = op.matmul(x.tensor, op.const(np.ascontiguousarray(weights)))
    return op.add(product, op.const(np.atleast_1d(np.asarray(intercepts, np.float64))))


@lowers(*REGRESSORS, method="predict")
def linear_regressor(model: Any, x: Matrix) -> Var:
    prediction = linear(x, model.coef_, model.intercept_)
    return scalar(prediction) if np.ndim(model.coef_) == 1 else prediction


@lowers(LogisticRegression, method="decision_function")
def linear_decision(model: Any, x: Matrix) -> Var:
    scores = linear(x, model.coef_, model.intercept_)
    return scalar(scores) if len(model.coef_) == 1 else scores


@lowers(LogisticRegression, method="predict")
def linear_labels(model: Any, x: Matrix) -> Labels:
    scores = lower(model, "decision_function", x)
    if len(model.coef_) > 1:
        return argmax(scores, model.classes_)
    return Labels(op.cast(op.greater(scores, op.const(np.float64(0))), to=np.int64), (model.classes_,))


@lowers(LogisticRegression, method="predict_proba")
def logistic_probabilities(model: Any, x: Matrix) -> Var:
    scores = linear(x, model.coef_, model.intercept_)
    return probabilities_of(expit(scores)) if len(model.coef_) == 1 else softmax(scores)


@lowers(LogisticRegression, method="predict_log_proba")
def logistic_log_probabilities(model: Any, x: Matrix) -> Any:
    return log(lower(model, "predict_proba", x))
