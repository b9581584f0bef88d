"""Decompositions whose transform is an iteration: topics, sparse codes."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.decomposition import (
    DictionaryLearning,
    LatentDirichletAllocation,
    MiniBatchDictionaryLearning,
    SparseCoder,
)
from spox import Var

from . import lowers
from .distances import axis, constant, row_sum
from .lars import least_angles
from .lasso import lasso
from .matrix import Matrix
from .special import digamma


def _column(tensor: Var, index: int) -> Var:
    return op.slice(tensor, axis(index), axis(index + 1), axis(1))


def _rows_of(tensor: Var, row: Any) -> Var:
    """One row of numbers, [k], for every row of a tensor [N, features]."""
    shape = op.concat([op.shape(tensor, start=0, end=1), axis(len(row))], axis=0)
    return op.expand(constant(np.reshape(row, (1, -1))), shape)


@lowers(LatentDirichletAllocation, method="transform")
def topics(model: LatentDirichletAllocation, x: Matrix) -> Matrix:
    """The variational updates of sklearn.decomposition._lda._update_doc_distribution, each row until it changes by
    less than the tolerance."""
    words = np.asarray(model.exp_dirichlet_component_, np.float64)
    count = len(words)

    def updated(powers: Var) -> Var:
        norm = op.add(op.matmul(powers, constant(words)), constant(np.finfo(np.float64).eps))
        share = op.matmul(op.div(x.tensor, norm), constant(words.T))
        return op.add(op.mul(powers, share), constant(model.doc_topic_prior_))

    def turn(_: Var, __: Var, topic: Var, powers: Var, going: Var) -> list[Var]:
        new = updated(powers)
        total = op.reshape(row_sum(new, count), op.const(np.array([-1, 1])))
        away = op.reshape(row_sum(op.abs(op.sub(topic, new)), count), op.const(np.array([-1, 1])))
        change = op.div(away, constant(count))
        topic = op.where(going, new, topic)
        powers = op.where(going, op.exp(op.sub(digamma(new), digamma(total))), powers)
        going = op.and_(going, op.not_(op.less(change, constant(model.mean_change_tol))))
        some = op.greater(op.reshape(op.reduce_max(op.cast(going, to=np.int64)), axis(1)), axis(0))
        return [some, topic, powers, going]

    ones = _rows_of(x.tensor, np.ones(count))
    first = op.exp(op.sub(digamma(ones), digamma(_rows_of(x.tensor, [float(count)]))))
    going = op.greater(_column(ones, 0), constant(0))
    topic, _, _ = op.loop(
        axis(int(model.max_doc_update_iter)), op.const(np.array([True])), [ones, first, going], body=turn
    )
    topic = op.reshape(topic, op.const(np.array([-1, count])))
    return x.new(op.div(topic, op.reshape(row_sum(topic, count), op.const(np.array([-1, 1])))))


@lowers(SparseCoder, DictionaryLearning, MiniBatchDictionaryLearning, method="transform")
def sparse_code(model: Any, x: Matrix) -> Matrix:
    given = np.asarray(model.dictionary if isinstance(model, SparseCoder) else model.components_)
    given = given if given.dtype == np.float32 else given.astype(np.float64)
    dictionary = given.astype(np.float64)
    gram = (given @ given.T).astype(np.float64)  # of float32s, products of float32s
    similarity = op.matmul(x.tensor, constant(dictionary.T))
    alpha, terms = model.transform_alpha, None
    if alpha is None:
        alpha = getattr(model, "alpha", 1.0)
    match model.transform_algorithm:
        case "threshold":
            size = op.max([op.sub(op.abs(similarity), constant(alpha)), constant(0)])
            code = op.mul(op.sign(similarity), size)
            code = op.max([code, constant(0)]) if model.positive_code else code
        case "omp":
            wanted = _most_atoms(model, x.width, len(dictionary))
            code = _matching_pursuit(similarity, gram, wanted)
        case "lasso_cd":
            penalty = float(alpha) / x.width * x.width  # as it goes through Lasso, which counts the features
            sweeps = int(model.transform_max_iter)
            code, terms = lasso(x.tensor, dictionary, penalty, sweeps, bool(model.positive_code))
        case "lars":
            steps = _most_atoms(model, x.width, len(dictionary))
            code, terms = least_angles(x.tensor, dictionary, gram, penalty=None, most=steps)
        case "lasso_lars":
            steps, positive = int(model.transform_max_iter), bool(model.positive_code)
            code, terms = least_angles(x.tensor, dictionary, gram, penalty=float(alpha), most=steps, positive=positive)
    if given.dtype == np.float32 and model.transform_algorithm in ("lars", "lasso_lars"):
        code = op.cast(op.cast(code, to=np.float32), to=np.float64)
    if model.split_sign:
        code = op.concat([op.max([code, constant(0)]), op.neg(op.min([code, constant(0)]))], axis=1)
    if terms is not None:
        x.scope.adds_up(code, terms, alone=True)
    return x.new(code)


def _most_atoms(model: Any, features: int, atoms: int) -> int:
    """How many atoms, or steps, a row may have; a tenth of the features where the model does not say."""
    wanted = model.transform_n_nonzero_coefs
    return int(min(max(features / 10, 1), atoms) if wanted is None else wanted)


def _matching_pursuit(similarity: Var, gram: Any, count: int) -> Var:
    """sklearn.linear_model._omp._gram_omp for every row: atom after atom, the least squares by a Cholesky factor that
    grows a row at a time; a row stops where the best atom is taken already, or too little is left."""
    tiny = np.finfo(np.float64).eps
    left, going = similarity, op.greater_or_equal(op.abs(_column(similarity, 0)), constant(0))
    code = op.mul(similarity, constant(0))
    taken: list[Var] = []
    rows: list[Var] = []
    targets: list[Var] = []
    factor: list[list[Var]] = []
    for _ in range(count):
        best = op.arg_max(op.abs(left), axis=1, keepdims=1)
        value = op.gather_elements(left, best, axis=1)
        going = op.and_(going, op.not_(op.less(op.mul(value, value), constant(tiny))))
        for atom in taken:
            going = op.and_(going, op.not_(op.equal(best, atom)))
        row = op.gather(constant(gram), op.reshape(best, axis(-1)), axis=0)
        line: list[Var] = []
        pivot = op.gather_elements(row, best, axis=1)
        for atom, above in zip(taken, factor, strict=True):
            entry = op.gather_elements(row, atom, axis=1)
            for mine, theirs in zip(line, above, strict=False):
                entry = op.sub(entry, op.mul(mine, theirs))
            line.append(op.div(entry, above[-1]))
        for entry in line:
            pivot = op.sub(pivot, op.mul(entry, entry))
        if taken:
            going = op.and_(going, op.greater(pivot, constant(tiny)))
        factor.append([*line, op.sqrt(op.where(going, pivot, constant(1)))])
        taken.append(best)
        rows.append(row)
        targets.append(op.gather_elements(similarity, best, axis=1))
        weights = _solved(factor, targets)
        new, explained = op.mul(similarity, constant(0)), op.mul(similarity, constant(0))
        for atom, weight, gram_row in zip(taken, weights, rows, strict=True):
            new = op.scatter_elements(new, atom, weight, axis=1)
            explained = op.add(explained, op.mul(gram_row, weight))
        code = op.where(going, new, code)
        left = op.sub(similarity, explained)
    return code


def _solved(factor: list[list[Var]], targets: list[Var]) -> list[Var]:
    """The solution of L L' w = t, by substitution forwards and back; every entry [N, 1]."""
    forward: list[Var] = []
    for line, target in zip(factor, targets, strict=True):
        for entry, known in zip(line, forward, strict=False):
            target = op.sub(target, op.mul(entry, known))
        forward.append(op.div(target, line[-1]))
    weights: list[Var] = []
    for index in reversed(range(len(factor))):
        value = forward[index]
        for below, known in zip(range(len(factor) - 1, index, -1), weights, strict=False):
            value = op.sub(value, op.mul(factor[below][index], known))
        weights.append(op.div(value, factor[index][-1]))
    return weights[::-1]
