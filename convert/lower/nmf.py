"""Non-negative factorisations: the weights of a row, found step by step until all rows together change little.

So the answer to a row depends on the rows beside it, here as in scikit-learn; ``Scope.whole`` says so.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.decomposition import NMF, MiniBatchNMF
from sklearn.decomposition._nmf import EPSILON, _beta_loss_to_float
from spox import Var

from ..errors import UnsupportedError
from . import lowers
from .distances import constant
from .matrix import Matrix

Floats = NDArray[np.float64]

TRUE = np.array([True])


@lowers(NMF, method="transform")
def nmf(model: NMF, x: Matrix) -> Matrix:
    components = np.asarray(model.components_, np.float64)
    weights = (_descent if model.solver == "cd" else _multiplied)(model, x, components)
    answer = op.reshape(weights, op.const(np.array([-1, len(components)])))
    if model.solver == "cd":
        _note_terms(x, components, answer)
    return x.new(answer)


def _descent(model: NMF, x: Matrix, components: Floats) -> Var:
    """Coordinate descent from zero (sklearn.decomposition._cdnmf_fast), until what is left to gain is a small part of
    what was at first."""
    x.scope.whole |= model.tol > 0
    l1, l2 = _penalties(model, x.width)
    count = len(components)
    gram = components @ components.T + l2 * np.eye(count)
    gains = op.sub(op.matmul(x.tensor, constant(components.T)), constant(l1))
    columns = _columns(gains, count)
    orders = _orders(model, count)

    def numbered(t: int) -> tuple[Var, Var, Var, Var]:
        """Of a component its column of the gram matrix, gains [N, 1], curvature, and which weights are its."""
        own = op.const((np.arange(count) == t) & (gram[t, t] != 0))
        return constant(gram[:, t : t + 1]), columns[t], constant(gram[t, t]), own

    def drawn(t: Var) -> tuple[Var, Var, Var, Var]:
        curvature = op.gather(constant(np.diag(gram)), t)
        own = op.and_(op.equal(op.const(np.arange(count)), t), op.not_(op.equal(curvature, constant(0))))
        return op.gather(constant(gram), t, axis=1), op.gather(gains, t, axis=1), curvature, own

    def turn(number: Var, __: Var, weights: Var, first: Var) -> list[Var]:
        before, steps = weights, [numbered(t) for t in range(count)]
        if orders is not None:
            order = op.reshape(op.gather(orders, number), op.const(np.array([count])))
            before = op.gather(weights, order, axis=1)
            steps = [drawn(t) for t in op.split(order, num_outputs=count)]
        gradients: list[Var] = []
        for old, (column, gain, curvature, own) in zip(_columns(before, count), steps, strict=True):
            gradient = op.sub(op.matmul(weights, column), gain)
            gradients.append(gradient)
            moved = op.max([op.sub(old, op.div(gradient, curvature)), constant(0)])
            weights = op.where(own, moved, weights)
        downhill = op.concat(gradients, axis=1)
        held = op.equal(before, constant(0))
        left = _sum(op.abs(op.where(held, op.min([downhill, constant(0)]), downhill)))
        first = op.where(op.equal(number, op.const(np.int64(0))), left, first)
        done = op.less_or_equal(op.div(left, first), constant(model.tol))
        return [op.not_(op.or_(done, op.equal(first, constant(0)))), weights, first]

    start = _rows_of(x.tensor, constant(np.zeros((1, count))))
    weights, _ = op.loop(_trips(model.max_iter), op.const(TRUE), [start, constant(np.zeros(1))], body=turn)
    return weights


def _orders(model: NMF, count: int) -> Var | None:
    """Of the components, one for each turn: [turns, count]; None where it is always as they are numbered."""
    if not model.shuffle:
        return None
    if not isinstance(model.random_state, int | np.integer):
        raise UnsupportedError(
            "expected NMF with shuffle=False or a number as random_state, found neither: its order is drawn anew at "
            "every call; set_params(random_state=0), the model need not be fitted again"
        )
    random = np.random.RandomState(model.random_state)
    return op.const(np.array([random.permutation(count) for _ in range(int(model.max_iter))]))


def _note_terms(x: Matrix, components: Floats, weights: Var) -> None:
    """The weights of a row solve its normal equations, or some of them: each is a sum that may cancel. Multiplicative
    updates never subtract."""
    gram = components @ components.T
    if np.linalg.cond(gram) * np.finfo(np.float64).eps > 1:
        return
    # Of the inverse of any principal part of gram no entry is larger than these two's product.
    spread = np.sqrt(np.diag(np.linalg.inv(gram)))
    terms = op.add(op.matmul(op.abs(x.tensor), constant(np.abs(components.T))), op.matmul(weights, constant(gram)))
    x.scope.adds_up(weights, op.matmul(terms, constant(spread[:, np.newaxis] * spread.max())), alone=True)


def _multiplied(model: NMF, x: Matrix, components: Floats) -> Var:
    """Multiplicative updates; every tenth looks whether the divergence is still shrinking."""
    x.scope.whole = True
    beta = _beta_loss_to_float(model.beta_loss)
    updated = _update(model, x, components, beta)
    start, sums = _start(x, len(components)), constant(components.sum(axis=1)[np.newaxis])
    at_first = _divergence(x.tensor, start, components, beta)

    def turn(number: Var, __: Var, weights: Var, sums: Var, before: Var) -> list[Var]:
        weights, sums = updated(weights, sums)
        if beta < 1:
            weights = op.where(op.less(weights, constant(np.finfo(np.float64).eps)), constant(0), weights)
        if not model.tol > 0:
            return [op.const(TRUE), weights, sums, before]

        def looked() -> list[Var]:
            now = _divergence(x.tensor, weights, components, beta)
            small = op.less(op.div(op.sub(before, now), at_first), constant(model.tol))
            return [op.not_(small), now]

        tenth = op.equal(op.mod(number, op.const(np.int64(10))), op.const(np.int64(9)))
        going, before = op.if_(tenth, then_branch=looked, else_branch=lambda: [op.const(TRUE), op.identity(before)])
        return [going, weights, sums, before]

    weights, _, _ = op.loop(_trips(model.max_iter), op.const(TRUE), [start, sums, at_first], body=turn)
    return weights


@lowers(MiniBatchNMF, method="transform")
def mini_batch_nmf(model: MiniBatchNMF, x: Matrix) -> Matrix:
    """Multiplicative updates until all weights together move little."""
    x.scope.whole = True
    components = np.asarray(model.components_, np.float64)
    updated = _update(model, x, components, _beta_loss_to_float(model.beta_loss))

    def turn(_: Var, __: Var, weights: Var) -> list[Var]:
        new, _ = updated(weights, constant(components.sum(axis=1)[np.newaxis]))
        moved = op.div(_norm(op.sub(new, weights)), _norm(new))
        going = op.not_(op.less_or_equal(moved, constant(model.tol))) if model.tol > 0 else op.const(TRUE)
        return [going, new]

    trips = model.max_iter if model.transform_max_iter is None else model.transform_max_iter
    (weights,) = op.loop(_trips(trips), op.const(TRUE), [_start(x, len(components))], body=turn)
    return x.new(op.reshape(weights, op.const(np.array([-1, len(components)]))))


def _update(model: Any, x: Matrix, components: Floats, beta: float) -> Callable[[Var, Var], tuple[Var, Var]]:
    """One multiplicative update of the weights (sklearn.decomposition._nmf._multiplicative_update_w), from them and the
    sums of the components [1, k]. It gives these too, for NMF adds the penalty of a Kullback-Leibler divergence to them
    again at every turn.
    """
    l1, l2 = _penalties(model, x.width)
    gamma = 1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1.0
    matched = op.matmul(x.tensor, constant(components.T)) if beta == 2 else None

    def updated(weights: Var, sums: Var) -> tuple[Var, Var]:
        if matched is not None:
            numerator, denominator = matched, op.matmul(weights, constant(components @ components.T))
        else:
            made = op.matmul(weights, constant(components))
            # No negative power of zero.
            safe = op.max([made, constant(EPSILON)]) if beta < 2 else made
            ratio = (
                op.div(x.tensor, safe)
                if beta == 1
                else op.mul(op.pow(op.pow(safe, constant(-1)), constant(2)), x.tensor)
                if beta == 0
                else op.mul(op.pow(safe, constant(beta - 2)), x.tensor)
            )
            numerator = op.matmul(ratio, constant(components.T))
            if beta == 1:
                denominator = sums
            else:
                powers = op.pow(safe if beta < 1 else made, constant(beta - 1))
                denominator = op.matmul(powers, constant(components.T))
        if l1 > 0:
            denominator = op.add(denominator, constant(l1))
            sums = denominator if beta == 1 else sums
        if l2 > 0:
            denominator = op.add(denominator, op.mul(constant(l2), weights))
        denominator = op.where(op.equal(denominator, constant(0)), constant(EPSILON), denominator)
        factor = op.div(numerator, denominator)
        return op.mul(weights, factor if gamma == 1 else op.pow(factor, constant(gamma))), sums

    return updated


def _divergence(x: Var, weights: Var, components: Floats, beta: float) -> Var:
    """[1]: the root of twice the beta divergence of all rows from what the weights make of the components
    (sklearn.decomposition._nmf._beta_divergence)."""
    made = op.matmul(weights, constant(components))
    if beta == 2:
        return _norm(op.sub(x, made))
    # Zeros count for nothing: scikit-learn leaves them out.
    there = op.greater(x, constant(EPSILON))
    safe = op.where(there, op.max([made, constant(EPSILON)]), constant(1))
    known = op.where(there, x, constant(1))
    ratio = op.div(known, safe)
    match beta:
        case 1:
            made_in_all = op.matmul(weights, constant(components.sum(axis=1)[:, np.newaxis]))
            terms = _sum(op.where(there, op.mul(known, op.log(ratio)), constant(0)))
            found = op.add(terms, op.sub(_sum(made_in_all), _sum(op.where(there, x, constant(0)))))
        case 0:
            cells = op.cast(op.reshape(op.size(x), op.const(np.array([1]))), to=np.float64)
            counted = op.where(there, op.sub(ratio, op.log(ratio)), constant(0))
            found = op.sub(_sum(counted), cells)
        case _:
            powers = _sum(op.where(there, op.pow(known, constant(beta)), constant(0)))
            crossed = op.where(there, op.mul(known, op.pow(safe, constant(beta - 1))), constant(0))
            whole = op.mul(_sum(op.pow(made, constant(beta))), constant(beta - 1))
            found = op.add(op.sub(powers, op.mul(constant(beta), _sum(crossed))), whole)
            found = op.div(found, constant(beta * (beta - 1)))
    return op.sqrt(op.mul(constant(2), op.max([found, constant(0)])))


def _penalties(model: Any, width: int) -> tuple[float, float]:
    """Of the weights: l1 and l2 (_BaseNMF._compute_regularization)."""
    return width * model.alpha_W * model.l1_ratio, width * model.alpha_W * (1.0 - model.l1_ratio)


def _start(x: Matrix, count: int) -> Var:
    """The mean of everything, for every weight [N, count]."""
    mean = op.reduce_mean(op.reshape(x.tensor, op.const(np.array([-1]))), keepdims=1)
    even = op.expand(op.sqrt(op.div(mean, constant(count))), op.const(np.array([1, count])))
    return _rows_of(x.tensor, even)


def _rows_of(tensor: Var, row: Var) -> Var:
    """One row of numbers, [1, k], for every row of a tensor [N, features]."""
    rows = op.concat([op.shape(tensor, start=0, end=1), op.const(np.array([1]))], axis=0)
    return op.expand(row, rows)


def _columns(tensor: Var, count: int) -> list[Var]:
    """The columns of a tensor [N, count], each [N, 1]."""
    return list(op.split(tensor, num_outputs=count, axis=1))


def _sum(tensor: Var) -> Var:
    """Of all numbers, [1]."""
    return op.reduce_sum(op.reshape(tensor, op.const(np.array([-1]))), keepdims=1)


def _norm(tensor: Var) -> Var:
    """The root of the sum of all squares, [1]."""
    return op.sqrt(_sum(op.mul(tensor, tensor)))


def _trips(most: int) -> Var:
    return op.const(np.array([int(most)]))
