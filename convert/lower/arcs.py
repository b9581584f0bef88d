"""NumPy's inverse trigonometric and hyperbolic functions, which onnxruntime has not in float64."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .distances import constant
from .links import log1p

__all__ = ["ARCS"]

# fdlibm's s_atan.c (Sun Microsystems, 1993): atan of 0.5, 1, 1.5 and infinity, in two parts each, and a polynomial.
HIGH = (4.63647609000806093515e-01, 7.85398163397448278999e-01, 9.82793723247329054082e-01, 1.57079632679489655800e00)
LOW = (2.26987774529616870924e-17, 3.06161699786838301793e-17, 1.39033110312309984516e-17, 6.12323399573676603587e-17)
ODD = (
    3.33333333333329318027e-01, 1.42857142725034663711e-01, 9.09088713343650656196e-02, 6.66107313738753120669e-02,
    4.97687799461593236017e-02, 1.62858201153657823623e-02,
)  # fmt: skip
EVEN = (
    -1.99999999998764832476e-01, -1.11111104054623557880e-01, -7.69187620504482999495e-02,
    -5.83357013379057348645e-02, -3.65315727442169155270e-02,
)  # fmt: skip
LARGE = 2.0**28
"""From here on one more or less under a root is nothing."""


def arctan(x: Var) -> Var:
    """fdlibm's, in the order of its operations: the argument is brought next to zero by the arc of 0.5, 1, 1.5 or
    infinity."""
    size, one, two = op.abs(x), constant(1), constant(2)
    near = [
        (op.div(op.sub(op.mul(two, size), one), op.add(two, size)), 11 / 16),
        (op.div(op.sub(size, one), op.add(size, one)), 19 / 16),
        (op.div(op.sub(size, constant(1.5)), op.add(one, op.mul(constant(1.5), size))), 39 / 16),
    ]
    rest, high, low = op.div(constant(-1), size), constant(HIGH[3]), constant(LOW[3])
    for place in (2, 1, 0):
        argument, end = near[place]
        here = op.less(size, constant(end))
        rest = op.where(here, argument, rest)
        high = op.where(here, constant(HIGH[place]), high)
        low = op.where(here, constant(LOW[place]), low)
    here = op.less(size, constant(7 / 16))
    rest = op.where(here, size, rest)
    high, low = op.where(here, constant(0), high), op.where(here, constant(0), low)
    z = op.mul(rest, rest)
    w = op.mul(z, z)
    series = op.add(op.mul(z, _horner(w, ODD)), op.mul(w, _horner(w, EVEN)))
    found = op.sub(high, op.sub(op.sub(op.mul(rest, series), low), rest))
    return _odd(x, found)


def _odd(x: Var, found: Var) -> Var:
    """What was found for a number's size, with the number's sign; onnxruntime's Where keeps a negative zero in its
    second choice alone."""
    return op.where(op.greater(op.abs(x), constant(0)), op.mul(op.sign(x), found), x)


def _horner(w: Var, coefficients: tuple[float, ...]) -> Var:
    """The lowest power first."""
    value = constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = op.add(constant(coefficient), op.mul(w, value))
    return value


def arcsin(x: Var) -> Var:
    """The arc of sine over cosine."""
    one = constant(1)
    return arctan(op.div(x, op.sqrt(op.mul(op.sub(one, x), op.add(one, x)))))


def arccos(x: Var) -> Var:
    """2 arctan(sqrt((1 - x) / (1 + x))), which loses no digits next to 1."""
    one = constant(1)
    return op.mul(constant(2), arctan(op.sqrt(op.div(op.sub(one, x), op.add(one, x)))))


def arctan2(y: Var, x: Var) -> Var:
    """The angle of a point, by its quadrant; a zero counts with its sign."""
    zero, up, right = constant(0), op.abs(y), op.abs(x)
    both = op.and_(op.isinf(up), op.isinf(right))
    ratio = op.where(both, constant(1), op.div(up, right))
    angle = arctan(op.where(op.equal(up, zero), op.where(op.isnan(x), x, zero), ratio))
    left = op.sub(constant(np.pi), op.sub(angle, constant(1.2246467991473532e-16)))
    angle = op.where(_negative(x), left, angle)
    return op.mul(op.where(_negative(y), constant(-1), constant(1)), angle)


def _negative(x: Var) -> Var:
    zero = constant(0)
    return op.or_(op.less(x, zero), op.less(op.div(constant(1), x), zero))


def arcsinh(x: Var) -> Var:
    size, one = op.abs(x), constant(1)
    squared = op.mul(size, size)
    near = log1p(op.add(size, op.div(squared, op.add(one, op.sqrt(op.add(one, squared))))))
    return _odd(x, op.where(op.less(size, constant(LARGE)), near, _log_of_twice(size)))


def arccosh(x: Var) -> Var:
    above = op.sub(x, constant(1))
    near = log1p(op.add(above, op.sqrt(op.add(op.mul(constant(2), above), op.mul(above, above)))))
    found = op.where(op.less(x, constant(LARGE)), near, _log_of_twice(x))
    return op.where(op.less(x, constant(1)), constant(np.nan), found)


def _log_of_twice(x: Var) -> Var:
    return op.add(op.log(x), constant(np.log(2)))


def arctanh(x: Var) -> Var:
    size = op.abs(x)
    twice = op.mul(constant(2), size)
    return _odd(x, op.mul(constant(0.5), log1p(op.div(twice, op.sub(constant(1), size)))))


ARCS = {
    "arcsin": arcsin,
    "arccos": arccos,
    "arctan": arctan,
    "arctan2": arctan2,
    "arcsinh": arcsinh,
    "arccosh": arccosh,
    "arctanh": arctanh,
}
"""By NumPy's name."""
