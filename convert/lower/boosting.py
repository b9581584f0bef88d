"""AdaBoost: a weighted vote, and a weighted median."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from spox import Var

from . import lower, lowers
from .labels import Labels, argmax, log_probabilities, scalar
from .links import softmax
from .matrix import Matrix
from .meta import constant_rows, member, numbers, total, upright
from .terms import hand_on, largest, same


@lowers(AdaBoostClassifier, method="decision_function")
def weighted_votes(model: AdaBoostClassifier, x: Matrix) -> Var:
    classes = model.classes_
    count = len(classes)
    if count == 1:
        return constant_rows(x, np.zeros(1))
    parts = []
    for index, weight in enumerate(model.estimator_weights_[: len(model.estimators_)]):
        labels = member(model, index, "predict", x)
        (own,) = labels.classes
        table = np.where(own[:, np.newaxis] == classes, weight, -1 / (count - 1) * weight)
        parts.append(op.gather(op.const(table), labels.places, axis=0))
    votes = op.div(total(parts), op.const(np.float64(model.estimator_weights_.sum())))
    if count > 2:
        return votes
    first, second = op.split(votes, num_outputs=2, axis=1)
    return scalar(op.sub(second, first))


@lowers(AdaBoostClassifier, method="predict")
def weighted_labels(model: AdaBoostClassifier, x: Matrix) -> Labels:
    votes = lower(model, "decision_function", x)
    if len(model.classes_) != 2:
        return argmax(votes, model.classes_)
    return Labels(op.cast(op.greater(votes, op.const(np.float64(0))), to=np.int64), (model.classes_,))


@lowers(AdaBoostClassifier, method="predict_proba")
def vote_probabilities(model: AdaBoostClassifier, x: Matrix) -> Var:
    votes = lower(model, "decision_function", x)
    count = len(model.classes_)
    if count == 1:
        return constant_rows(x, np.ones(1))
    if count == 2:
        votes = upright(votes)
        return softmax(op.div(op.concat([op.neg(votes), votes], axis=1), op.const(np.float64(2))))
    return softmax(op.div(votes, op.const(np.float64(count - 1))))


lowers(AdaBoostClassifier, method="predict_log_proba")(log_probabilities)


@lowers(AdaBoostRegressor, method="predict")
def weighted_median(model: AdaBoostRegressor, x: Matrix) -> Var:
    """The first prediction, in rising order, at which half of the weight is reached."""
    count = len(model.estimators_)
    members = [member(model, index, "predict", x) for index in range(count)]
    answers = [upright(numbers(one)) for one in members]
    if count == 1:
        return same(x, scalar(answers[0]), members[0])
    rising, order = op.top_k(op.concat(answers, axis=1), op.const(np.array([count])), axis=1, largest=0, sorted=1)
    weights = op.gather(op.const(np.asarray(model.estimator_weights_[:count], np.float64)), order, axis=0)
    reached = op.cumsum(weights, op.const(np.int64(1)))
    whole = op.gather(reached, op.const(np.array([count - 1])), axis=1)
    enough = op.greater_or_equal(reached, op.mul(op.const(np.float64(0.5)), whole))
    place = op.arg_max(op.cast(enough, to=np.float64), axis=1, keepdims=1)
    answer = scalar(op.gather_elements(rising, place, axis=1))
    hand_on(x, answer, members, largest)
    return answer
