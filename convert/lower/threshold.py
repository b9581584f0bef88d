"""Classifiers that move the threshold between two classes."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from . import METHODS, lower, lowers
from .labels import Labels, scalar
from .matrix import Matrix
from .meta import column

BOTH = (FixedThresholdClassifier, TunedThresholdClassifierCV)


def _child(model: Any) -> Any:
    return getattr(model, "estimator_", model.estimator)


def _pass_on(method: str) -> None:
    @lowers(*BOTH, method=method)
    def passed_on(model: Any, x: Matrix) -> Any:
        return lower(_child(model), method, x, ".estimator_")


for _method in METHODS:
    if _method != "predict":
        _pass_on(_method)


@lowers(*BOTH, method="predict")
def thresholded_labels(model: Any, x: Matrix) -> Labels:
    tuned = isinstance(model, TunedThresholdClassifierCV)
    positive = model._curve_scorer._get_pos_label() if tuned else model.pos_label
    child, method = _child(model), model.response_method
    if method == "auto":
        method = "predict_proba" if hasattr(child, "predict_proba") else "decision_function"
    classes = child.classes_
    place = 1 if positive is None else int(np.flatnonzero(classes == positive)[0])
    score = lower(child, method, x, ".estimator_")
    if method == "predict_proba":
        score = scalar(column(score, place))
    elif place == 0:
        score = op.neg(score)
    if tuned:
        threshold = model.best_threshold_
    elif model.threshold == "auto":
        threshold = 0.5 if method == "predict_proba" else 0.0
    else:
        threshold = model.threshold
    over = op.greater_or_equal(score, op.const(np.float64(threshold)))
    places = op.where(over, op.const(np.int64(place)), op.const(np.int64(1 - place)))
    return Labels(places, (classes,))
