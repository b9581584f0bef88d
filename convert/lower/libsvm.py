"""Kernels and scores of libsvm, with the bits that scikit-learn's build of it gives.

A score is a sum of hundreds of products that nearly cancel: in another order, or with kernels that differ in their
last bit, it differs in its tenth digit. So the operations are those of scikit-learn's svm/src/libsvm/svm.cpp, in its
order. Dense models take their dot products from OpenBLAS (kernel/x86_64/ddot_microk_skylakex-2.c): 32 lanes, then 16,
folded, then the rest one by one, each step fused. Sparse ones multiply and add one by one.
"""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .callables import gram
from .distances import in_blocks
from .exponential import exp
from .matrix import Matrix

__all__ = ["decisions", "terms"]

Floats = NDArray[np.float64]
KERNELS = ("linear", "poly", "rbf", "sigmoid")
TEMPORARIES = 8
"""Numbers in memory at once, for each support vector's feature."""
SPLIT = 2.0**27 + 1
"""Parts a float64 in two halves whose products are exact (T. J. Dekker, Numerische Mathematik 18, 1971)."""


def decisions(model: Any, x: Matrix) -> Var:
    """libsvm's dec_values: float64 [N, pairs of classes], or [N, 1] of a model without classes."""
    coefficients = _dense(model._dual_coef_)
    pairs = _pairs(model, coefficients)
    intercepts = op.const(np.ravel(model._intercept_))
    if not len(model.support_):
        return op.add(op.matmul(x.tensor, op.const(np.zeros((x.width, len(pairs))))), intercepts)

    def rows(block: Var) -> list[Var]:
        kernels = _chosen(block, model.support_) if given else _kernels(model, block, vectors)
        return [op.concat([_last(op.mul(_chosen(kernels, at), op.const(own))) for at, own in pairs], axis=1)]

    given = model.kernel not in KERNELS
    if given:
        # A row's kernel with all training rows, of which the support is chosen.
        (sums,) = in_blocks(_given(model, x), TEMPORARIES * len(model.support_), rows)
    else:
        vectors = _dense(model.support_vectors_)
        (sums,) = in_blocks(x.tensor, TEMPORARIES * vectors.size, rows)
    # libsvm takes off rho, which is the intercept with its sign turned: the same bits.
    return op.add(sums, intercepts)


def _given(model: Any, x: Matrix) -> Var:
    """The kernel with all training rows, [N, n], as the row holds it or a function makes it."""
    if not callable(model.kernel):
        return x.tensor
    made: Var = x.once(model, "gram", lambda: gram(model.kernel, x.tensor, _dense(model._BaseLibSVM__Xfit)))
    return made


def terms(model: Any, x: Matrix) -> Var | None:
    """How large the terms of a row's scores are, added up, at most, [N, 1], where a function makes the kernel: it has
    its own roundings, and an exponential those of its exponent. None where the bits are libsvm's."""
    if not callable(model.kernel) or not len(model.support_):
        return None
    sizes = op.abs(_chosen(_given(model, x), model.support_))
    exponents = op.abs(op.log(op.max([sizes, _number(np.finfo(np.float64).tiny)])))
    coefficients = _dense(model._dual_coef_)
    weights = np.zeros((len(model.support_), len(pairs := _pairs(model, coefficients))))
    for pair, (at, own) in enumerate(pairs):
        weights[slice(None) if at is None else at, pair] = np.abs(own)
    added = op.matmul(op.mul(sizes, op.add(exponents, _number(1))), op.const(weights))
    return op.reduce_max(added, op.const(np.array([1])), keepdims=1)


def _dense(values: Any) -> Floats:
    values = values.toarray() if hasattr(values, "toarray") else values
    return np.ascontiguousarray(values, np.float64)


def _pairs(model: Any, coefficients: Floats) -> list[tuple[NDArray[np.int64] | None, Floats]]:
    """By pair of classes, the places of its support vectors (None for all of them) and their coefficients, in
    libsvm's order."""
    if not hasattr(model, "classes_"):
        return [(None, coefficients[0])]
    ends = np.concatenate([[0], np.cumsum(model._n_support)])
    count = len(model._n_support)  # not of classes whose rows all have no weight
    pairs = []
    for i in range(count):
        for j in range(i + 1, count):
            first, second = np.arange(ends[i], ends[i + 1]), np.arange(ends[j], ends[j + 1])
            own = np.concatenate([coefficients[j - 1, first], coefficients[i, second]])
            pairs.append((np.concatenate([first, second]) if count > 2 else None, own))
    return pairs


def _chosen(kernels: Var, places: NDArray[np.int64] | None) -> Var:
    return kernels if places is None else op.gather(kernels, op.const(places), axis=1)


def _last(terms: Var) -> Var:
    """[rows, terms] added one after the other: [rows, 1]."""
    return op.gather(op.cumsum(terms, op.const(np.int64(1))), op.const(np.array([-1])), axis=1)


