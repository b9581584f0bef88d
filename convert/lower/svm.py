"""Support vector machines of libsvm: labels by votes, scores, Platt's probabilities (the linear ones are in linear)."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from spox import Var

from . import lacks, lower, lowers
from .labels import Labels, argmax, log_probabilities, scalar
from .libsvm import decisions, terms
from .linear import sides
from .matrix import Matrix
from .sums import running_sum

LEAST = 1e-7
"""libsvm keeps the probability of one class against another this far from 0 and 1."""
ROUNDS = 100
"""At most this many rounds of its iteration, or as many as there are classes."""


def _values(model: Any, x: Matrix) -> Var:
    values: Var = x.once(model, "dec_values", lambda: decisions(model, x))
    return values


def _held(model: Any, x: Matrix, answer: Var, slope: float = 1.0) -> Var:
    """The answer, and the proof told what it is a sum of, where a function makes the kernel.

    slope: how fast it changes with the scores, at most.
    """
    found = terms(model, x)
    if found is not None:
        x.scope.adds_up(answer, op.mul(found, _number(slope)))
    return answer


@lowers(SVR, NuSVR, method="predict")
def svm_regressor(model: Any, x: Matrix) -> Var:
    return _held(model, x, scalar(_values(model, x)))


@lowers(OneClassSVM, method="decision_function")
def one_class_decision(model: OneClassSVM, x: Matrix) -> Var:
    return _held(model, x, scalar(_values(model, x)))


@lowers(OneClassSVM, method="score_samples")
def one_class_scores(model: OneClassSVM, x: Matrix) -> Var:
    scores = op.add(lower(model, "decision_function", x), op.const(np.asarray(model.offset_, np.float64)))
    return _held(model, x, scores)


@lowers(OneClassSVM, method="predict")
def one_class_sides(model: OneClassSVM, x: Matrix) -> Var:
    return sides(op.greater(lower(model, "decision_function", x), _number(0)))


@lowers(SVC, NuSVC, method="decision_function")
def svm_decision(model: Any, x: Matrix) -> Var:
    values = _values(model, x)
    if len(model.classes_) == 2:
        return _held(model, x, op.neg(scalar(values)))
    if model.decision_function_shape == "ovo":
        return _held(model, x, values)
    # sklearn.utils.multiclass._ovr_decision_function of (values < 0, -values).
    confidence = None
    for pair, (i, j) in enumerate(_pairs(model)):
        own = op.gather(values, op.const(np.array([pair])), axis=1)
        signs = op.const(np.array([float(place == i) - float(place == j) for place in range(len(model.classes_))]))
        # A class outside the pair gets a zero.
        part = op.mul(own, signs)
        confidence = part if confidence is None else op.add(confidence, part)
    scale = op.mul(_number(3), op.add(op.abs(confidence), _number(1)))
    votes = _votes(model, op.greater_or_equal(values, _number(0)))
    return _held(model, x, op.add(votes, op.div(confidence, scale)), len(model.classes_) / 3)


@lowers(SVC, NuSVC, method="predict")
def svm_labels(model: Any, x: Matrix) -> Labels:
    if model.break_ties and len(model.classes_) > 2:
        return argmax(lower(model, "decision_function", x), model.classes_)
    # The first of the classes with most votes.
    return argmax(_votes(model, op.greater(_values(model, x), _number(0))), model.classes_)


lowers(SVC, NuSVC, method="predict_log_proba")(log_probabilities)


@lacks(SVC, NuSVC, method="predict_proba")
@lacks(SVC, NuSVC, method="predict_log_proba")
def fewer_columns_than_classes(model: Any) -> str | None:
    if _known(model) == len(model.classes_):
        return None
    return (
        f"expected probabilities of {len(model.classes_)} classes, found those of {_known(model)}, for no row of the "
        "others had a weight: fit it on rows of each class"
    )


@lowers(SVC, NuSVC, method="predict_proba")
def svm_probabilities(model: Any, x: Matrix) -> Var:
    """libsvm's svm_predict_probability: each pair's probability by Platt's sigmoid, then coupled."""
    values = _values(model, x)
    slope, start = op.const(np.ravel(model._probA)), op.const(np.ravel(model._probB))
    exponent = op.add(op.mul(values, slope), start)
    power = op.exp(op.neg(op.abs(exponent)))
    one = _number(1)
    below = op.greater_or_equal(exponent, _number(0))
    first = op.div(op.where(below, power, one), op.add(one, power))
    first = op.min([op.max([first, _number(LEAST)]), _number(1 - LEAST)])
    return _held(model, x, _coupled(model, first), float(np.abs(model._probA).max()))


