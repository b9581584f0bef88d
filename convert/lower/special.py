"""Special functions that onnxruntime has not in float64, from operations that it has."""

from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .distances import constant

__all__ = ["digamma", "erf"]

# The coefficients of Cephes (S. L. Moshier, ndtr.c), whose relative error is below 4e-16.
ERFC_P = (
    2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687, 4.86371970985681366614e1,
    1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3,
    5.57535335369399327526e2,
)  # fmt: skip
ERFC_Q = (
    1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2, 9.75708501743205489753e2,
    1.82390916687909736289e3, 2.24633760818710981792e3, 1.65666309194161350182e3, 5.57535340817727675546e2,
)  # fmt: skip
ERF_T = (
    9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3,
    5.55923013010394962768e4,
)  # fmt: skip
ERF_U = (
    1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3, 2.26290000613890934246e4,
    4.92673942608635921086e4,
)  # fmt: skip


def _polynomial(x: Var, coefficients: Sequence[float]) -> Var:
    """Horner's rule, the highest power first."""
    value = op.add(op.mul(x, constant(0)), constant(coefficients[0]))
    for coefficient in coefficients[1:]:
        value = op.add(op.mul(value, x), constant(coefficient))
    return value


def erf(x: Var) -> Var:
    """The error function, as scipy.special.erf to within an ulp or two: Cephes' two rational approximations, in the
    order of its operations."""
    squared = op.mul(x, x)
    inner = op.div(op.mul(x, _polynomial(squared, ERF_T)), _polynomial(squared, ERF_U))
    # Beyond 8 the complement is below 1e-28.
    size = op.min([op.abs(x), constant(8)])
    gauss = op.exp(op.neg(op.mul(size, size)))
    complement = op.div(op.mul(gauss, _polynomial(size, ERFC_P)), _polynomial(size, ERFC_Q))
    outer = op.mul(op.sign(x), op.sub(constant(1), complement))
    return op.where(op.less_or_equal(op.abs(x), constant(1)), inner, outer)


def digamma(x: Var) -> Var:
    """psi of sklearn.decomposition._online_lda_fast for x > 0 (Bernardo, Algorithm AS 103): the recurrence up to six,
    then the asymptotic series."""
    result, shifted = op.mul(x, constant(0)), x
    for _ in range(6):
        below = op.less(shifted, constant(6))
        result = op.where(below, op.sub(result, op.div(constant(1), shifted)), result)
        shifted = op.where(below, op.add(shifted, constant(1)), shifted)
    r = op.div(constant(1), shifted)
    result = op.add(result, op.sub(op.log(shifted), op.mul(constant(0.5), r)))
    r = op.mul(r, r)
    series = op.sub(constant(1 / 120), op.mul(r, constant(1 / 252)))
    series = op.mul(r, op.sub(constant(1 / 12), op.mul(r, series)))
    near_zero = op.sub(constant(-np.euler_gamma), op.div(constant(1), x))
    return op.where(op.less_or_equal(x, constant(1e-6)), near_zero, op.sub(result, series))
