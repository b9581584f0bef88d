"""Standard deviations of predictions: ``predict(X, return_std=True)``."""

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.linear_model import ARDRegression, BayesianRidge
from spox import Var

from runtime.manifest import STD

from . import lowers
from .distances import constant
from .labels import scalar
from .matrix import Matrix

__all__ = ["deviation"]

ROUNDINGS = 1e-15
"""What the proof lets the variance differ by, of its terms: 1e-12 of a thousandth of them (``Scope.adds_up``)."""


def deviation(x: Matrix, variance: Var, terms: Var) -> Var:
    """The root of a variance, held to what its rounding allows.

    variance: [N, 1], or [N, k] of several targets. terms: the magnitudes of what a row's variance was added from, of
    all targets the largest, [N, 1].

    Two variances that differ by d have roots that differ by d over the larger root at most, and by the root of d at
    most: where terms cancel to nearly nothing a root has half the digits.
    """
    root = op.sqrt(variance)
    answer = scalar(root) if root.unwrap_tensor().shape[1] == 1 else root
    smallest = op.reduce_min(root, op.const(np.array([1])), keepdims=1)
    least = op.max([smallest, op.sqrt(op.mul(terms, constant(ROUNDINGS)))])
    x.scope.adds_up(answer, op.div(terms, least), alone=True)
    return answer


@lowers(BayesianRidge, ARDRegression, method=STD)
def bayesian_std(model: BayesianRidge | ARDRegression, x: Matrix) -> Var:
    """Of the noise, and of the weights: X Sigma X^T."""
    kept = np.arange(len(model.coef_))
    if isinstance(model, ARDRegression):
        kept = np.flatnonzero(model.lambda_ < model.threshold_lambda)
    centred = op.sub(x.tensor, constant(np.broadcast_to(model.X_offset_, len(model.coef_))[np.newaxis]))
    chosen = op.gather(centred, op.const(kept.astype(np.int64)), axis=1)
    sigma, noise = np.asarray(model.sigma_, np.float64), constant(1.0 / model.alpha_)
    columns = op.const(np.array([1]))

    def added(values: Var, matrix: Var) -> Var:
        return op.add(op.reduce_sum(op.mul(op.matmul(values, matrix), values), columns, keepdims=1), noise)

    return deviation(x, added(chosen, constant(sigma)), added(op.abs(chosen), constant(np.abs(sigma))))
