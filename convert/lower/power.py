"""PowerTransformer: Yeo and Johnson's, and Box and Cox's, as scipy computes them."""

from functools import partial

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from scipy import special as scipy_special
from scipy import stats
from sklearn.preprocessing import PowerTransformer
from spox import Var

from . import lower, lowers
from .links import expm1, log1p
from .matrix import Matrix, Monotone

Floats = NDArray[np.float64]
LARGEST = 709.78
"""From here on scipy.special.boxcox takes the exponential of a difference, lest it overflow."""


@lowers(PowerTransformer, method="transform")
def power(transformer: PowerTransformer, x: Matrix) -> Matrix:
    lambdas = np.asarray(transformer.lambdas_, np.float64)
    if transformer.method == "box-cox":
        powered = _box_cox(x.tensor, lambdas)
    else:
        # Fitted on float32, lambda is one too, and so is 2 - lambda.
        others = np.array([2 - power for power in transformer.lambdas_], np.float64)
        powered = _yeo_johnson(x.tensor, lambdas, others)
    reference = _positive_box_cox if transformer.method == "box-cox" else stats.yeojohnson
    # Neither has been seen to turn back by a last bit, and the proof looks next to every threshold.
    mapped = x.map(powered, [Monotone(partial(reference, lmbda=power)) for power in transformer.lambdas_])
    if not transformer.standardize:
        return mapped
    scaled: Matrix = lower(transformer._scaler, "transform", mapped, "._scaler")
    return scaled


def _positive_box_cox(values: Floats, lmbda: float) -> Floats:
    """As scipy's; what scikit-learn refuses lies below all else."""
    return np.where(values < 0, -np.inf, scipy_special.boxcox(values, lmbda))


def _yeo_johnson(x: Var, lambdas: Floats, others: Floats) -> Var:
    """scipy.stats.yeojohnson: each side of zero has a power of its own, the negative one 2 - lambda."""
    zero = op.const(np.float64(0))
    positive = op.greater_or_equal(x, zero)
    above = _power(log1p(op.where(positive, x, zero)), lambdas)
    below = op.neg(_power(log1p(op.where(positive, zero, op.neg(x))), others))
    return op.where(positive, above, below)


def _power(logarithm: Var, powers: Floats) -> Var:
    """(exp(logarithm)^power - 1) / power; for a power of zero the logarithm itself."""
    none = np.abs(powers) < np.finfo(np.float64).eps
    safe = op.const(np.where(none, 1.0, powers))
    return op.where(op.const(none), logarithm, op.div(expm1(op.mul(safe, logarithm)), safe))


def _box_cox(x: Var, lambdas: Floats) -> Var:
    """scipy.special.boxcox."""
    none = np.abs(lambdas) < 1e-19
    powers = np.where(none, 1.0, lambdas)
    logarithm, safe = op.log(x), op.const(powers)
    exponent = op.mul(safe, logarithm)
    near = op.div(expm1(exponent), safe)
    large = op.exp(op.sub(exponent, op.const(np.log(np.abs(powers)))))
    far = op.sub(op.mul(op.const(np.sign(powers)), large), op.const(1 / powers))
    powered = op.where(op.greater_or_equal(exponent, op.const(np.float64(LARGEST))), far, near)
    return op.where(op.const(none), logarithm, powered)
