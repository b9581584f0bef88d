"""PolynomialFeatures: products of columns."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.preprocessing import PolynomialFeatures

from . import lowers
from .matrix import Matrix
from .meta import constant_rows


@lowers(PolynomialFeatures, method="transform")
def polynomial(features: PolynomialFeatures, x: Matrix) -> Matrix:
    """Each degree's products are those of the degree below times one more column, as for a dense matrix."""
    bias = x.new(op.reshape(constant_rows(x, np.ones(1)), op.const(np.array([-1, 1]))))
    if features._max_degree == 0:
        return bias if features.include_bias else x.select([])
    degrees = [x]
    starts = list(range(x.width))
    for _ in range(2, features._max_degree + 1):
        below, factor, starts = _products(starts, degrees[-1].width, x.width, features.interaction_only)
        if not below:
            break
        by = op.gather(x.tensor, op.const(np.array(factor)), axis=1)
        degrees.append(x.new(op.mul(degrees[-1].select(below).tensor, by)))
    kept = [degree for index, degree in enumerate(degrees, 1) if index >= max(features._min_degree, 1)]
    parts = [bias, *kept] if features.include_bias else kept
    return parts[0].beside(*parts[1:]) if parts else x.select([])


def _products(
    starts: list[int], size: int, width: int, interaction_only: bool
) -> tuple[list[int], list[int], list[int]]:
    """The columns of the degree below, the columns to multiply them by, and where each column's own products start.

    starts: for each column, where in the degree below the products begin whose lowest factor it is; of ``size``.
    """
    below: list[int] = []
    factor: list[int] = []
    own: list[int] = []
    ends = [*starts[1:], size]
    for column in range(min(width, len(starts))):
        first = ends[column] if interaction_only else starts[column]
        if first >= size:
            break
        own.append(len(below))
        below += range(first, size)
        factor += [column] * (size - first)
    return below, factor, own
