"""NumPy's elementwise functions on tensors of float64 and bool, with NumPy's answers for NaN and infinity."""

from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from .arcs import ARCS
from .links import expit, expm1, log1p

__all__ = ["REDUCED", "TRUTHS", "UFUNCS", "is_bool", "numeric"]


def is_bool(tensor: Var) -> bool:
    return bool(tensor.unwrap_tensor().dtype == np.bool_)


def numeric(tensor: Var) -> Var:
    """As float64."""
    return op.cast(tensor, to=np.float64) if is_bool(tensor) else tensor


def _number(value: float) -> Var:
    return op.const(np.float64(value))


def _truth(tensor: Var) -> Var:
    return tensor if is_bool(tensor) else op.not_(op.equal(tensor, _number(0)))


def _of_numbers(function: Callable[..., Var]) -> Callable[..., Var]:
    return lambda *tensors: function(*map(numeric, tensors))


def _of_truths(function: Callable[..., Var]) -> Callable[..., Var]:
    return lambda *tensors: function(*map(_truth, tensors))


def _either(numbers: Callable[..., Var], truths: Callable[..., Var]) -> Callable[..., Var]:
    """NumPy adds and multiplies two booleans as truths."""

    def function(a: Var, b: Var) -> Var:
        return truths(a, b) if is_bool(a) and is_bool(b) else numbers(numeric(a), numeric(b))

    return function


def _trunc(x: Var) -> Var:
    return op.mul(op.sign(x), op.floor(op.abs(x)))


def _known(numpy: Callable[[list[Var]], Var]) -> Callable[[Var, Var], Var]:
    """The larger or the smaller of what is no NaN."""

    def function(a: Var, b: Var) -> Var:
        return numpy([op.where(op.isnan(a), b, a), op.where(op.isnan(b), a, b)])

    return function


def _mod(x: Var, y: Var) -> Var:
    """The sign is the divisor's, as in Python.

    A zero of negative sign is only kept by the second choice of onnxruntime's Where, and a Not in front of it would
    turn the choices round.
    """
    zero = _number(0)
    rest = op.mod(x, y, fmod=1)
    some = op.greater(op.abs(rest), zero)
    turned = op.and_(some, op.xor(op.less(rest, zero), op.less(y, zero)))
    nothing = op.mul(op.abs(rest), op.sign(y))
    return op.where(some, op.where(turned, op.add(rest, y), rest), nothing)


def _floor_divide(x: Var, y: Var) -> Var:
    """npy_floor_divide: the quotient of what the modulus leaves, which is nearly whole."""
    quotient = op.div(op.sub(x, _mod(x, y)), y)
    whole = op.floor(quotient)
    more = op.greater(op.sub(quotient, whole), _number(0.5))
    whole = op.where(more, op.add(whole, _number(1)), whole)
    some = op.greater(op.abs(quotient), _number(0))
    whole = op.where(some, whole, op.mul(op.div(x, y), _number(0)))
    return op.where(op.equal(y, _number(0)), op.div(x, y), whole)


def _sinh(x: Var) -> Var:
    """With e = exp(|x|) - 1, which loses nothing next to zero: sign(x) (e + e / (e + 1)) / 2."""
    size = expm1(op.abs(x))
    near = op.add(size, op.div(size, op.add(size, _number(1))))
    half = op.exp(op.mul(op.abs(x), _number(0.5)))
    far = op.mul(op.mul(_number(0.5), half), half)
    value = op.where(op.greater(op.abs(x), _number(30)), far, op.mul(_number(0.5), near))
    return op.mul(op.sign(x), value)


def _cosh(x: Var) -> Var:
    half = op.exp(op.mul(op.abs(x), _number(0.5)))
    other = op.div(_number(0.5), op.mul(half, half))
    return op.add(op.mul(op.mul(_number(0.5), half), half), other)


def _logaddexp(a: Var, b: Var) -> Var:
    distance = op.neg(op.abs(op.sub(a, b)))
    value = op.add(op.max([a, b]), log1p(op.exp(distance)))
    return op.where(op.equal(a, b), op.add(a, _number(np.log(2))), value)


