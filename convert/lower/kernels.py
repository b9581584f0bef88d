"""Kernels of sklearn.metrics.pairwise, and what is made of them: centring, ridge regression, approximations."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from scipy.sparse import issparse
from sklearn.gaussian_process.kernels import Kernel
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import KERNEL_PARAMS
from sklearn.preprocessing import KernelCenterer
from spox import Var

from ..errors import UnsupportedError
from . import lowers
from .callables import gram, of_pairs
from .distances import constant, ordered_sum, row_sum, squared_euclidean, squared_norms
from .labels import scalar
from .matrix import Matrix
from .metrics import reduced_distances

__all__ = ["kernel_terms", "named_kernel", "normalised", "own_kernel", "pairwise_kernel"]


def normalised(tensor: Var, width: int) -> Var:
    """sklearn.preprocessing.normalize: rows of length one, a row of zeros as it is."""
    norms = op.sqrt(squared_norms(tensor, width))
    return op.div(tensor, op.where(op.equal(norms, constant(0)), constant(1), norms))


def _linear(tensor: Var, points: Any) -> Var:
    return op.matmul(tensor, constant(np.asarray(points).T))


def _polynomial(tensor: Var, points: Any, gamma: float | None = None, degree: float = 3, coef0: float = 1) -> Var:
    return _power(_linear(tensor, points), np.shape(points)[1], gamma, degree, coef0)


def _sigmoid(tensor: Var, points: Any, gamma: float | None = None, coef0: float = 1) -> Var:
    return _bent(_linear(tensor, points), np.shape(points)[1], gamma, coef0)


def _power(products: Var, width: int, gamma: float | None = None, degree: float = 3, coef0: float = 1) -> Var:
    return op.pow(_scaled(products, width, gamma, coef0), constant(degree))


def _bent(products: Var, width: int, gamma: float | None = None, coef0: float = 1) -> Var:
    return op.tanh(_scaled(products, width, gamma, coef0))


def _scaled(products: Var, width: int, gamma: float | None, coef0: float) -> Var:
    gamma = 1.0 / width if gamma is None else gamma
    return op.add(op.mul(products, constant(gamma)), constant(coef0))


def _rbf(tensor: Var, points: Any, gamma: float | None = None) -> Var:
    gamma = 1.0 / np.shape(points)[1] if gamma is None else gamma
    squares = squared_euclidean(tensor, np.shape(points)[1], points)
    return op.exp(op.mul(squares, constant(-gamma)))


def _laplacian(tensor: Var, points: Any, gamma: float | None = None) -> Var:
    gamma = 1.0 / np.shape(points)[1] if gamma is None else gamma
    return op.exp(op.mul(constant(-gamma), reduced_distances(tensor, points, "manhattan", {})))


def _cosine(tensor: Var, points: Any) -> Var:
    points = np.asarray(points, np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", points, points))[:, np.newaxis]
    return _linear(normalised(tensor, points.shape[1]), points / np.where(norms == 0, 1, norms))


def _additive_chi2(tensor: Var, points: Any) -> Var:
    columns, others = op.unsqueeze(tensor, op.const(np.array([2]))), constant(np.asarray(points).T[np.newaxis])
    difference, both = op.sub(columns, others), op.add(columns, others)
    terms = op.div(op.mul(difference, difference), both)
    return op.neg(ordered_sum(op.where(op.equal(both, constant(0)), constant(0), terms)))


def _chi2(tensor: Var, points: Any, gamma: float = 1.0) -> Var:
    return op.exp(op.mul(_additive_chi2(tensor, points), constant(gamma)))


_KERNELS: dict[str, Callable[..., Var]] = {
    "linear": _linear,
    "poly": _polynomial,
    "polynomial": _polynomial,
    "sigmoid": _sigmoid,
    "rbf": _rbf,
    "laplacian": _laplacian,
    "cosine": _cosine,
    "additive_chi2": _additive_chi2,
    "chi2": _chi2,
}


def pairwise_kernel(x: Matrix, points: Any, kernel: Any, parameters: Mapping[str, Any]) -> Var:
    """sklearn.metrics.pairwise.pairwise_kernels(filter_params=True): [N, n] for points [n, features].

    parameters: of all kernels; those that this one has not are left out. A Python function is given all of them.
    Raises UnsupportedError for a kernel of another name, and for a function that cannot be traced.
    """
    if isinstance(kernel, str) and kernel == "precomputed":
        return x.tensor
    if isinstance(kernel, Kernel):
        return gram(kernel, x.tensor, _dense(points))
    if callable(kernel):
        return of_pairs(kernel, x.tensor, _dense(points), parameters, "kernel", blocks=True)
    return named_kernel(x.tensor, _dense(points), kernel, parameters)


def named_kernel(tensor: Var, points: Any, kernel: str, parameters: Mapping[str, Any]) -> Var:
    """One of sklearn.metrics.pairwise's kernels of rows [N, features] and points [n, features]: [N, n].

    parameters: those that the kernel has not are left out.
    Raises UnsupportedError for a kernel of another name.
    """
    if kernel not in _KERNELS:
        raise UnsupportedError(f"expected a kernel by name ({', '.join(_KERNELS)}) or a function, found {kernel!r}")
    known = {name: value for name, value in parameters.items() if name in KERNEL_PARAMS[kernel]}
    return _KERNELS[kernel](tensor, points, **known)


def own_kernel(tensor: Var, width: int, kernel: str, parameters: Mapping[str, Any]) -> Var:
    """One of the kernels of products, of rows [N, width] and themselves: [N, 1]."""
    rows = normalised(tensor, width) if kernel == "cosine" else tensor
    products = op.matmul(op.unsqueeze(rows, op.const([1])), op.unsqueeze(rows, op.const([2])))
    products = op.squeeze(products, op.const([2]))
    known = {name: value for name, value in parameters.items() if name in KERNEL_PARAMS[kernel]}
    if kernel in ("poly", "polynomial"):
        return _power(products, width, **known)
    return _bent(products, width, **known) if kernel == "sigmoid" else products


def _dense(points: Any) -> Any:
    """What was fitted on sparse rows keeps them so."""
    return points.toarray() if issparse(points) else points


def kernel_terms(x: Matrix, points: Any, kernel: Any, parameters: Mapping[str, Any], values: Var) -> Var:
    """The magnitudes of what is added up to get a kernel's numbers, as far as it comes through to them: [N, n].

    values: of ``pairwise_kernel``. A rounding of an exponent is one of the exponential, and a power has one of its base
    so many times.
    """
    size, points = op.abs(values), np.asarray(_dense(points), np.float64)
    gamma = parameters.get("gamma")
    gamma = 1.0 / x.width if gamma is None else gamma
    products = op.matmul(op.abs(x.tensor), constant(np.abs(points).T))
    scaled = op.add(op.mul(products, constant(gamma)), constant(abs(parameters.get("coef0") or 0.0)))
    match kernel:
        case "linear":
            return products
        case "poly" | "polynomial":
            degree = 3.0 if parameters.get("degree") is None else parameters["degree"]
            return op.mul(op.pow(scaled, constant(degree)), constant(max(degree, 1.0)))
        case "sigmoid":
            return op.add(size, op.mul(op.sub(constant(1), op.mul(size, size)), scaled))
        case "rbf":
            norms = op.add(squared_norms(x.tensor, x.width), constant((points * points).sum(axis=1)[np.newaxis]))
            return op.mul(size, op.add(constant(1), op.mul(norms, constant(gamma))))
        case "laplacian" | "chi2":
            return op.sub(size, op.mul(size, op.log(op.max([size, constant(np.finfo(np.float64).tiny)]))))
        case "cosine":
            return op.add(op.mul(size, constant(0)), constant(1))
    return size


@lowers(KernelCenterer, method="transform")
def kernel_centerer(centerer: KernelCenterer, x: Matrix) -> Matrix:
    count = len(centerer.K_fit_rows_)
    means = op.div(op.reshape(row_sum(x.tensor, x.width), op.const(np.array([-1, 1]))), constant(count))
    centred = op.sub(op.sub(x.tensor, constant(centerer.K_fit_rows_)), means)
    return x.new(op.add(centred, constant(centerer.K_fit_all_)))


@lowers(KernelRidge, method="predict")
def kernel_ridge(model: KernelRidge, x: Matrix) -> Var:
    parameters = {"gamma": model.gamma, "degree": model.degree, "coef0": model.coef0}
    if callable(model.kernel):
        parameters = model.kernel_params or {}
    kernel = pairwise_kernel(x, model.X_fit_, model.kernel, parameters)
    weights = np.asarray(model.dual_coef_)
    columns = weights.reshape(len(weights), -1)
    prediction = op.matmul(kernel, constant(columns))
    answer = scalar(prediction) if weights.ndim == 1 else prediction
    _adds_up(x, answer, kernel_terms(x, model.X_fit_, model.kernel, parameters, kernel), columns)
    return answer


def _adds_up(x: Matrix, answer: Var, terms: Var, weights: Any) -> None:
    """Points that the kernel hardly tells apart have large weights, which cancel. terms: [N, n]. weights: [n, k]."""
    sizes = op.matmul(terms, constant(np.abs(weights)))
    x.scope.adds_up(answer, op.reduce_max(sizes, op.const(np.array([1])), keepdims=1))


@lowers(Nystroem, method="transform")
def nystroem(model: Nystroem, x: Matrix) -> Matrix:
    given = dict(model.kernel_params or {})
    given |= {name: getattr(model, name) for name in ("gamma", "coef0", "degree") if getattr(model, name) is not None}
    kernel = pairwise_kernel(x, model.components_, model.kernel, given)
    answer = op.matmul(kernel, constant(model.normalization_.T))
    terms = kernel_terms(x, model.components_, model.kernel, given, kernel)
    _adds_up(x, answer, terms, model.normalization_.T)
    return x.new(answer)


@lowers(RBFSampler, method="transform")
def rbf_sampler(model: RBFSampler, x: Matrix) -> Matrix:
    return _cosines(x, x.tensor, model, (2.0 / model.n_components) ** 0.5)


@lowers(SkewedChi2Sampler, method="transform")
def skewed_chi2_sampler(model: SkewedChi2Sampler, x: Matrix) -> Matrix:
    logarithms = op.log(op.add(x.tensor, constant(model.skewedness)))
    return _cosines(x, logarithms, model, np.sqrt(2.0) / np.sqrt(model.n_components))


def _cosines(x: Matrix, tensor: Var, model: Any, factor: float) -> Matrix:
    """Of the projections of a tensor, which came of x."""
    weights, offset = np.asarray(model.random_weights_), np.asarray(model.random_offset_)
    answer = op.mul(op.cos(op.add(op.matmul(tensor, constant(weights)), constant(offset))), constant(factor))
    # Of a large angle the last digit is a large part of a turn.
    angles = op.add(op.matmul(op.abs(tensor), constant(np.abs(weights))), constant(np.abs(offset)))
    terms = op.mul(op.reduce_max(angles, op.const(np.array([1])), keepdims=1), constant(factor))
    x.scope.adds_up(answer, terms, alone=True)
    return x.new(answer)


@lowers(AdditiveChi2Sampler, method="transform")
def additive_chi2_sampler(model: AdditiveChi2Sampler, x: Matrix) -> Matrix:
    interval = model.sample_interval
    if interval is None:
        interval = {1: 0.8, 2: 0.5, 3: 0.4}[model.sample_steps]
    zero = op.equal(x.tensor, constant(0))
    # The logarithm of zero goes nowhere, but must not make NaN on the way.
    safe = op.where(zero, constant(1), x.tensor)
    angle = op.mul(constant(interval), op.log(safe))
    step = op.mul(op.mul(constant(2), safe), constant(interval))
    parts = [op.sqrt(op.mul(x.tensor, constant(interval)))]
    for j in range(1, model.sample_steps):
        factor = op.sqrt(op.div(step, constant(np.cosh(np.pi * j * interval))))
        turned = op.mul(constant(j), angle)
        parts += [
            op.where(zero, constant(0), op.mul(factor, op.cos(turned))),
            op.where(zero, constant(0), op.mul(factor, op.sin(turned))),
        ]
    return x.new(op.concat(parts, axis=1))


@lowers(PolynomialCountSketch, method="transform")
def polynomial_count_sketch(model: PolynomialCountSketch, x: Matrix) -> Matrix:
    """Each sketch is a matrix of signs, its Fourier transform another: the two are multiplied beforehand, and the
    transforms of all sketches multiplied as complex numbers."""
    size = model.n_components
    sketches = np.zeros((model.degree, model.indexHash_.shape[1], size))
    for degree, (places, signs) in enumerate(zip(model.indexHash_, model.bitHash_, strict=True)):
        sketches[degree, np.arange(len(places)), places] = signs
    tensor = op.mul(constant(np.sqrt(model.gamma)), x.tensor)
    if model.coef0 != 0:
        one = op.mul(op.slice(x.tensor, op.const([0]), op.const([1]), op.const([1])), constant(0))
        tensor = op.concat([tensor, op.add(one, constant(np.sqrt(model.coef0)))], axis=1)
    # The sketches are real, so that one half of each transform says everything.
    transforms = np.fft.rfft(sketches, axis=2)
    parts = [
        (op.matmul(tensor, constant(transform.real)), op.matmul(tensor, constant(transform.imag)))
        for transform in transforms
    ]
    real, imaginary = reduce(_times, parts)
    inverse = np.fft.irfft(np.eye(size // 2 + 1), n=size, axis=1)
    turned = np.fft.irfft(1j * np.eye(size // 2 + 1), n=size, axis=1)
    answer = op.add(op.matmul(real, constant(inverse)), op.matmul(imaginary, constant(turned)))
    # What a Fourier transform loses is a share of all that goes into it, and goes to every number that comes out.
    sums = op.reduce_sum(op.abs(tensor), op.const(np.array([1])), keepdims=1)
    x.scope.adds_up(answer, op.pow(sums, constant(model.degree)))
    return x.new(answer)


def _times(a: tuple[Var, Var], b: tuple[Var, Var]) -> tuple[Var, Var]:
    return (
        op.sub(op.mul(a[0], b[0]), op.mul(a[1], b[1])),
        op.add(op.mul(a[0], b[1]), op.mul(a[1], b[0])),
    )
