"""Sums that are added in one known order, so that they have the bits of a plain loop."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

__all__ = ["log1p", "log_sum_exp", "running_sum"]

LAST = np.array([-1])


def running_sum(tensor: Var) -> Var:
    """Along the last axis, which stays with length 1: one addition after the other, from first to last.

    That is the order of NumPy's sums over a few columns, or over any number of columns that lie one after the other
    in memory, as those of a DataFrame do. ReduceSum adds in an order of its own.
    """
    return op.gather(op.cumsum(tensor, op.const(np.int64(-1))), op.const(LAST), axis=-1)


def log1p(x: Var) -> Var:
    """log(1 + x) for x >= 0, small ones as well (W. Kahan; D. Goldberg, ACM Computing Surveys 23, 1991, theorem 4)."""
    one = op.const(np.float64(1))
    above = op.add(one, x)
    same = op.equal(above, one)
    part = op.sub(above, one)
    return op.where(same, x, op.mul(op.log(above), op.div(x, op.where(same, one, part))))


def log_sum_exp(x: Var) -> Var:
    """log(sum(exp(x))) along the last axis, which stays with length 1, as sklearn.utils._array_api._logsumexp.

    The largest terms are counted, not added: a sum of many small ones keeps its digits.
    """
    zero = op.const(np.float64(0))
    largest = op.reduce_max(x, op.const(LAST), keepdims=1)
    top = op.equal(x, largest)
    count = op.reduce_sum(op.cast(top, to=np.float64), op.const(LAST), keepdims=1)
    rest = running_sum(op.where(top, zero, op.exp(op.sub(x, largest))))
    return op.add(op.add(log1p(op.div(rest, count)), op.log(count)), largest)