def _cbrt(x: Var) -> Var:
    """By a power, with one step of Newton's method."""
    size = op.abs(x)
    none = op.or_(op.equal(size, _number(0)), op.isinf(size))
    root = op.pow(op.where(none, _number(1), size), _number(1 / 3))
    better = op.sub(root, op.div(op.sub(root, op.div(op.div(size, root), root)), _number(3)))
    return op.where(none, x, op.mul(op.sign(x), better))


def _base(base: float) -> Callable[[Var], Var]:
    return lambda x: op.div(op.log(x), _number(np.log(base)))


def _differ(a: Var, b: Var) -> Var:
    return op.xor(a, b) if is_bool(a) and is_bool(b) else op.not_(op.equal(numeric(a), numeric(b)))


def _finite(x: Var) -> Var:
    return op.not_(op.or_(op.isnan(x), op.isinf(x)))


def _heaviside(x: Var, middle: Var) -> Var:
    zero = _number(0)
    step = op.where(op.less(x, zero), zero, op.where(op.equal(x, zero), middle, _number(1)))
    return op.where(op.isnan(x), x, step)


NUMBERS: dict[str, Any] = {
    "subtract": op.sub,
    "divide": op.div,
    "true_divide": op.div,
    "power": op.pow,
    "float_power": op.pow,
    "negative": op.neg,
    "positive": lambda x: x,
    "conjugate": lambda x: x,
    "absolute": op.abs,
    "fabs": op.abs,
    "sign": op.sign,
    "sqrt": op.sqrt,
    "square": lambda x: op.mul(x, x),
    "cbrt": _cbrt,
    "reciprocal": lambda x: op.div(_number(1), x),
    "exp": op.exp,
    "exp2": lambda x: op.pow(_number(2), x),
    "expm1": expm1,
    "expit": expit,
    "log": op.log,
    "log1p": log1p,
    "log2": _base(2),
    "log10": _base(10),
    "logaddexp": _logaddexp,
    "sin": op.sin,
    "cos": op.cos,
    "tan": lambda x: op.div(op.sin(x), op.cos(x)),
    "sinh": _sinh,
    "cosh": _cosh,
    "tanh": op.tanh,
    "deg2rad": lambda x: op.mul(x, _number(np.pi / 180)),
    "radians": lambda x: op.mul(x, _number(np.pi / 180)),
    "rad2deg": lambda x: op.mul(x, _number(180 / np.pi)),
    "degrees": lambda x: op.mul(x, _number(180 / np.pi)),
    "hypot": lambda a, b: op.sqrt(op.add(op.mul(a, a), op.mul(b, b))),
    "floor": op.floor,
    "ceil": op.ceil,
    "trunc": _trunc,
    "rint": op.round,
    "maximum": lambda a, b: op.max([a, b]),
    "minimum": lambda a, b: op.min([a, b]),
    "fmax": _known(op.max),
    "fmin": _known(op.min),
    "fmod": lambda a, b: op.mod(a, b, fmod=1),
    "remainder": _mod,
    "mod": _mod,
    "floor_divide": _floor_divide,
    "less": op.less,
    "less_equal": op.less_or_equal,
    "greater": op.greater,
    "greater_equal": op.greater_or_equal,
    "isnan": op.isnan,
    "isinf": op.isinf,
    "isfinite": _finite,
    "signbit": lambda x: op.or_(op.less(x, _number(0)), op.less(op.div(_number(1), x), _number(0))),
    "heaviside": _heaviside,
    "matmul": op.matmul,
    **ARCS,
}
TRUTHS: dict[str, Any] = {
    "logical_and": op.and_,
    "logical_or": op.or_,
    "logical_xor": op.xor,
    "logical_not": op.not_,
    "bitwise_and": op.and_,
    "bitwise_or": op.or_,
    "bitwise_xor": op.xor,
    "invert": op.not_,
}
UFUNCS: dict[str, Callable[..., Var]] = {
    **{name: _of_numbers(function) for name, function in NUMBERS.items()},
    **{name: _of_truths(function) for name, function in TRUTHS.items()},
    "add": _either(op.add, op.or_),
    "multiply": _either(op.mul, op.and_),
    "equal": lambda a, b: op.equal(numeric(a), numeric(b)),
    "not_equal": _differ,
}
"""By NumPy's name, a function from tensors to a tensor."""
REDUCED = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
"""By a ufunc that reduces, what NumPy calls that."""
