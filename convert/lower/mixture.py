"""Gaussian mixtures: every covariance type, and the variational ones."""

import math
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from scipy.special import digamma
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.mixture._gaussian_mixture import _compute_log_det_cholesky
from spox import Var

from . import lowers
from .distances import constant, row_sum, squared_norms
from .labels import scalar
from .matrix import Matrix
from .sums import log1p

__all__ = ["logsumexp"]


def logsumexp(x: Var, width: int) -> Var:
    """sklearn.utils._array_api._logsumexp along the rows of [N, width]: [N, 1]."""
    axis, column = op.const(np.array([1])), op.const(np.array([-1, 1]))
    largest = op.reduce_max(x, axis, keepdims=1)
    is_largest = op.equal(x, largest)
    count = op.reduce_sum(op.cast(is_largest, to=np.float64), axis, keepdims=1)
    powers = op.where(is_largest, constant(0), op.exp(op.sub(x, largest)))
    rest = op.div(op.reshape(row_sum(powers, width), column), count)
    return op.add(op.add(log1p(rest), op.log(count)), largest)


def _squared_distances(model: Any, x: Matrix) -> Var:
    """[N, components]: of a row from each mean, by its precision."""
    means, cholesky = model.means_, model.precisions_cholesky_
    count, width = means.shape
    if model.covariance_type in ("full", "tied"):
        each = [cholesky[k] if model.covariance_type == "full" else cholesky for k in range(count)]
        centres = np.concatenate([mean @ factor for mean, factor in zip(means, each, strict=True)])
        if model.covariance_type == "full":
            turned = op.matmul(x.tensor, constant(np.concatenate(each, axis=1)))
        else:
            turned = op.tile(op.matmul(x.tensor, constant(cholesky)), op.const(np.array([1, count])))
        away = op.reshape(op.sub(turned, constant(centres)), op.const(np.array([-1, width])))
        return op.reshape(row_sum(op.mul(away, away), width), op.const(np.array([-1, count])))
    precisions = cholesky**2
    if model.covariance_type == "diag":
        own = np.sum(means**2 * precisions, axis=1)
        cross = op.mul(constant(2), op.matmul(x.tensor, constant((means * precisions).T)))
        squares = op.matmul(op.mul(x.tensor, x.tensor), constant(precisions.T))
    else:
        own = np.sum(means**2, axis=1) * precisions
        cross = op.mul(constant(2), op.mul(op.matmul(x.tensor, constant(means.T)), constant(precisions)))
        squares = op.mul(squared_norms(x.tensor, width), constant(precisions))
    return op.add(op.sub(constant(own), cross), squares)


def _log_gaussian(model: Any, x: Matrix) -> Var:
    log_det = _compute_log_det_cholesky(model.precisions_cholesky_, model.covariance_type, x.width)
    exponent = op.add(constant(x.width * math.log(2 * math.pi)), _squared_distances(model, x))
    return op.add(op.mul(constant(-0.5), exponent), constant(log_det))


def _weighted(model: Any, x: Matrix) -> Var:
    """The logarithm of each component's weighted density, [N, components]."""
    gauss = _log_gaussian(model, x)
    if isinstance(model, BayesianGaussianMixture):
        freedom = model.degrees_of_freedom_
        gauss = op.sub(gauss, constant(0.5 * x.width * np.log(freedom)))
        halves = 0.5 * (freedom - np.arange(0, x.width)[:, np.newaxis])
        log_lambda = x.width * np.log(2.0) + np.sum(digamma(halves), 0)
        gauss = op.add(gauss, constant(0.5 * (log_lambda - x.width / model.mean_precision_)))
    return op.add(gauss, constant(model._estimate_log_weights()))


def _shared(model: Any, x: Matrix) -> tuple[Var, Var]:
    """The weighted log densities, [N, components], and the logarithm of their sum, [N, 1]."""

    def make() -> tuple[Var, Var]:
        weighted = _weighted(model, x)
        return weighted, logsumexp(weighted, model.n_components)

    shared: tuple[Var, Var] = x.once(model, "densities", make)
    return shared


@lowers(GaussianMixture, BayesianGaussianMixture, method="score_samples")
def log_density(model: Any, x: Matrix) -> Var:
    return scalar(_shared(model, x)[1])


@lowers(GaussianMixture, BayesianGaussianMixture, method="predict_proba")
def responsibilities(model: Any, x: Matrix) -> Var:
    weighted, total = _shared(model, x)
    return op.exp(op.sub(weighted, total))


@lowers(GaussianMixture, BayesianGaussianMixture, method="predict")
def likeliest(model: Any, x: Matrix) -> Var:
    return op.arg_max(_shared(model, x)[0], axis=1, keepdims=0)
