"""A lasso for each row, by coordinate descent: sweep after sweep over the weights until the row's duality gap is small.

Source: enet_coordinate_descent_gram of scikit-learn 1.9 (sklearn/linear_model/_cd_fast.pyx), without an l2 penalty.
"""

from typing import NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .distances import added, constant

__all__ = ["lasso"]

TOLERANCE = 1e-8
"""Of sklearn.decomposition.sparse_encode: what a row's gap may be of its square, and the last change of its weights."""
TRUE = np.array([True])


class _Problem(NamedTuple):
    """gains: the rows' products with the atoms, [N, atoms]. square: each row's with itself, [N, 1].
    gram: the atoms' products. penalty: on the weights' magnitudes. positive: whether no weight may be negative.
    """

    gains: Var
    square: Var
    gram: NDArray[np.float64]
    penalty: float
    positive: bool

    def gap(self, weights: Var, explained: Var) -> tuple[Var, Var, Var]:
        """[N, 1], what a row may still gain; and its residual's products with the atoms and the largest of these.

        explained: the weights times the gram matrix.
        """
        matched = added(op.mul(weights, self.gains))
        residual = op.sub(op.add(self.square, added(op.mul(weights, explained))), op.mul(constant(2), matched))
        left = op.sub(self.gains, explained)
        largest = op.reduce_max(left if self.positive else op.abs(left), op.const(np.array([1])), keepdims=1)
        if self.penalty == 0:
            return added(op.mul(left, left)), left, largest
        half = op.mul(constant(0.5), residual)
        primal = op.add(half, op.mul(constant(self.penalty), added(op.abs(weights))))
        over = op.greater(largest, constant(self.penalty))
        scale = op.where(over, op.div(constant(self.penalty), largest), constant(1))
        turned = op.mul(op.mul(constant(-0.5), op.mul(scale, scale)), residual)
        return op.sub(primal, op.add(turned, op.mul(scale, op.sub(self.square, matched)))), left, largest

    def near(self, gap: Var, left: Var, largest: Var) -> Var:
        """[N, atoms]: the atoms whose weight may be other than zero, by gap safe screening."""
        there = op.const(np.diag(self.gram) != 0)
        if self.penalty == 0:
            return op.and_(there, op.equal(left, left))
        radius = op.div(op.sqrt(op.mul(constant(2), op.abs(gap))), constant(self.penalty))
        angle = op.div(left, op.max([largest, constant(self.penalty)]))
        away = op.div(op.sub(constant(1), op.abs(angle)), constant(np.sqrt(np.diag(self.gram))))
        return op.and_(there, op.less_or_equal(away, radius))

    def moved(self, atom: int, weight: Var, explained: Var) -> Var:
        """[N, 1]: the best weight of an atom beside the others' as they are."""
        own = self.gram[atom, atom]
        pull = op.add(op.sub(_column(self.gains, atom), _column(explained, atom)), op.mul(weight, constant(own)))
        size = op.max([op.sub(op.abs(pull), constant(self.penalty)), constant(0)])
        best = op.div(op.mul(op.sign(pull), size), constant(own))
        return op.where(op.less(pull, constant(0)), constant(0), best) if self.positive else best


def lasso(targets: Var, atoms: NDArray[np.float64], penalty: float, sweeps: int, positive: bool) -> tuple[Var, Var]:
    """[N, atoms]: for each row the weights of the atoms whose sum is near it, with a penalty for their magnitudes; and
    the size of the terms that are added to get them, [N, 1]: of all weights, for each goes into those after it, and
    once a sweep.

    targets: [N, features]; atoms: [atoms, features]. sweeps: the most there may be.
    """
    problem = _Problem(
        op.matmul(targets, constant(atoms.T)), added(op.mul(targets, targets)), atoms @ atoms.T, penalty, positive
    )
    enough = op.mul(constant(TOLERANCE), problem.square)
    nothing = op.mul(problem.gains, constant(0))
    gap, left, largest = problem.gap(nothing, nothing)
    settled = op.and_(op.greater_or_equal(gap, constant(0)), op.less_or_equal(gap, enough))

    def turn(number: Var, __: Var, weights: Var, explained: Var, active: Var, going: Var, turns: Var) -> list[Var]:
        turns = op.add(turns, op.cast(going, to=np.float64))
        swept, explained_now = _swept(problem, weights, explained, op.and_(active, going))
        change = _largest(op.sub(swept, weights))
        size = _largest(swept)
        small = op.less_or_equal(op.div(change, size), constant(TOLERANCE))
        # After the last sweep too atoms are screened out, and lose their weight.
        small = op.or_(small, op.equal(number, op.const(np.int64(sweeps - 1))))
        looked = op.and_(going, op.or_(op.equal(size, constant(0)), small))
        gap, left, largest = problem.gap(swept, explained_now)
        going = op.and_(going, op.not_(op.and_(looked, op.less_or_equal(gap, enough))))
        if penalty > 0:
            out = op.and_(op.and_(looked, going), op.and_(active, op.not_(problem.near(gap, left, largest))))
            gone = op.where(out, swept, constant(0))
            explained_now = op.sub(explained_now, op.matmul(gone, constant(problem.gram)))
            swept, active = op.where(out, constant(0), swept), op.and_(active, op.not_(out))
        some = op.reduce_max(op.reshape(op.cast(going, to=np.int64), op.const(np.array([-1]))), keepdims=1)
        return [op.cast(some, to=np.bool_), swept, explained_now, active, going, turns]

    state = [nothing, nothing, problem.near(gap, left, largest), op.not_(settled), op.mul(problem.square, constant(0))]
    weights, *_, turns = op.loop(op.const(np.array([sweeps])), op.const(TRUE), state, body=turn)
    weights = op.reshape(weights, op.const(np.array([-1, len(atoms)])))
    matched = op.matmul(op.abs(targets), constant(np.abs(atoms.T)))
    # What the weights explain is rounded with every one that moves.
    explained = op.matmul(op.abs(weights), constant(len(atoms) * np.abs(problem.gram)))
    terms = op.add(matched, explained)
    own = np.where(np.diag(problem.gram) == 0, 1.0, np.diag(problem.gram))
    return weights, op.mul(turns, added(op.div(terms, constant(own))))


def _swept(problem: _Problem, weights: Var, explained: Var, active: Var) -> tuple[Var, Var]:
    """Each atom's weight moved, one after the other; and what they explain then."""
    count = len(problem.gram)
    columns = _columns(weights, count)
    for atom, own in enumerate(_columns(active, count)):
        if problem.gram[atom, atom] == 0:
            continue
        old = columns[atom]
        columns[atom] = op.where(own, problem.moved(atom, old, explained), old)
        row = constant(problem.gram[atom : atom + 1])
        explained = op.add(explained, op.mul(op.sub(columns[atom], old), row))
    return op.concat(columns, axis=1), explained


def _columns(tensor: Var, count: int) -> list[Var]:
    return list(op.split(tensor, num_outputs=count, axis=1)) if count > 1 else [tensor]


def _column(tensor: Var, index: int) -> Var:
    return op.slice(tensor, op.const([index]), op.const([index + 1]), op.const([1]))


def _largest(tensor: Var) -> Var:
    """[N, 1]: the largest magnitude of each row."""
    return op.reduce_max(op.abs(tensor), op.const(np.array([1])), keepdims=1)
