"""One classifier of two classes for each class, each pair of classes or each bit of a code."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier, _ConstantPredictor
from spox import Var

from . import lower, lowers
from .labels import Labels, argmax, scalar
from .matrix import Matrix
from .meta import binary_score, binary_threshold, column, constant_rows, member, numbers, rank, total, upright
from .precision import total_in_float32
from .terms import hand_on, largest, same


@lowers(_ConstantPredictor, method="predict")
@lowers(_ConstantPredictor, method="decision_function")
def constant_answer(predictor: _ConstantPredictor, x: Matrix) -> Var:
    return constant_rows(x, np.ravel(predictor.y_)[0])


@lowers(_ConstantPredictor, method="predict_proba")
def constant_probabilities(predictor: _ConstantPredictor, x: Matrix) -> Var:
    second = np.ravel(predictor.y_).astype(np.float64)
    return constant_rows(x, np.hstack([1 - second, second]))


def _scores(model: OneVsRestClassifier | OutputCodeClassifier, x: Matrix) -> Var:
    """[N, members]: each member's score of its second class."""
    scores = [binary_score(own, x, f".estimators_[{index}]") for index, own in enumerate(model.estimators_)]
    return op.concat([upright(score) for score in scores], axis=1)


@lowers(OneVsRestClassifier, method="predict")
def one_vs_rest_labels(model: OneVsRestClassifier, x: Matrix) -> Labels:
    scores = _scores(model, x)
    if model.label_binarizer_.y_type_ == "multiclass":
        return argmax(scores, model.classes_)
    over = op.greater(scores, op.const(np.float64(binary_threshold(model.estimators_[0]))))
    places = op.cast(over, to=np.int64)
    if model.multilabel_:
        return Labels(places, (np.array([0, 1]),) * len(model.estimators_))
    return Labels(scalar(places), (model.classes_,))


@lowers(OneVsRestClassifier, method="predict_proba")
def one_vs_rest_probabilities(model: OneVsRestClassifier, x: Matrix) -> Var:
    members = [member(model, index, "predict_proba", x) for index in range(len(model.estimators_))]
    seconds = [column(one, 1) for one in members]
    single = x.scope.in_float32(members)
    if len(seconds) == 1 and single:
        first = op.sub(op.const(np.float32(1)), op.cast(seconds[0], to=np.float32))
        seconds = [op.cast(first, to=np.float64), seconds[0]]
    elif len(seconds) == 1:
        seconds = [op.sub(op.const(np.float64(1)), seconds[0]), seconds[0]]
    scores = op.concat(seconds, axis=1)
    if model.multilabel_:
        hand_on(x, scores, members, largest)
        return scores
    sums = total_in_float32(seconds) if single else total(seconds)
    none = op.equal(sums, op.const(np.float64(0)))
    if single:  # of two float32 numbers a float64 quotient, rounded again, is their float32 one
        answer = op.where(none, scores, op.cast(op.cast(op.div(scores, sums), to=np.float32), to=np.float64))
        x.scope.singles.append(answer)
        return answer
    answer = op.where(none, scores, op.div(scores, sums))
    hand_on(x, answer, members, lambda sizes: op.where(none, largest(sizes), op.div(largest(sizes), sums)))
    return answer


@lowers(OneVsRestClassifier, method="decision_function")
def one_vs_rest_decision(model: OneVsRestClassifier, x: Matrix) -> Var:
    members = [member(model, index, "decision_function", x) for index in range(len(model.estimators_))]
    answers = [numbers(one) for one in members]
    if len(answers) == 1:
        return same(x, answers[0], members[0])
    scores = op.concat([answer if rank(answer) == 2 else upright(answer) for answer in answers], axis=1)
    hand_on(x, scores, members, largest)
    return scores


@lowers(OneVsOneClassifier, method="decision_function")
def one_vs_one_decision(model: OneVsOneClassifier, x: Matrix) -> Var:
    """Votes, and confidences that part equal votes: ``sklearn.utils.multiclass._ovr_decision_function``."""
    chosen = model.pairwise_indices_ or [None] * len(model.estimators_)
    votes, confidences, members = [], [], []
    for index, (own, columns) in enumerate(zip(model.estimators_, chosen, strict=True)):
        part = x if columns is None else x.select(columns)
        at = f".estimators_[{index}]"
        votes.append(upright(numbers(lower(own, "predict", part, at))))
        members.append(binary_score(own, part, at))
        confidences.append(upright(members[-1]))
    vote, confidence = op.concat(votes, axis=1), op.concat(confidences, axis=1)
    # A class is the first in some pairs and the second in others; its sums go through its pairs in their order.
    classes = len(model.classes_)
    first, second = np.triu_indices(classes, 1)
    pairs = np.array([np.flatnonzero((first == own) | (second == own)) for own in range(classes)])
    seconds = (second[pairs] == np.arange(classes)[:, np.newaxis]).astype(np.float64)
    counts, sums = [], []
    for pair, is_second in zip(pairs.T, seconds.T, strict=True):
        said = op.gather(vote, op.const(pair), axis=1)
        counts.append(op.cast(op.equal(said, op.const(is_second)), to=np.float64))
        sums.append(op.mul(op.gather(confidence, op.const(pair), axis=1), op.const(2 * is_second - 1)))
    summed = total(sums)
    # Between -1/3 and 1/3: they never outweigh a vote.
    scale = op.mul(op.const(np.float64(3)), op.add(op.abs(summed), op.const(np.float64(1))))
    scores = op.add(total(counts), op.div(summed, scale))
    scores = scalar(column(scores, 1)) if model.n_classes_ == 2 else scores
    hand_on(x, scores, members, lambda sizes: op.div(total(sizes), op.const(np.float64(3))))
    return scores


@lowers(OneVsOneClassifier, method="predict")
def one_vs_one_labels(model: OneVsOneClassifier, x: Matrix) -> Labels:
    scores = lower(model, "decision_function", x)
    if model.n_classes_ > 2:
        return argmax(scores, model.classes_)
    over = op.greater(scores, op.const(np.float64(binary_threshold(model.estimators_[0]))))
    return Labels(op.cast(over, to=np.int64), (model.classes_,))


@lowers(OutputCodeClassifier, method="predict")
def output_code_labels(model: OutputCodeClassifier, x: Matrix) -> Labels:
    """The class of the nearest code, by |score|^2 - 2 score.code + |code|^2 as ``pairwise_distances_argmin`` finds it:
    the first of equals, and where a score is huge all are."""
    book = np.asarray(model.code_book_, np.float64)
    scores = _scores(model, x)
    lengths = op.reduce_sum_square(scores, op.const(np.array([1])), keepdims=1)
    products = op.matmul(scores, op.const(np.ascontiguousarray(-2 * book.T)))
    distances = op.add(op.add(lengths, products), op.const((book * book).sum(axis=1)))
    distances = op.max([distances, op.const(np.float64(0))])
    return Labels(op.arg_min(distances, axis=1, keepdims=0), (model.classes_,))
