"""Decompositions whose transform is a projection: the PCA family, factor analysis, ICA, sparse PCA."""

import math
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from scipy import linalg
from sklearn.decomposition import (
    PCA,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    MiniBatchSparsePCA,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.utils.extmath import fast_logdet
from spox import Var

from . import linear, lower, lowers
from .distances import constant, row_sum
from .kernels import kernel_terms, pairwise_kernel
from .matrix import Matrix

Floats = NDArray[np.float64]


def product(tensor: Var, matrix: Any) -> Var:
    """tensor @ matrix, float64 [N, k], for a matrix [features, k]."""
    return op.matmul(tensor, constant(matrix))


@lowers(PCA, IncrementalPCA, method="transform")
def pca(model: Any, x: Matrix) -> Matrix:
    # The mean is taken off behind the product, as scikit-learn does.
    centre = np.reshape(model.mean_, (1, -1)) @ model.components_.T
    projected = op.sub(product(x.tensor, model.components_.T), constant(centre))
    if model.whiten:
        scale = np.sqrt(model.explained_variance_)
        projected = op.div(projected, constant(np.maximum(scale, np.finfo(scale.dtype).eps)))
    return x.new(projected)


@lowers(TruncatedSVD, method="transform")
def truncated_svd(model: TruncatedSVD, x: Matrix) -> Matrix:
    return x.new(linear.product(x, np.asarray(model.components_.T, np.float64)))


@lowers(FastICA, method="transform")
def fast_ica(model: FastICA, x: Matrix) -> Matrix:
    centred = op.sub(x.tensor, constant(model.mean_)) if model.whiten else x.tensor
    return x.new(product(centred, model.components_.T))


@lowers(FactorAnalysis, method="transform")
def factor_analysis(model: FactorAnalysis, x: Matrix) -> Matrix:
    weighted = model.components_ / model.noise_variance_
    covariance = linalg.inv(np.eye(len(model.components_)) + np.dot(weighted, model.components_.T))
    return x.new(product(product(op.sub(x.tensor, constant(model.mean_)), weighted.T), covariance))


@lowers(SparsePCA, MiniBatchSparsePCA, method="transform")
def sparse_pca(model: Any, x: Matrix) -> Matrix:
    """The ridge regression of a row on the components; of its normal equations the inverse is a constant."""
    components = np.asarray(model.components_, np.float64)
    normal = components @ components.T + model.ridge_alpha * np.eye(len(components))
    solution = linalg.solve(normal, components, assume_a="pos")
    return x.new(product(op.sub(x.tensor, constant(model.mean_)), solution.T))


@lowers(KernelPCA, method="transform")
def kernel_pca(model: KernelPCA, x: Matrix) -> Matrix:
    parameters = {"gamma": model.gamma_, "degree": model.degree, "coef0": model.coef0}
    if callable(model.kernel):
        parameters = model.kernel_params or {}
    kernel = pairwise_kernel(x, model.X_fit_, model.kernel, parameters)
    centred = lower(model._centerer, "transform", x.new(kernel)).tensor
    kept = np.flatnonzero(model.eigenvalues_)
    alphas = np.zeros_like(model.eigenvectors_)
    alphas[:, kept] = model.eigenvectors_[:, kept] / np.sqrt(model.eigenvalues_[kept])
    answer = product(centred, alphas)
    # Centring takes off means; where the terms are large the kernel's own digits are lost before the product.
    terms = kernel_terms(x, model.X_fit_, model.kernel, parameters, kernel)
    rows = op.div(op.reduce_sum(terms, op.const(np.array([1])), keepdims=1), constant(len(alphas)))
    fixed = np.abs(model._centerer.K_fit_rows_) + abs(model._centerer.K_fit_all_)
    sizes = product(op.add(op.add(terms, rows), constant(fixed)), np.abs(alphas))
    x.scope.adds_up(answer, op.reduce_max(sizes, op.const(np.array([1])), keepdims=1))
    return x.new(answer)


@lowers(PCA, IncrementalPCA, FactorAnalysis, method="score_samples")
def log_likelihood(model: Any, x: Matrix) -> Var:
    """The logarithm of a Gaussian's density: Bishop, Pattern Recognition and Machine Learning, 12.2.1."""
    precision = model.get_precision()
    centred = op.sub(x.tensor, constant(model.mean_))
    exponent = row_sum(op.mul(centred, product(centred, precision)), x.width)
    normaliser = 0.5 * (x.width * math.log(2.0 * np.pi) - fast_logdet(precision))
    return op.sub(op.mul(exponent, constant(-0.5)), constant(normaliser))
