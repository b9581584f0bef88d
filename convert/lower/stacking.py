"""Stacking: a final estimator reads what the members answer."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.ensemble import StackingClassifier, StackingRegressor
from spox import Var

from . import lower, lowers
from .labels import Labels, scalar
from .matrix import Matrix, concat
from .meta import column, member, numbers, relabel, upright
from .precision import check_precision
from .terms import same

FINAL = ".final_estimator_"


@lowers(StackingClassifier, StackingRegressor, method="transform")
def members_answers(stack: StackingClassifier | StackingRegressor, x: Matrix) -> Matrix:
    parts: list[Matrix] = []
    for index, method in enumerate(stack.stack_method_):
        answer = member(stack, index, method, x)
        if isinstance(answer, list):
            parts += [x.new(same(x, _but_first(part), part)) for part in answer]
            continue
        tensor = upright(numbers(answer))
        pair = method == "predict_proba" and len(stack.classes_) == 2
        parts.append(x.new(same(x, _but_first(tensor) if pair else tensor, answer)))
    if stack.passthrough:
        parts.append(x)
    return concat(parts)


def _but_first(scores: Var) -> Var:
    """The first class's column says nothing that the others do not."""
    return op.slice(scores, op.const(np.array([1])), op.const(np.array([2**31])), op.const(np.array([1])))


def _final(stack: Any, method: str, x: Matrix) -> Any:
    answers = [member(stack, index, own, x) for index, own in enumerate(stack.stack_method_)]
    if not stack.passthrough and x.scope.in_float32(answers):
        width = lower(stack, "transform", x).width
        remedy = "with passthrough=True, or with a member that answers in float64"
        check_precision(stack.final_estimator_, method, width, "a final estimator", remedy)
    return lower(stack.final_estimator_, method, lower(stack, "transform", x), FINAL)


@lowers(StackingRegressor, method="predict")
def stacked_prediction(stack: StackingRegressor, x: Matrix) -> Any:
    return _final(stack, "predict", x)


@lowers(StackingClassifier, method="predict")
def stacked_labels(stack: StackingClassifier, x: Matrix) -> Labels:
    labels = _final(stack, "predict", x)
    if not isinstance(stack._label_encoder, list):  # it makes a row of the column that CatBoost answers
        labels = Labels(scalar(labels.places), labels.classes)
    encoders = stack._label_encoder if isinstance(stack._label_encoder, list) else [stack._label_encoder]
    return relabel(labels, [encoder.classes_ for encoder in encoders])


@lowers(StackingClassifier, method="predict_proba")
def stacked_probabilities(stack: StackingClassifier, x: Matrix) -> Any:
    scores = _final(stack, "predict_proba", x)
    if not isinstance(stack._label_encoder, list):
        return scores
    return op.concat([column(score, 0) for score in scores], axis=1)


@lowers(StackingClassifier, method="decision_function")
def stacked_decision(stack: StackingClassifier, x: Matrix) -> Any:
    return _final(stack, "decision_function", x)
