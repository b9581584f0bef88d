"""scikit-learn's heap of the nearest: which of equally near rows stay on it depends on the order of pushing
(sklearn.utils._heap)."""

import math

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .distances import columns, constant

__all__ = ["pushed"]


def _integers(*values: int) -> Var:
    return op.const(np.array(values, np.int64))


def pushed(distances: Var, places: Var, k: int, visits: tuple[Var, Var] | None = None) -> Var:
    """The places left on a heap of k after all distances were pushed from left to right; ascending, [N, k].

    A turn of the loop pushes, in every row, the next distance that is less than the heap's largest, or NaN: those
    between would not have got onto it.

    places: [N, n] or [1, n].
    visits: of a search that leaves nodes out: for each place and each level of the tree, [N, levels, n], at which
        position its node is entered and how near the node's rows are at least; a node that is further then than the
        heap's largest is not entered.
    """
    rows = op.shape(distances, start=0, end=1)
    shape = op.concat([rows, _integers(k)], axis=0)
    single = op.concat([rows, _integers(1)], axis=0)
    width = op.squeeze(op.shape(distances, start=1, end=2))
    positions = op.unsqueeze(op.range(op.const(np.int64(0)), width, op.const(np.int64(1))), _integers(0))

    def turn(_: Var, __: Var, values: Var, held: Var, last: Var) -> list[Var]:
        largest = columns(values, 0, 1)
        better = op.and_(op.greater(positions, last), op.not_(op.greater_or_equal(distances, largest)))
        if visits is not None:
            entered, bounds = visits
            ahead = op.greater(entered, op.unsqueeze(last, _integers(2)))
            left_out = op.and_(ahead, op.greater(bounds, op.unsqueeze(largest, _integers(2))))
            some = op.reduce_max(op.cast(left_out, to=np.int64), _integers(1), keepdims=0)
            better = op.and_(better, op.equal(some, op.const(np.int64(0))))
        place = op.arg_max(op.cast(better, to=np.uint8), axis=1, keepdims=1)
        found = op.gather_elements(better, place, axis=1)
        value = op.gather_elements(distances, place, axis=1)
        sunk, moved = _push(values, held, value, op.gather_elements(places, place, axis=1), k)
        going = op.greater(op.reshape(op.reduce_max(op.cast(found, to=np.int64)), _integers(1)), _integers(0))
        return [going, op.where(found, sunk, values), op.where(found, moved, held), op.where(found, place, last)]

    values, held, _ = op.loop(
        op.shape(distances, start=1, end=2),
        op.const(np.array([True])),
        [
            op.expand(constant([[np.inf]]), shape),
            op.expand(op.const(np.array([[0]])), shape),
            op.expand(op.const(np.array([[-1]])), single),
        ],
        body=turn,
    )
    _, order = op.top_k(values, _integers(k), axis=1, largest=0, sorted=1)
    return op.gather_elements(held, order, axis=1)


def _push(values: Var, held: Var, value: Var, place: Var, k: int) -> tuple[Var, Var]:
    """heap_push: the root is replaced and sinks below every larger child."""
    # Two columns more, for the children of the last level.
    smallest = op.pad(values, _integers(0, 0, 0, 2), constant(-np.inf))
    at = op.mul(place, op.const(np.int64(0)))
    one, two, end = (op.const(np.int64(number)) for number in (1, 2, k))
    for _ in range(int(math.log2(k))):
        left = op.min([op.add(op.mul(at, two), one), end])
        right = op.add(left, one)
        left_value = op.gather_elements(smallest, left, axis=1)
        right_value = op.gather_elements(smallest, right, axis=1)
        to_left = op.greater_or_equal(left_value, right_value)
        child = op.where(to_left, left, right)
        larger = op.where(to_left, left_value, right_value)
        sinks = op.less(value, larger)
        values = op.scatter_elements(
            values, at, op.where(sinks, larger, op.gather_elements(values, at, axis=1)), axis=1
        )
        target = op.min([child, op.const(np.int64(k - 1))])
        moved = op.where(sinks, op.gather_elements(held, target, axis=1), op.gather_elements(held, at, axis=1))
        held = op.scatter_elements(held, at, moved, axis=1)
        at = op.where(sinks, child, at)
    return op.scatter_elements(values, at, value, axis=1), op.scatter_elements(held, at, place, axis=1)
