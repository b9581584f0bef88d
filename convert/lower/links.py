"""The links of scikit-learn's losses (``sklearn._loss.link``) and the functions under them, in float64."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn._loss import link as links
from spox import Var

from ..errors import UnsupportedError

__all__ = ["expit", "inverse_link", "softmax"]


def expit(x: Var) -> Var:
    """1 / (1 + exp(-x)), as scipy.special.expit: to within an ulp or two over the whole range of float64."""
    one = op.const(np.float64(1))
    return op.div(one, op.add(one, op.exp(op.neg(x))))


def softmax(x: Var) -> Var:
    """Along the last axis, the maximum taken off first as in sklearn.utils.extmath.softmax."""
    axis = op.const(np.array([-1]))
    powers = op.exp(op.sub(x, op.reduce_max(x, axis, keepdims=1)))
    return op.div(powers, op.reduce_sum(powers, axis, keepdims=1))


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
