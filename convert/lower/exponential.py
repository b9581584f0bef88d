"""The exponential as the C library rounds it.

libsvm adds hundreds of exponentials that nearly cancel, so that a difference in their last bits shows in the first
digits of a score; onnxruntime's Exp kernel differs in one of seven. This one is the algorithm of glibc's exp
(sysdeps/ieee754/dbl-64/e_exp.c, by Arm's optimized-routines) in float64 operations: 2^(k/128) from a table times a
polynomial, with the last step fused as on processors that can. It differs from glibc's in about one of a million.
"""

from decimal import Decimal, localcontext

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

__all__ = ["exp"]

STEPS = 128
INVERSE = float.fromhex("0x1.71547652b82fep0") * STEPS
"""128 / ln 2."""
LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-8")
LN2_LOW = float.fromhex("0x1.cf79abc9e3b39p-47")
"""Together ln 2 / 128; a multiple of the first by fewer than 2^17 is exact."""
POLYNOMIAL = tuple(
    map(float.fromhex, ("0x1.ffffffffffdbdp-2", "0x1.555555555543cp-3", "0x1.55555cf172b91p-5", "0x1.1111167a4d017p-7"))
)
"""exp(r) - 1 - r, for |r| < ln 2 / 256, from r^2 on."""
LOWEST, HIGHEST = -746.0, 710.0
"""Below and above it is zero and infinity."""
SMALLEST = -1077


def _powers() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2^(i/128) in float64, and what is left of it, relative to it."""
    with localcontext() as context:
        context.prec = 60
        exact = [Decimal(2) ** (Decimal(step) / STEPS) for step in range(STEPS)]
        rounded = [float(power) for power in exact]
        rest = [float(power / Decimal(near) - 1) for power, near in zip(exact, rounded, strict=True)]
    return np.array(rounded), np.array(rest)


ROUNDED, REST = _powers()
SPLIT = 2.0**27 + 1
"""Parts a float64 in two halves whose products are exact (T. J. Dekker, Numerische Mathematik 18, 1971)."""
HALF = ROUNDED * SPLIT - (ROUNDED * SPLIT - ROUNDED)
OTHER_HALF = ROUNDED - HALF


def exp(x: Var) -> Var:
    """Elementwise, of a float64 tensor without NaN."""
    x = op.min([op.max([x, _number(LOWEST)]), _number(HIGHEST)])
    steps = op.round(op.mul(x, _number(INVERSE)))
    r = op.sub(op.sub(x, op.mul(steps, _number(LN2_HIGH))), op.mul(steps, _number(LN2_LOW)))
    exponent = op.floor(op.mul(steps, _number(1 / STEPS)))
    place = op.cast(op.sub(steps, op.mul(exponent, _number(STEPS))), to=np.int64)
    base = op.gather(op.const(ROUNDED), place)
    c2, c3, c4, c5 = map(_number, POLYNOMIAL)
    square = op.mul(r, r)
    low = op.mul(square, op.add(c2, op.mul(r, c3)))
    high = op.mul(op.mul(square, square), op.add(c4, op.mul(r, c5)))
    part = op.add(op.add(op.add(op.gather(op.const(REST), place), r), low), high)
    mantissa = _fused(base, part, op.gather(op.const(HALF), place), op.gather(op.const(OTHER_HALF), place))
    with np.errstate(over="ignore"):
        powers = np.ldexp(1.0, np.arange(SMALLEST, 1025))
    which = op.cast(op.sub(exponent, _number(SMALLEST)), to=np.int64)
    return op.mul(mantissa, op.gather(op.const(powers), which))


def _fused(base: Var, part: Var, high: Var, low: Var) -> Var:
    """base + base * part rounded once, for base = high + low, far larger than its product with the part."""
    product = op.mul(base, part)
    scaled = op.mul(part, _number(SPLIT))
    part_high = op.sub(scaled, op.sub(scaled, part))
    part_low = op.sub(part, part_high)
    error = op.sub(op.mul(high, part_high), product)
    error = op.add(op.add(error, op.mul(high, part_low)), op.mul(low, part_high))
    error = op.add(error, op.mul(low, part_low))
    total = op.add(base, product)
    return op.add(total, op.add(op.sub(product, op.sub(total, base)), error))


def _number(value: float) -> Var:
    return op.const(np.float64(value))
