"""Bagging: members that see some of the columns, and the mean of their answers."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from spox import Var

from . import lower, lowers
from .labels import Labels, argmax, log_probabilities, scalar
from .matrix import Matrix
from .meta import member, numbers, one_hot, total
from .precision import mean_in_float32
from .terms import hand_on, largest
from .trees import mean_of_trees

TREES = (DecisionTreeClassifier, ExtraTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor)


def _inputs(bagging: Any, x: Matrix) -> list[Matrix]:
    """Each member's columns."""
    whole = np.arange(x.width)
    return x.once(  # type: ignore[no-any-return]
        bagging,
        "inputs",
        lambda: [x if np.array_equal(own, whole) else x.select(own) for own in bagging.estimators_features_],
    )


def _answers(bagging: Any, method: str, x: Matrix) -> list[Any]:
    return [member(bagging, index, method, part) for index, part in enumerate(_inputs(bagging, x))]


def _mean(bagging: Any, x: Matrix, parts: list[Var], answers: list[Any]) -> Var:
    """Of parts, each made of a member's answer."""
    count = op.const(np.float64(bagging.n_estimators))
    mean = op.div(total(parts), count)
    hand_on(x, mean, answers, lambda sizes: op.div(total(sizes), count))
    return mean


def _one_forest(bagging: Any) -> bool:
    """Whether the members are trees that answer alike, so that one ensemble can hold them all."""
    members = bagging.estimators_
    classes = getattr(bagging, "n_classes_", None)
    return all(type(tree) in TREES and (classes is None or len(tree.classes_) == classes) for tree in members)


@lowers(BaggingClassifier, method="predict_proba")
def bagged_probabilities(bagging: BaggingClassifier, x: Matrix) -> Var:
    if _one_forest(bagging):
        return mean_of_trees(bagging.estimators_, x, bagging.estimators_features_)
    width = int(bagging.n_classes_)
    parts, answers = [], []
    for index, part in enumerate(_inputs(bagging, x)):
        own = bagging.estimators_[index]
        votes = not hasattr(own, "predict_proba")
        answers.append(member(bagging, index, "predict" if votes else "predict_proba", part))
        parts.append(one_hot(numbers(answers[-1]), width) if votes else _spread(answers[-1], own.classes_, width, 0.0))
    return _mean(bagging, x, parts, answers)


def _spread(scores: Var, classes: Any, width: int, other: float) -> Var:
    """Scores of some classes, which are places among all, as scores of all."""
    if len(classes) == width:
        return scores
    padded = op.pad(scores, op.const(np.array([0, 0, 0, 1])), op.const(np.float64(other)))
    places = np.full(width, len(classes))
    places[classes] = np.arange(len(classes))
    return op.gather(padded, op.const(places), axis=1)


@lowers(BaggingClassifier, method="predict")
def bagged_labels(bagging: BaggingClassifier, x: Matrix) -> Labels:
    return argmax(lower(bagging, "predict_proba", x), bagging.classes_)


@lowers(BaggingClassifier, method="predict_log_proba")
def bagged_log_probabilities(bagging: BaggingClassifier, x: Matrix) -> Any:
    if not hasattr(bagging.estimator_, "predict_log_proba"):
        return log_probabilities(bagging, x)
    answers = _answers(bagging, "predict_log_proba", x)
    members = zip(answers, bagging.estimators_, strict=True)
    parts = [_spread(part, own.classes_, int(bagging.n_classes_), -np.inf) for part, own in members]
    summed = parts[0]
    for part in parts[1:]:
        summed = _log_add_exp(summed, part)
    answer = op.sub(summed, op.const(np.log(bagging.n_estimators)))
    hand_on(x, answer, answers, largest)
    return answer


def _log_add_exp(a: Var, b: Var) -> Var:
    """log(exp(a) + exp(b)), as ``numpy.logaddexp``; two infinities alike stay so."""
    gap = op.neg(op.abs(op.sub(a, b)))
    apart = op.add(op.max([a, b]), op.log(op.add(op.const(np.float64(1)), op.exp(gap))))
    return op.where(op.equal(a, b), op.add(a, op.const(np.log(2.0))), apart)


@lowers(BaggingClassifier, method="decision_function")
def bagged_decision(bagging: BaggingClassifier, x: Matrix) -> Var:
    answers = _answers(bagging, "decision_function", x)
    return _mean(bagging, x, answers, answers)


@lowers(BaggingRegressor, method="predict")
def bagged_numbers(bagging: BaggingRegressor, x: Matrix) -> Var:
    if _one_forest(bagging):
        mean = mean_of_trees(bagging.estimators_, x, bagging.estimators_features_)
        return scalar(mean) if bagging.estimators_[0].n_outputs_ == 1 else mean
    answers = _answers(bagging, "predict", x)
    if x.scope.in_float32(answers):
        mean = mean_in_float32([numbers(answer) for answer in answers])
        x.scope.singles.append(mean)
        return mean
    return _mean(bagging, x, [numbers(answer) for answer in answers], answers)
