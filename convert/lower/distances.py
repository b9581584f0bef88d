"""Sums and distances in the order of scikit-learn's own loops, so that they have the same bits.

A ReduceSum of onnxruntime over a middle axis adds term by term, as a plain loop does, and alike for one row and for
many; over the last axis it adds in an order of its own.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

__all__ = [
    "added",
    "axis",
    "columns",
    "constant",
    "euclidean",
    "feature_sum",
    "in_blocks",
    "ordered_sum",
    "row_sum",
    "squared_euclidean",
    "squared_norms",
]

LARGE = 50_000
"""Numbers a row from which on the terms of a sum are not all made before they are added."""
BLOCK = 2**21
"""Numbers that are made at a time, where more might not fit into memory: 16 MB."""
SMALL = 16_000
"""Numbers a row up to which rows are not taken in blocks, for a loop costs 12 microseconds: 128 MB of 1,024 rows."""


def constant(value: Any) -> Var:
    """A float64 constant."""
    return op.const(np.ascontiguousarray(value, np.float64) if np.ndim(value) else np.float64(value))


def axis(index: int) -> Var:
    """An axis, or a place along one, as operators take it: int64 [1]."""
    return op.const(np.array([index]))


def added(tensor: Var) -> Var:
    """Each row's sum, [N, 1], in whatever order onnxruntime adds."""
    return op.reduce_sum(tensor, axis(1), keepdims=1)


def ordered_sum(terms: Var) -> Var:
    """The sum over the middle axis of [N, terms, k], from the first term to the last."""
    return op.reduce_sum(terms, op.const(np.array([1])), keepdims=0)


def columns(tensor: Var, start: int, stop: int) -> Var:
    """Some columns of [N, k], side by side."""
    return op.slice(tensor, op.const([start]), op.const([stop]), op.const([1]))


def row_sum(tensor: Var, width: int) -> Var:
    """numpy.sum over the last axis of [N, width], with its bits: [N].

    The order is that of NumPy's pairwise sum (numpy/_core/src/umath/loops_utils.h.src) over contiguous numbers.
    """
    return op.reshape(_pairwise(tensor, 0, width), op.const(np.array([-1])))


