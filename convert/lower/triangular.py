"""Triangular systems, which ONNX has no operator for, solved by blocks as BLAS does it."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from spox import Var

from .distances import constant

__all__ = ["BLOCK", "forward_substitution"]

BLOCK = 32
"""Rows that are solved for at once."""


def forward_substitution(lower: NDArray[np.float64], right: Var) -> Var:
    """The solutions v of L v = k, a row each: [N, n].

    lower: L, [n, n], lower triangular. right: [N, n].

    Only the blocks on the diagonal are inverted, and each block's solution is refined once by what its system leaves
    over, so that the errors are of the size that substitution itself has (Higham, Accuracy and Stability of Numerical
    Algorithms, chapters 8.2 and 12): multiplied by the inverse of the whole, the digits of an ill conditioned system
    are lost.
    """
    solved: list[Var] = []
    for start in range(0, len(lower), BLOCK):
        end = min(start + BLOCK, len(lower))
        rest = op.slice(right, op.const([start]), op.const([end]), op.const([1]))
        if solved:
            before = solved[0] if len(solved) == 1 else op.concat(solved, axis=1)
            rest = op.sub(rest, op.matmul(before, constant(lower[start:end, :start].T)))
        block = lower[start:end, start:end]
        inverse = constant(solve_triangular(block, np.eye(end - start), lower=True).T)
        first = op.matmul(rest, inverse)
        left = op.sub(rest, op.matmul(first, constant(block.T)))
        solved.append(op.add(first, op.matmul(left, inverse)))
    return solved[0] if len(solved) == 1 else op.concat(solved, axis=1)
