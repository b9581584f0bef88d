"""Gaussian processes: kernels composed as they were in scikit-learn, regression and classification."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS, _BinaryGaussianProcessClassifierLaplace
from spox import Var

from runtime.manifest import STD

from ..errors import UnsupportedError
from . import lacks, lower, lowers
from .callables import of_same
from .deviation import deviation
from .distances import constant, row_sum, squared_norms
from .kernels import own_kernel, pairwise_kernel
from .labels import Labels, scalar
from .matrix import Matrix
from .metrics import reduced_distances
from .special import erf
from .triangular import forward_substitution


def _squares(x: Matrix, points: Any, scale: Any) -> Var:
    """cdist(X / scale, Y / scale, "sqeuclidean")."""
    scaled = op.div(x.tensor, constant(np.squeeze(scale)))
    return reduced_distances(scaled, np.asarray(points, np.float64) / np.squeeze(scale), "euclidean", {})


def _full(x: Matrix, points: Any, value: float) -> Var:
    """[N, n] of one value."""
    row = op.mul(op.slice(x.tensor, op.const([0]), op.const([1]), op.const([1])), constant(0))
    # Zero times infinity is no number; the comparison makes it one.
    row = op.where(op.isnan(row), constant(0), row)
    return op.add(row, constant(np.full((1, len(points)), value)))


def _rbf(kernel: Any, x: Matrix, points: Any) -> Var:
    return op.exp(op.mul(constant(-0.5), _squares(x, points, kernel.length_scale)))


def _matern(kernel: Any, x: Matrix, points: Any) -> Var:
    distances = op.sqrt(_squares(x, points, kernel.length_scale))
    one = constant(1)
    match kernel.nu:
        case 0.5:
            return op.exp(op.neg(distances))
        case 1.5:
            scaled = op.mul(distances, constant(math.sqrt(3)))
            return op.mul(op.add(one, scaled), op.exp(op.neg(scaled)))
        case 2.5:
            scaled = op.mul(distances, constant(math.sqrt(5)))
            squared = op.div(op.mul(scaled, scaled), constant(3))
            return op.mul(op.add(op.add(one, scaled), squared), op.exp(op.neg(scaled)))
        case np.inf:
            return op.exp(op.div(op.neg(op.mul(distances, distances)), constant(2)))
    raise UnsupportedError(
        f"expected Matern with nu 0.5, 1.5, 2.5 or inf, found {kernel.nu!r}, which takes a Bessel function: choose one "
        "of those"
    )


def _rational_quadratic(kernel: Any, x: Matrix, points: Any) -> Var:
    distances = reduced_distances(x.tensor, points, "euclidean", {})
    base = op.add(constant(1), op.div(distances, constant(2 * kernel.alpha * kernel.length_scale**2)))
    return op.pow(base, constant(-kernel.alpha))


def _exp_sine_squared(kernel: Any, x: Matrix, points: Any) -> Var:
    distances = op.sqrt(reduced_distances(x.tensor, points, "euclidean", {}))
    sine = op.div(op.sin(op.mul(constant(np.pi / kernel.periodicity), distances)), constant(kernel.length_scale))
    return op.exp(op.mul(constant(-2), op.mul(sine, sine)))


def _dot_product(kernel: Any, x: Matrix, points: Any) -> Var:
    return op.add(op.matmul(x.tensor, constant(np.asarray(points).T)), constant(kernel.sigma_0**2))


def _pairwise(kernel: Any, x: Matrix, points: Any) -> Var:
    parameters = {"gamma": kernel.gamma} | (kernel.pairwise_kernels_kwargs or {})
    return pairwise_kernel(x, points, kernel.metric, parameters)


def _sum(kernel: Any, x: Matrix, points: Any) -> Var:
    return op.add(cross_kernel(kernel.k1, x, points), cross_kernel(kernel.k2, x, points))


def _product(kernel: Any, x: Matrix, points: Any) -> Var:
    return op.mul(cross_kernel(kernel.k1, x, points), cross_kernel(kernel.k2, x, points))


def _power(kernel: Any, x: Matrix, points: Any) -> Var:
    return op.pow(cross_kernel(kernel.kernel, x, points), constant(kernel.exponent))


_KERNELS: dict[type, Callable[[Any, Matrix, Any], Var]] = {
    kernels.RBF: _rbf,
    kernels.Matern: _matern,
    kernels.RationalQuadratic: _rational_quadratic,
    kernels.ExpSineSquared: _exp_sine_squared,
    kernels.DotProduct: _dot_product,
    kernels.ConstantKernel: lambda kernel, x, points: _full(x, points, kernel.constant_value),
    # Noise is of the rows themselves, and other rows do not share it.
    kernels.WhiteKernel: lambda kernel, x, points: _full(x, points, 0.0),
    kernels.PairwiseKernel: _pairwise,
    kernels.Sum: _sum,
    kernels.Product: _product,
    kernels.Exponentiation: _power,
}


def cross_kernel(kernel: Any, x: Matrix, points: Any) -> Var:
    """kernel(X, points), [N, n] for points [n, features]; UnsupportedError for a kernel of another's making."""
    function = _KERNELS.get(type(kernel))
    if function is None:
        raise UnsupportedError(f"expected a kernel of scikit-learn's, found {type(kernel).__name__}")
    return function(kernel, x, points)


