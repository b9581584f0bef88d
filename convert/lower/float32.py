"""Functions of float32, to the bits of the libraries that compute them."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .distances import columns
from .meta import total

__all__ = ["expf", "softmax"]

LOG2E = np.float32(1.442695040888963407359924681001892137)
LN2 = (np.float32(-6.93145752e-1), np.float32(-1.42860677e-6))
"""Together -ln 2."""
NUMERATOR = (
    *(5.082762527590693718096e-04, 6.757896990527504603057e-03, 5.114512081637298353406e-02),
    *(2.473615434895520810817e-01, 7.257664613233124478488e-01, 9.999999999980870924916e-01),
)
DENOMINATOR = (2.159509375685829852307e-02, -2.742335390411667452936e-01, 1.0)
"""Both from the highest power of x down."""


def expf(x: Var) -> Var:
    """glibc's expf, float32 to float32: 2**(k/32) from a table, times a polynomial of the rest, in float64.

    Szabolcs Nagy's algorithm (ARM optimized routines, math/expf.c, with EXP2F_TABLE_BITS of 5).
    """
    size = 32
    wide = op.mul(op.cast(x, to=np.float64), op.const(np.float64(float.fromhex("0x1.71547652b82fep+0") * size)))
    whole = op.round(wide)
    rest = op.sub(wide, whole)
    high = op.floor(op.div(whole, op.const(np.float64(size))))
    low = op.sub(whole, op.mul(high, op.const(np.float64(size))))
    place = op.max([op.min([op.cast(low, to=np.int64), op.const(np.int64(size - 1))]), op.const(np.int64(0))])
    scale = op.mul(
        op.gather(op.const(np.exp2(np.arange(size) / size)), place, axis=0), op.pow(op.const(np.float64(2)), high)
    )
    cubic, square, linear = (
        op.const(np.float64(float.fromhex(number) / size**power))
        for number, power in (("0x1.c6af84b912394p-5", 3), ("0x1.ebfce50fac4f3p-3", 2), ("0x1.62e42ff0c52d6p-1", 1))
    )
    high_part = op.add(op.mul(cubic, rest), square)
    low_part = op.add(op.mul(linear, rest), op.const(np.float64(1)))
    polynomial = op.add(op.mul(high_part, op.mul(rest, rest)), low_part)
    return op.cast(op.mul(polynomial, scale), to=np.float32)


def softmax(x: Var, width: int) -> Var:
    """SciPy's along the last axis of [N, width], the maximum taken off first: NumPy's exp, and its pairwise sum."""
    powers = _exp(op.sub(x, op.reduce_max(x, op.const(np.array([1])), keepdims=1)))
    return op.div(powers, _row_sum(powers, 0, width))


def _row_sum(tensor: Var, start: int, count: int) -> Var:
    """NumPy's pairwise sum of some columns, [N, 1], as ``distances.row_sum``, but without ReduceSum: it adds float32 in
    an order of its own."""
    if count > 128:
        half = count // 2 - count // 2 % 8
        return op.add(_row_sum(tensor, start, half), _row_sum(tensor, start + half, count - half))
    whole = count - count % 8
    rest = [columns(tensor, place, place + 1) for place in range(start + whole, start + count)]
    if not whole:
        return total(rest)
    eight = total([columns(tensor, place, place + 8) for place in range(start, start + whole, 8)])
    for pairs in (4, 2, 1):
        even, odd = (op.gather(eight, op.const(np.arange(first, 2 * pairs, 2)), axis=1) for first in (0, 1))
        eight = op.add(even, odd)
    return total([eight, *rest])


def _exp(x: Var) -> Var:
    """NumPy's exp for numbers that are not positive, of a processor with AVX2 or AVX-512: 2^q times a quotient of
    polynomials, each step fused (numpy/_core/src/umath/loops_exponent_log.dispatch.c.src)."""
    x = op.max([x, op.const(np.float32(-200))])  # which is zero already
    steps = op.round(op.mul(x, op.const(LOG2E)))
    rest = x
    for part in LN2:
        rest = _fused(steps, op.const(part), rest)
    quotient = op.div(_polynomial(rest, NUMERATOR), _polynomial(rest, DENOMINATOR))
    power = op.pow(op.const(np.float64(2)), op.cast(steps, to=np.float64))
    return op.cast(op.mul(op.cast(quotient, to=np.float64), power), to=np.float32)


def _polynomial(x: Var, coefficients: tuple[float, ...]) -> Var:
    first, *others = (op.const(np.float32(coefficient)) for coefficient in coefficients)
    total = first
    for coefficient in others:
        total = _fused(total, x, coefficient)
    return total


def _fused(a: Var, b: Var, c: Var) -> Var:
    """a * b + c rounded once: the product of two float32 is exact in float64."""
    wide = [op.cast(part, to=np.float64) for part in (a, b, c)]
    return op.cast(op.add(op.mul(wide[0], wide[1]), wide[2]), to=np.float32)