def _coupled(model: Any, first: Var) -> Var:
    """Probabilities of the classes from those of pairs, [N, pairs]: libsvm's multiclass_probability.

    An iteration of T.-F. Wu, C.-J. Lin and R. C. Weng, JMLR 5 (2004), algorithm 2; it stops at a coarse bound, each
    row by itself, so that its steps and not its limit are the answer.
    """
    count = _known(model)
    pairs = _pairs(model)
    # Columns: the first class's probabilities, the second's, and a zero for a class against itself.
    zero = op.mul(op.gather(first, op.const(np.array([0])), axis=1), _number(0))
    columns = op.concat([first, op.sub(_number(1), first), zero], axis=1)
    index = np.full((count, count), 2 * len(pairs))
    for pair, (i, j) in enumerate(pairs):
        index[i, j], index[j, i] = pair, len(pairs) + pair
    against = op.gather(columns, op.const(index), axis=1)
    turned = op.gather(columns, op.const(np.ascontiguousarray(index.T)), axis=1)
    squares = op.squeeze(running_sum(op.mul(turned, turned)), op.const([2]))
    eye = np.eye(count)
    q = op.add(op.mul(op.unsqueeze(squares, op.const([2])), op.const(eye)), op.neg(op.mul(against, turned)))
    columns_of_q = [op.gather(q, op.const(np.int64(t)), axis=1) for t in range(count)]
    bound = _number(0.005 / count)

    def products(p: Var) -> tuple[Var, Var]:
        qp = op.squeeze(running_sum(op.mul(q, op.unsqueeze(p, op.const([1])))), op.const([2]))
        return qp, running_sum(op.mul(p, qp))

    def body(_: Var, __: Var, p: Var) -> list[Var]:
        qp, pqp = products(p)
        error = op.reduce_max(op.abs(op.sub(qp, pqp)), op.const(np.array([1])), keepdims=1)
        active = op.greater_or_equal(error, bound)
        new = p
        for t in range(count):
            own = op.gather(qp, op.const(np.array([t])), axis=1)
            diagonal = op.gather(squares, op.const(np.array([t])), axis=1)
            step = op.div(op.add(op.neg(own), pqp), diagonal)
            whole = op.add(_number(1), step)
            new = op.div(op.add(new, op.mul(step, op.const(eye[t]))), whole)
            grown = op.mul(step, op.add(op.mul(step, diagonal), op.mul(_number(2), own)))
            pqp = op.div(op.div(op.add(pqp, grown), whole), whole)
            qp = op.div(op.add(qp, op.mul(step, columns_of_q[t])), whole)
        most = op.reduce_max(op.cast(active, to=np.float64), op.const(np.array([0, 1])), keepdims=0)
        return [op.greater(op.reshape(most, op.const(np.array([1]))), _number(0)), op.where(active, new, p)]

    start = op.add(
        op.mul(op.gather(first, op.const(np.zeros(count, np.int64)), axis=1), _number(0)), _number(1 / count)
    )
    rounds = op.const(np.array([max(ROUNDS, count)], np.int64))
    (probabilities,) = op.loop(rounds, op.const(np.array([True])), [start], body=body)
    return probabilities


def _known(model: Any) -> int:
    """How many classes libsvm knows: it leaves out rows without weight, and so a class that has no others, as a bag's
    drawn rows may. It numbers the rest from 0, and scikit-learn takes that for places among all classes."""
    return len(model._n_support)


def _pairs(model: Any) -> list[tuple[int, int]]:
    count = _known(model)
    return [(i, j) for i in range(count) for j in range(i + 1, count)]


def _votes(model: Any, first: Var) -> Var:
    """How many pairs each class wins, float64 [N, classes].

    first: whether the first of a pair wins.
    """
    pairs = _pairs(model)
    wins = np.zeros((2, len(pairs), len(model.classes_)))
    for pair, (i, j) in enumerate(pairs):
        wins[0, pair, i] = wins[1, pair, j] = 1
    won = op.cast(first, to=np.float64)
    lost = op.sub(_number(1), won)
    # Small whole numbers: exact in any order.
    return op.add(op.matmul(won, op.const(wins[0])), op.matmul(lost, op.const(wins[1])))


def _number(value: float) -> Var:
    return op.const(np.float64(value))