def _pairwise(tensor: Var, start: int, count: int) -> Var:
    """The sum of some columns, [N, 1]."""
    if count > 128:
        half = count // 2 - count // 2 % 8
        return op.add(_pairwise(tensor, start, half), _pairwise(tensor, start + half, count - half))
    whole = count - count % 8
    total: Var | None = None
    if whole:
        eight = columns(tensor, start, start + whole)
        if whole > 8:
            eight = ordered_sum(op.reshape(eight, op.const(np.array([-1, whole // 8, 8]))))
        for pairs in (4, 2, 1):
            halved = op.reshape(eight, op.const(np.array([-1, pairs, 2])))
            eight = op.reduce_sum(halved, op.const(np.array([2])), keepdims=0)
        total = eight
    for column in range(start + whole, start + count):
        term = columns(tensor, column, column + 1)
        total = term if total is None else op.add(total, term)
    return total if total is not None else op.mul(columns(tensor, 0, 1), constant(0))


def squared_norms(tensor: Var, width: int) -> Var:
    """sklearn.utils.extmath.row_norms(squared=True) of contiguous rows, with its bits: [N, 1].

    It is an einsum, which adds two lanes, of every eight columns the last pair first
    (numpy/_core/src/multiarray/einsum_sumprod.c.src).
    """
    if width == 1:
        return op.mul(tensor, tensor)
    whole = width - width % 8
    order = [start + 2 * pair + lane for start in range(0, whole, 8) for pair in (3, 2, 1, 0) for lane in (0, 1)]
    order += range(whole, width)
    if order != list(range(width)):
        tensor = op.gather(tensor, op.const(np.array(order, np.int64)), axis=1)
    squares = op.mul(tensor, tensor)
    if width % 2:
        squares = op.pad(squares, op.const(np.array([0, 0, 0, 1])), constant(0))
    lanes = ordered_sum(op.reshape(squares, op.const(np.array([-1, (width + 1) // 2, 2]))))
    return op.reduce_sum(lanes, op.const(np.array([1])), keepdims=1)


def squared_euclidean(tensor: Var, width: int, points: Any) -> Var:
    """euclidean_distances(squared=True) to points [n, width]: [N, n].

    By scikit-learn's own formula, x.x - 2 x.y + y.y: where it cancels (rows much nearer to a point than to the
    origin) its noise is part of the answer.
    """
    points = np.ascontiguousarray(points, np.float64)
    products = op.matmul(tensor, constant(points.T))
    distances = op.add(op.mul(products, constant(-2)), squared_norms(tensor, width))
    distances = op.add(distances, constant(np.einsum("ij,ij->i", points, points)))
    return op.max([distances, constant(0)])


def euclidean(tensor: Var, width: int, points: Any) -> Var:
    """euclidean_distances to points [n, width]: [N, n]."""
    return op.sqrt(squared_euclidean(tensor, width, points))


def feature_sum(
    tensor: Var, points: NDArray[np.float64], term: Callable[..., Var], *each: Any, largest: bool = False
) -> Var:
    """Terms added up from the first feature to the last, of rows [N, features] and points [n, features]: [N, n].

    term: of a row's number, a point's and the parameters'. each: parameters, by feature [features] or also by point
    [features, n]. largest: whether the largest of the terms is wanted instead.
    """
    parameters = [np.reshape(np.asarray(values, np.float64), (points.shape[1], -1)) for values in each]
    if points.size <= LARGE:
        terms = term(
            op.unsqueeze(tensor, op.const([2])),
            constant(points.T[np.newaxis]),
            *(constant(values[np.newaxis]) for values in parameters),
        )
        return op.reduce_max(terms, op.const([1]), keepdims=0) if largest else ordered_sum(terms)
    # One feature after the other, for [N, features, n] is as many times larger than the answer.
    found = [
        term(
            columns(tensor, index, index + 1),
            constant(points[:, index][np.newaxis]),
            *(constant(values[index][np.newaxis]) for values in parameters),
        )
        for index in range(points.shape[1])
    ]
    return reduce(lambda a, b: op.max([a, b]) if largest else op.add(a, b), found)


def in_blocks(tensor: Var, size: int, make: Callable[[Var], list[Var]]) -> list[Var]:
    """What ``make`` gives for the rows of a tensor, taken a block at a time where ``size`` numbers a row are many.

    make: [rows, k] -> tensors whose first axis is the rows, each row made by itself.
    """
    if size <= SMALL:
        return make(tensor)
    rows = op.shape(tensor, start=0, end=1)
    one = op.const(np.array([1]))
    step = op.max([op.min([rows, op.const(np.array([max(1, BLOCK // size)]))]), one])
    blocks = op.div(op.sub(op.add(rows, step), one), step)
    # spox has a loop's count, index and condition as tensors of one element, not as scalars.
    going = op.const(np.array([True]))

    def body(index: Var, _: Var) -> list[Var]:
        first = op.squeeze(op.mul(index, step))
        places = op.range(first, op.add(first, op.squeeze(step)), op.const(np.array(1)))
        # The last block is filled up with the last row.
        block = op.gather(tensor, op.min([places, op.squeeze(op.sub(rows, one))]), axis=0)
        return [going, *make(block)]

    found = op.loop(blocks, going, [], body=body)
    results = []
    for part in found:
        shape = part.unwrap_tensor().shape
        tail = [int(extent) for extent in (shape or ())[2:]]
        flat = op.reshape(part, op.const(np.array([-1, *tail])))
        results.append(op.slice(flat, op.const([0]), rows, op.const([0])))
    return results