def _diagonal(kernel: Any, x: Matrix) -> Var:
    """kernel.diag(X), [N, 1]."""
    match kernel:
        case kernels.Sum():
            return op.add(_diagonal(kernel.k1, x), _diagonal(kernel.k2, x))
        case kernels.Product():
            return op.mul(_diagonal(kernel.k1, x), _diagonal(kernel.k2, x))
        case kernels.Exponentiation():
            return op.pow(_diagonal(kernel.kernel, x), constant(kernel.exponent))
        case kernels.DotProduct():
            return op.add(squared_norms(x.tensor, x.width), constant(kernel.sigma_0**2))
        case kernels.WhiteKernel():
            return _full(x, [0], kernel.noise_level)
        case kernels.ConstantKernel():
            return _full(x, [0], kernel.constant_value)
        case kernels.PairwiseKernel():
            return _of_itself(kernel, x)
    return _full(x, [0], 1.0)


def _of_itself(kernel: Any, x: Matrix) -> Var:
    """PairwiseKernel of a row and itself, [N, 1]: scikit-learn asks it row by row."""
    parameters = {"gamma": kernel.gamma} | (kernel.pairwise_kernels_kwargs or {})
    match kernel.metric:
        case "linear" | "poly" | "polynomial" | "sigmoid" | "cosine" as name:
            return own_kernel(x.tensor, x.width, name, parameters)
        case "additive_chi2":
            return _full(x, [0], 0.0)
        case "rbf" | "laplacian" | "chi2":
            return _full(x, [0], 1.0)
    return of_same(kernel.metric, x.tensor, x.width, parameters, "kernel")


def _kernel(model: GaussianProcessRegressor, x: Matrix) -> Var:
    """What the mean and its standard deviation share."""
    kernel: Var = x.once(model, "kernel", lambda: cross_kernel(model.kernel_, x, model.X_train_))
    return kernel


@lowers(GaussianProcessRegressor, method="predict")
def process_mean(model: GaussianProcessRegressor, x: Matrix) -> Var:
    kernel = _kernel(model, x)
    weights = np.asarray(model.alpha_)
    """Weights of rows that lie close to each other are large, and cancel."""
    columns = weights.reshape(len(weights), -1)
    scale, offset = np.atleast_1d(model._y_train_std), np.atleast_1d(model._y_train_mean)
    mean = op.add(op.mul(constant(scale), op.matmul(kernel, constant(columns))), constant(offset))
    answer = scalar(mean) if weights.ndim == 1 or weights.shape[1] == 1 else mean
    terms = op.mul(constant(scale), op.matmul(op.abs(kernel), constant(np.abs(columns))))
    x.scope.adds_up(answer, op.reduce_max(terms, op.const(np.array([1])), keepdims=1))
    return answer