def _kernels(model: Any, block: Var, vectors: Floats) -> Var:
    """[rows, support vectors]."""
    gamma, coef0 = _number(model._gamma), _number(model.coef0)
    # Features first: parts of them then lie together in memory.
    columns = np.ascontiguousarray(np.concatenate([vectors, vectors[:1].repeat(-len(vectors) % GROUP, axis=0)]).T)
    if model.kernel == "rbf":
        off = op.sub(op.unsqueeze(block, op.const([2])), op.const(columns))
        return exp(op.mul(op.neg(gamma), _dot(model, off, off, vectors.shape)))
    if not model._sparse and vectors.shape[1] < LANES[-1]:
        # The kernel of MatMul adds a few products one by one, each step fused: the same bits sooner.
        product = op.matmul(block, op.const(np.ascontiguousarray(vectors.T)))
    else:
        wide = op.mul(op.unsqueeze(block, op.const([2])), op.const(np.ones(columns.shape[1])))
        product = _dot(model, wide, op.const(columns[np.newaxis]), vectors.shape)
    if model.kernel == "linear":
        return product
    scaled = op.add(op.mul(gamma, product), coef0)
    return op.tanh(scaled) if model.kernel == "sigmoid" else _power(scaled, int(model.degree))


def _power(base: Var, times: int) -> Var:
    """libsvm's powi: by squaring."""
    result: Var | None = None
    while times:
        if times % 2:
            result = base if result is None else op.mul(result, base)
        base = op.mul(base, base)
        times //= 2
    return op.add(op.mul(base, _number(0)), _number(1)) if result is None else result


LANES = (32, 16)
GROUP = 8
"""Support vectors are multiplied in groups of this many, of which the diagonal is kept: fewer, larger products."""


def _dot(model: Any, left: Var, right: Var, shape: tuple[int, ...]) -> Var:
    """The dot products along the middle axis of [rows, features, vectors], the vectors filled up to whole groups:
    [rows, vectors]."""
    vectors, features = shape
    if model._sparse:
        sums = op.cumsum(op.mul(left, right), op.const(np.int64(1)))
        return _cut(op.gather(sums, op.const(np.int64(-1)), axis=1), vectors)
    total: Var | None = None
    start = 0
    for lanes in LANES:
        if total is not None:
            low, high = (_part(total, np.r_[0:4, 8:12, 16:20, 24:28] + offset) for offset in (0, 4))
            total = op.add(low, high)
        while features - start >= lanes:
            block = np.arange(start, start + lanes)
            a, b = _part(left, block), _part(right, block)
            total = op.mul(a, b) if total is None else _fused(a, b, total)
            start += lanes
    rest = np.arange(start, features)
    if total is not None:
        four = [_part(total, np.arange(first, first + 4)) for first in (0, 4, 8, 12)]
        quarter = op.add(op.add(op.add(four[0], four[1]), four[2]), four[3])
        two = op.add(_part(quarter, np.array([0, 1])), _part(quarter, np.array([2, 3])))
        one = op.add(_part(two, np.array([0])), _part(two, np.array([1])))
        if not len(rest):
            return _cut(op.squeeze(one, op.const([1])), vectors)
        left = op.concat([one, _part(left, rest)], axis=1)
        unit = op.cast(op.equal(one, one), to=np.float64)
        right = op.concat([unit, op.mul(unit, _part(right, rest))], axis=1)
    # Each product of a row and a column is a loop of fused steps.
    count = len(rest) + (total is not None)
    groups = -(-vectors // GROUP)
    parted = op.const(np.array([0, count, groups, GROUP]))
    rows = op.transpose(op.reshape(left, parted), perm=[0, 2, 3, 1])
    columns = op.transpose(op.reshape(right, parted), perm=[0, 2, 1, 3])
    products = op.reshape(op.matmul(rows, columns), op.const(np.array([0, groups, GROUP * GROUP])))
    diagonal = op.gather(products, op.const(np.arange(GROUP) * (GROUP + 1)), axis=2)
    return _cut(op.reshape(diagonal, op.const(np.array([0, groups * GROUP]))), vectors)


def _part(tensor: Var, places: NDArray[np.int64]) -> Var:
    return op.gather(tensor, op.const(places), axis=1)


def _cut(tensor: Var, vectors: int) -> Var:
    """Without those that filled up the last group."""
    return op.slice(tensor, op.const([0]), op.const([vectors]), op.const([1]))


def _fused(a: Var, b: Var, c: Var) -> Var:
    """a * b + c rounded once: the product's and the sum's errors (Dekker; Knuth) are added at the end."""
    product = op.mul(a, b)
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    error = op.sub(op.mul(a_high, b_high), product)
    error = op.add(op.add(error, op.mul(a_high, b_low)), op.mul(a_low, b_high))
    error = op.add(error, op.mul(a_low, b_low))
    total = op.add(c, product)
    part = op.sub(total, c)
    rest = op.add(op.sub(c, op.sub(total, part)), op.sub(product, part))
    # Of numbers beyond 1e300 the halves are infinite, and the error is no number.
    rest = op.add(rest, error)
    return op.where(op.isnan(rest), total, op.add(total, rest))


def _halves(a: Var) -> tuple[Var, Var]:
    scaled = op.mul(a, _number(SPLIT))
    high = op.sub(scaled, op.sub(scaled, a))
    return high, op.sub(a, high)


def _number(value: float) -> Var:
    return op.const(np.float64(value))
