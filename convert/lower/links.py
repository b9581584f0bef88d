"""The links of scikit-learn's losses (``sklearn._loss.link``) and the functions under them, in float64."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn._loss import link as links
from spox import Var

from ..errors import UnsupportedError

__all__ = ["expit", "expm1", "inverse_link", "link", "log1p", "softmax"]


def expit(x: Var) -> Var:
    """1 / (1 + exp(-x)), as scipy.special.expit: to within an ulp or two over the whole range of float64."""
    one = op.const(np.float64(1))
    return op.div(one, op.add(one, op.exp(op.neg(x))))


def softmax(x: Var) -> Var:
    """Along the last axis, the maximum taken off first as in sklearn.utils.extmath.softmax."""
    axis = op.const(np.array([-1]))
    powers = op.exp(op.sub(x, op.reduce_max(x, axis, keepdims=1)))
    return op.div(powers, op.reduce_sum(powers, axis, keepdims=1))


def expm1(x: Var) -> Var:
    """exp(x) - 1; next to zero by tanh(x/2) = t, which loses no digits: exp(x) - 1 = 2t / (1 - t)."""
    one = op.const(np.float64(1))
    half = op.tanh(op.mul(x, op.const(np.float64(0.5))))
    near = op.div(op.mul(op.const(np.float64(2)), half), op.sub(one, half))
    return op.where(op.less(op.abs(x), op.const(np.float64(0.5))), near, op.sub(op.exp(x), one))


def log1p(x: Var) -> Var:
    """log(u) * x / (u - 1) with u = 1 + x: the rounding of u cancels (W. Kahan, as in Goldberg 1991, theorem 4)."""
    one, zero = op.const(np.float64(1)), op.const(np.float64(0))
    u = op.add(one, x)
    less = op.sub(u, one)
    none, endless = op.equal(less, zero), op.isinf(x)
    ratio = op.div(op.mul(op.log(u), x), op.where(op.or_(none, endless), one, less))
    return op.where(none, x, op.where(endless, op.log(u), ratio))


def inverse_link(link: Any, raw: Var) -> Var:
    """The inverse of a link, elementwise or, for the multinomial one, along the last axis."""
    match link:
        case links.IdentityLink():
            return raw
        case links.LogLink():
            return op.exp(raw)
        case links.LogitLink():
            return expit(raw)
        case links.HalfLogitLink():
            return expit(op.mul(raw, op.const(np.float64(2))))
        case links.MultinomialLogit():
            return softmax(raw)
    raise UnsupportedError(f"expected a link of scikit-learn's, found {type(link).__name__}")


def link(function: Any, probabilities: Var) -> Var:
    """A link, elementwise or, for the multinomial one, along the last axis."""
    match function:
        case links.IdentityLink():
            return probabilities
        case links.LogLink():
            return op.log(probabilities)
        case links.LogitLink():
            return _logit(probabilities)
        case links.HalfLogitLink():
            return op.mul(op.const(np.float64(0.5)), _logit(probabilities))
        case links.MultinomialLogit():
            # Over the geometric mean, which scipy.stats.gmean takes by logarithms.
            axis = op.const(np.array([-1]))
            mean = op.exp(op.reduce_mean(op.log(probabilities), axis, keepdims=1))
            return op.log(op.div(probabilities, mean))
    raise UnsupportedError(f"expected a link of scikit-learn's, found {type(function).__name__}")


def _logit(p: Var) -> Var:
    return op.log(op.div(p, op.sub(op.const(np.float64(1)), p)))