@lowers(GaussianProcessRegressor, method=STD)
def process_std(model: GaussianProcessRegressor, x: Matrix) -> Var:
    """Rasmussen and Williams, algorithm 2.1, line 6: k(x, x) - v^T v with L v = k, what is below zero set to zero.

    With w = K^-1 k, v^T v is the sum of k_i w_i. So much of k's rounding comes through, and of the rounding of the
    substitution |w|^T |L| |v| (Higham, theorem 8.5): these, and k(x, x), are the terms.
    """
    kernel, columns = _kernel(model, x), op.const(np.array([1]))
    prior, v = _diagonal(model.kernel_, x), forward_substitution(model.L_, kernel)
    variance = op.sub(prior, op.reduce_sum(op.mul(v, v), columns, keepdims=1))
    variance = op.where(op.less(variance, constant(0)), constant(0), variance)
    # The proof's gauge alone needs these, and only their size.
    inverse = solve_triangular(model.L_, np.eye(len(model.L_)), lower=True)
    w = op.abs(op.matmul(v, constant(inverse)))
    through = op.add(op.abs(kernel), op.matmul(op.abs(v), constant(np.abs(model.L_).T)))
    terms = op.add(op.abs(prior), op.reduce_sum(op.mul(w, through), columns, keepdims=1))
    squared = np.atleast_1d(model._y_train_std) ** 2
    scaled = op.mul(variance, constant(squared[np.newaxis]))
    return deviation(x, scaled, op.mul(terms, constant(squared.max())))


def _latent(model: Any, x: Matrix) -> tuple[Var, Var]:
    """The latent mean, [N, 1], and the kernel, [N, n], of a classifier of two classes."""

    def make() -> tuple[Var, Var]:
        kernel = cross_kernel(model.kernel_, x, model.X_train_)
        return op.matmul(kernel, constant((model.y_train_ - model.pi_)[:, np.newaxis])), kernel

    latent: tuple[Var, Var] = x.once(model, "latent", make)
    return latent


@lowers(_BinaryGaussianProcessClassifierLaplace, method="predict")
def laplace_labels(model: Any, x: Matrix) -> Labels:
    positive = op.greater(scalar(_latent(model, x)[0]), constant(0))
    return Labels(op.cast(positive, to=np.int64), (model.classes_,))


@lowers(_BinaryGaussianProcessClassifierLaplace, method="predict_proba")
def laplace_probabilities(model: Any, x: Matrix) -> Var:
    """Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 3.2; the integral over the logistic
    function by five error functions (Williams and Barber, appendix A).

    Their coefficients are of thousands and cancel: scikit-learn's own answer has twelve digits at best.
    """
    mean, kernel = _latent(model, x)
    # v = L \\ (W^1/2 K): L is triangular and the same for every row, so that its inverse is a constant.
    solve = solve_triangular(model.L_, np.diag(model.W_sr_), lower=True)
    v = op.matmul(kernel, constant(solve.T))
    variance = op.sub(_diagonal(model.kernel_, x), op.reduce_sum(op.mul(v, v), op.const(np.array([1])), keepdims=1))
    lambdas, coefficients = np.ravel(LAMBDAS), np.ravel(COEFS)
    alpha = op.div(constant(1), op.mul(constant(2), variance))
    inner = op.sqrt(op.div(alpha, op.add(alpha, constant(lambdas**2))))
    integrals = op.div(
        op.mul(op.sqrt(op.div(constant(np.pi), alpha)), erf(op.mul(op.mul(mean, constant(lambdas)), inner))),
        op.mul(constant(2), op.sqrt(op.mul(op.mul(variance, constant(2)), constant(np.pi)))),
    )
    total = op.reshape(row_sum(op.mul(integrals, constant(coefficients)), 5), op.const(np.array([-1, 1])))
    second = op.add(total, constant(0.5 * coefficients.sum()))
    return op.concat([op.sub(constant(1), second), second], axis=1)


@lowers(GaussianProcessClassifier, method="predict")
def process_labels(model: GaussianProcessClassifier, x: Matrix) -> Labels:
    found: Labels = lower(model.base_estimator_, "predict", x, ".base_estimator_")
    return found


@lowers(GaussianProcessClassifier, method="predict_proba")
def process_probabilities(model: GaussianProcessClassifier, x: Matrix) -> Var:
    """scikit-learn adds error functions weighted by thousands, whose sum is a probability."""
    answer: Var = lower(model.base_estimator_, "predict_proba", x, ".base_estimator_")
    x.scope.adds_up(answer, _full(x, [0], float(np.abs(COEFS).sum()) / 2))
    return answer


@lacks(GaussianProcessClassifier, method="predict_proba")
def one_against_one(model: GaussianProcessClassifier) -> str | None:
    several = model.n_classes_ > 2 and model.multi_class == "one_vs_one"
    return "scikit-learn itself has none with multi_class='one_vs_one'" if several else None
