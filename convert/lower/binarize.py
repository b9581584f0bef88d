"""Binarizer and Normalizer."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.preprocessing import Binarizer, Normalizer

from . import lowers
from .distances import row_sum
from .matrix import Matrix, Monotone


@lowers(Binarizer, method="transform")
def binarizer(step: Binarizer, x: Matrix) -> Matrix:
    return above(x, np.float64(step.threshold))


def above(x: Matrix, threshold: np.float64) -> Matrix:
    """1 where a column is above the threshold, else 0."""
    if threshold >= 0 and x.sparse is not None:
        lit = op.cast(op.greater(x.sparse.values, op.const(threshold)), to=np.float64)
        return x.sparse_columns(x.sparse.valued(lit))
    lit = op.cast(op.greater(x.tensor, op.const(threshold)), to=np.float64)
    return x.map(lit, [Monotone(lambda values: (values > threshold).astype(np.float64))] * x.width)


@lowers(Normalizer, method="transform")
def normalizer(step: Normalizer, x: Matrix) -> Matrix:
    """Each row over its norm; a norm that is nearly zero counts as one, of sparse columns only zero itself."""
    if step.norm != "max" and x.sparse is not None:
        return x.sparse_columns(x.sparse.normalized(step.norm))
    sizes = op.abs(x.tensor)
    match step.norm:
        case "l1":
            norms = row_sum(sizes, x.width)
        case "l2":
            norms = op.sqrt(row_sum(op.mul(x.tensor, x.tensor), x.width))
        case _:
            norms = op.reduce_max(sizes, op.const([1]), keepdims=0)
    nothing = op.less(norms, op.const(10 * np.finfo(np.float64).eps))
    norms = op.where(nothing, op.const(np.float64(1)), norms)
    return x.new(op.div(x.tensor, op.unsqueeze(norms, op.const([1]))))
