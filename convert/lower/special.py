"""Special functions that onnxruntime has not in float64, from operations that it has."""

import math
from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .distances import constant

__all__ = ["arcsine", "digamma", "erf", "ndtr", "ndtri"]

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
    outer = op.mul(op.sign(x), op.sub(constant(1), _complement(op.abs(x))))
    return op.where(op.less_or_equal(op.abs(x), constant(1)), inner, outer)


def _complement(x: Var) -> Var:
    """1 - erf(x) for x from 1; beyond 8 it stays below 1e-28."""
    size = op.min([x, constant(8)])
    gauss = op.exp(op.neg(op.mul(size, size)))
    return op.div(op.mul(gauss, _polynomial(size, ERFC_P)), _polynomial(size, ERFC_Q))


def ndtr(x: Var) -> Var:
    """The normal distribution's function, as scipy.special.ndtr but below 1e-28."""
    half, scaled = constant(0.5), op.mul(x, constant(math.sqrt(0.5)))
    size = op.abs(scaled)
    inner = op.add(half, op.mul(half, erf(scaled)))
    tail = op.mul(half, _complement(size))
    outer = op.where(op.greater(scaled, constant(0)), op.sub(constant(1), tail), tail)
    return op.where(op.less(size, constant(1)), inner, outer)


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


# The coefficients of Cephes' ndtri.c: around the middle, and of the tails up to exp(-32) and beyond.
NDTRI_P0 = (
    -5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1, 1.39312609387279679503e1,
    -1.23916583867381258016e0,
)  # fmt: skip
NDTRI_Q0 = (
    1.0, 1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1, -2.25462687854119370527e2,
    2.00260212380060660359e2, -8.20372256168333339912e1, 1.59056225126211695515e1, -1.18331621121330003142e0,
)  # fmt: skip
NDTRI_P1 = (
    4.05544892305962419923e0, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.40805073893200834700e1,
    1.46849561928858024014e1, 2.18663306850790267539e0, -1.40256079171354495875e-1, -3.50424626827848203418e-2,
    -8.57456785154685413611e-4,
)  # fmt: skip
NDTRI_Q1 = (
    1.0, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1, 1.50425385692907503408e1,
    2.50464946208309415979e0, -1.42182922854787788574e-1, -3.80806407691578277194e-2, -9.33259480895457427372e-4,
)  # fmt: skip
NDTRI_P2 = (
    3.23774891776946035970e0, 6.91522889068984211695e0, 3.93881025292474443415e0, 1.33303460815807542389e0,
    2.01485389549179081538e-1, 1.23716634817820021358e-2, 3.01581553508235416007e-4, 2.65806974686737550832e-6,
    6.23974539184983293730e-9,
)  # fmt: skip
NDTRI_Q2 = (
    1.0, 6.02427039364742014255e0, 3.67983563856160859403e0, 1.37702099489081330271e0, 2.16236993594496635890e-1,
    1.34204006088543189037e-2, 3.28014464682127739104e-4, 2.89247864745380683936e-6, 6.79019408009981274425e-9,
)  # fmt: skip
TAIL = 0.13533528323661269189
"""exp(-2)"""


def ndtri(y: Var) -> Var:
    """The inverse of the standard normal distribution, as scipy.special.ndtri (S. L. Moshier, Cephes, ndtri.c), in
    the order of its operations; -infinity for 0 and infinity for 1."""
    zero, one = constant(0), constant(1)
    upper = op.greater(y, constant(1 - TAIL))
    tail = op.where(upper, op.sub(one, y), y)
    centre = op.sub(tail, constant(0.5))
    squared = op.mul(centre, centre)
    ratio = op.div(op.mul(squared, _polynomial(squared, NDTRI_P0)), _polynomial(squared, NDTRI_Q0))
    middle = op.mul(op.add(centre, op.mul(centre, ratio)), constant(2.50662827463100050242))
    # Away from zero and one, where the logarithm is infinite.
    inner = op.where(op.greater(tail, zero), tail, constant(0.5))
    x = op.sqrt(op.mul(constant(-2), op.log(inner)))
    first = op.sub(x, op.div(op.log(x), x))
    z = op.div(one, x)
    near = op.div(op.mul(z, _polynomial(z, NDTRI_P1)), _polynomial(z, NDTRI_Q1))
    far = op.div(op.mul(z, _polynomial(z, NDTRI_P2)), _polynomial(z, NDTRI_Q2))
    outer = op.sub(first, op.where(op.less(x, constant(8)), near, far))
    outer = op.where(op.greater(tail, zero), outer, constant(np.inf))
    signed = op.where(upper, outer, op.neg(outer))
    return op.where(op.greater(tail, constant(TAIL)), middle, signed)


def arcsine(sine: Var) -> Var:
    """The angle from 0 to pi/2 of a sine: two steps of Halley's kind from an approximation good to 7e-5.

    The start is Hastings' (Abramowitz and Stegun, 4.4.45); a step adds atan(t) for the tangent t of what is left,
    t = (s cos a - c sin a) / (c cos a + s sin a), of which t - t**3 / 3 is enough at the second.
    """
    one = constant(1)
    cosine = op.sqrt(op.mul(op.sub(one, sine), op.add(one, sine)))
    angle = constant(-0.0187293)
    for coefficient in (0.0742610, -0.2121144, 1.5707288):
        angle = op.add(op.mul(angle, sine), constant(coefficient))
    angle = op.sub(constant(math.pi / 2), op.mul(op.sqrt(op.sub(one, sine)), angle))
    for _ in range(2):
        s, c = op.sin(angle), op.cos(angle)
        left = op.div(
            op.sub(op.mul(sine, c), op.mul(cosine, s)),
            op.add(op.mul(cosine, c), op.mul(sine, s)),
        )
        cubed = op.mul(op.mul(left, left), op.div(left, constant(3)))
        angle = op.add(angle, op.sub(left, cubed))
    return angle
