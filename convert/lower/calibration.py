"""CalibratedClassifierCV: the scores of its members, calibrated class by class, and their mean."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.calibration import CalibratedClassifierCV
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers, offered
from .isotonic import isotonic, steepness
from .labels import Labels, argmax
from .links import expit, softmax
from .matrix import Matrix, width_of
from .meta import total, upright
from .sums import running_sum
from .terms import same

SLACK = 1e-5
"""By how much a probability may pass 1 before scikit-learn lets it stand."""
EPSILON = 1e-12
"""What scikit-learn adds to a probability before it takes the logarithm for temperature scaling."""


@lowers(CalibratedClassifierCV, method="predict")
def calibrated_labels(model: CalibratedClassifierCV, x: Matrix) -> Labels:
    return argmax(lower(model, "predict_proba", x), model.classes_)


@lowers(CalibratedClassifierCV, method="predict_proba")
def calibrated_probabilities(model: CalibratedClassifierCV, x: Matrix) -> Var:
    """Where a calibrator is steep a rounding of the score is many of the probability."""
    members = [
        _member(member, x, f".calibrated_classifiers_[{index}]")
        for index, member in enumerate(model.calibrated_classifiers_)
    ]
    answer = op.div(total([own for own, _ in members]), op.const(np.float64(len(members))))
    sizes = [size for _, size in members if size is not None]
    if sizes:
        asked = [lower(one.estimator, _method(one.estimator), x) for one in model.calibrated_classifiers_]
        mean = op.div(total(sizes), op.const(np.float64(len(members))))
        x.scope.adds_up(answer, mean, alone=x.scope.held_alone(asked))
    return answer


def _member(member: Any, x: Matrix, at: str) -> tuple[Var, Var | None]:
    """One member's calibrated probabilities, float64 [N, classes]; and where a calibrator is a line of finite length or
    a logarithm, the size of the terms that cancel in it, [N, 1]."""
    scores, method = _scores(member.estimator, x, at)
    terms = x.scope.terms_of(scores)
    if member.method == "temperature":
        if x.scope.in_float32([lower(member.estimator, method, x)]):
            raise UnsupportedError(
                f"expected scores in float64, found {type(member.estimator).__name__}'s in float32, of which "
                "scikit-learn takes a logarithm in float32: calibrate with method='sigmoid' or 'isotonic'",
                f"{at}.estimator",
            )
        return _tempered(member.calibrators[0].beta_, scores, method, terms)
    places = np.searchsorted(member.classes, member.estimator.classes_)
    two = len(member.classes) == 2
    columns, sizes = {}, []
    # Fewer columns than places where a member has seen two classes out of more: scikit-learn pairs them so.
    for place, column, calibrator in zip(places, range(width_of(scores)), member.calibrators, strict=False):
        score = x.new(scores).select([column])
        columns[int(place) + two] = _calibrated(calibrator, score)
        if member.method == "isotonic":
            sizes.append(upright(steepness(calibrator, score, terms)))
        elif terms is not None:
            sizes.append(op.mul(op.const(abs(np.float64(calibrator.a_)) / 4), terms))
    size = total(sizes) if sizes else None
    if two:
        return op.concat([op.sub(op.const(np.float64(1)), columns[1]), columns[1]], axis=1), size
    none = op.mul(op.const(np.float64(0)), columns[min(columns)])
    own = op.concat([columns.get(place, none) for place in range(len(member.classes))], axis=1)
    norm = running_sum(own)
    empty = op.equal(norm, op.const(np.float64(0)))
    uniform = op.const(np.full(len(member.classes), 1 / len(member.classes)))
    size = None if size is None else op.where(empty, size, op.div(size, norm))
    return _at_most_one(op.where(empty, uniform, op.div(own, norm))), size


def _scores(estimator: Any, x: Matrix, at: str) -> tuple[Var, str]:
    """What is calibrated, [N, classes] or for two classes [N, 1], and the method that it comes from."""
    method = _method(estimator)
    scores = lower(estimator, method, x, f"{at}.estimator")
    if len(estimator.classes_) > 2:
        return scores, method
    if method == "decision_function":
        return same(x, op.reshape(scores, op.const(np.array([-1, 1]))), scores), method
    return same(x, op.gather(scores, op.const(np.array([1])), axis=1), scores), method


def _method(estimator: Any) -> str:
    return next(method for method in ("decision_function", "predict_proba") if method in offered(estimator))


def _calibrated(calibrator: Any, score: Matrix) -> Var:
    """The probability of one class, [N, 1], from its score."""
    if hasattr(calibrator, "a_"):
        slope, start = op.const(np.float64(calibrator.a_)), op.const(np.float64(calibrator.b_))
        return expit(op.neg(op.add(op.mul(slope, score.tensor), start)))
    if not hasattr(calibrator, "X_thresholds_"):
        raise UnsupportedError(f"expected a sigmoid or an isotonic calibrator, found {type(calibrator).__name__}")
    return op.reshape(isotonic(calibrator, score), op.const(np.array([-1, 1])))


def _tempered(beta: Any, scores: Var, method: str, terms: Var | None) -> tuple[Var, Var | None]:
    """Softmax of the logits times the inverse temperature, and the size of what cancels in a probability's logarithm.

    terms: of what cancels in the scores.
    scikit-learn guesses from the values of a whole batch whether decisions of several classes are probabilities;
    here the method that they come from decides.
    """
    factor = op.const(np.float64(abs(beta)))
    size = None if terms is None else op.mul(factor, terms)
    if method == "predict_proba":
        if width_of(scores) == 1:
            scores = op.concat([op.sub(op.const(np.float64(1)), scores), scores], axis=1)
        scores = op.add(scores, op.const(np.float64(EPSILON)))
        logits = op.log(scores)
        least = op.reduce_min(scores, op.const(np.array([1])), keepdims=1)
        one = op.const(np.float64(1))
        size = op.div(op.mul(factor, one if terms is None else op.max([terms, one])), least)
    elif width_of(scores) == 1:
        logits = op.concat([op.neg(scores), scores], axis=1)
    else:
        logits = scores
    return _at_most_one(softmax(op.mul(op.const(np.float64(beta)), logits))), size


def _at_most_one(probabilities: Var) -> Var:
    one, most = op.const(np.float64(1)), op.const(np.float64(1.0 + SLACK))
    over = op.and_(op.greater(probabilities, one), op.less_or_equal(probabilities, most))
    return op.where(over, one, probabilities)
