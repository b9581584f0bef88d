"""Kernels by name, and kernel ridge regression, centring and the approximations."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.spatial import distance
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KernelCenterer, MinMaxScaler, OneHotEncoder

from convert import ParityError, UnsupportedError
from convert.lower import _TABLE, kernels

from .twins import levels, model_of, twin_of

RNG = np.random.default_rng(6)
X = RNG.normal(size=(120, 5))
Y = X @ np.arange(1.0, 6.0) + RNG.normal(scale=0.1, size=120)
POSITIVE = RNG.gamma(2.0, size=(120, 5)) * (RNG.random((120, 5)) < 0.8)
KERNELS = ["linear", "poly", "polynomial", "rbf", "laplacian", "sigmoid", "cosine"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel_ridge(kernel: str) -> None:
    model = KernelRidge(kernel=kernel, gamma=0.1, degree=2, coef0=0.5).fit(X[:60], Y[:60])
    assert levels(twin_of(model, X))["predict"] in ("bit", "ulp")


@pytest.mark.parametrize(("kernel", "alpha"), [("chi2", 1.0), ("additive_chi2", 1000.0)])
def test_kernels_of_histograms(kernel: str, alpha: float) -> None:
    model = KernelRidge(kernel=kernel, gamma=0.3, alpha=alpha).fit(POSITIVE[:60], Y[:60])
    assert levels(twin_of(model, POSITIVE)) == {"predict": "ulp"}


def test_kernel_ridge_of_several_targets_and_default_gamma() -> None:
    model = KernelRidge(kernel="rbf").fit(X[:60], np.column_stack([Y, -Y])[:60])
    assert levels(twin_of(model, X))["predict"] in ("bit", "ulp")


@pytest.mark.parametrize(("kernel", "alpha"), [("linear", 0.01), ("poly", 0.01), ("rbf", 1e-6)])
def test_kernel_ridge_of_large_weights(kernel: str, alpha: float) -> None:
    """Little regularisation: their sum is measured by its terms."""
    model = KernelRidge(kernel=kernel, alpha=alpha).fit(X[:60], Y[:60])
    twin = twin_of(model, X)
    assert twin.proof.outputs["predict"].terms > 3 * np.abs(model.predict(X)).max()


@pytest.mark.parametrize("kernel", KERNELS)
def test_nystroem(kernel: str) -> None:
    # More components than a linear kernel has dimensions would magnify its rounding.
    model = Nystroem(kernel=kernel, n_components=4, random_state=0)
    assert levels(twin_of(model.fit(X), X))["transform"] in ("bit", "ulp")


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (RBFSampler(n_components=12, random_state=0), X),
        (RBFSampler(gamma="scale", n_components=5, random_state=0), X),
        (RBFSampler(n_components=1, random_state=0), X),  # no other column beside the cosine of a large angle
        (SkewedChi2Sampler(n_components=9, skewedness=0.7, random_state=0), POSITIVE),
        (AdditiveChi2Sampler(sample_steps=1), POSITIVE),
        (AdditiveChi2Sampler(sample_steps=2), POSITIVE),
        (AdditiveChi2Sampler(sample_steps=3), POSITIVE),
        (AdditiveChi2Sampler(sample_steps=4, sample_interval=0.3), POSITIVE),
    ],
    ids=repr,
)
def test_approximations(model: Any, data: Any) -> None:
    assert levels(twin_of(model.fit(data), data)).keys() == {"transform"}


@pytest.mark.parametrize(
    "sketch",
    [
        PolynomialCountSketch(n_components=16, random_state=0),
        PolynomialCountSketch(n_components=15, degree=3, gamma=0.5, coef0=2, random_state=0),
        PolynomialCountSketch(n_components=10, degree=1, coef0=1, random_state=0),
    ],
    ids=repr,
)
def test_sketches(sketch: Any) -> None:
    """What a Fourier transform rounds goes to every number of the row; the proof says what it is held to."""
    proof = twin_of(sketch.fit(X), X).proof
    assert proof.level == "ulp"
    assert proof.outputs["transform"].floor >= proof.outputs["transform"].terms / 1000 > 0
    assert "transform: a sum of terms up to" in str(proof)


def test_of_a_sketch_scikit_learn_is_no_nearer_to_the_truth() -> None:
    """The truth is the convolution itself in 80 bits. Of a row with one large number both are off by more than 1e-12
    of the answer, and by less than a few roundings of the terms."""
    sketch = PolynomialCountSketch(n_components=16, random_state=0).fit(X)
    rows = np.where(np.arange(X.shape[1]) == 0, 2.0**24 + 1, X)
    wide = rows.astype(np.longdouble)
    parts = np.zeros((2, len(rows), 16), np.longdouble)
    for part, places, signs in zip(parts, sketch.indexHash_, sketch.bitHash_, strict=True):
        for column, (place, sign) in enumerate(zip(places, signs, strict=True)):
            part[:, place] += sign * wide[:, column]
    truth = sum(parts[0][:, [shift]] * np.roll(parts[1], shift, axis=1) for shift in range(16))
    terms = np.abs(rows).sum(axis=1, keepdims=True) ** 2
    theirs = np.abs(sketch.transform(rows) - truth)
    ours = np.abs(model_of(twin_of(sketch, X)).transform(rows) - truth)
    assert (theirs > 1e-12 * np.abs(truth)).any()
    assert (theirs <= 1e-15 * terms).all()
    assert (ours <= 1e-15 * terms).all()


def test_a_sketch_with_one_wrong_sign_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terms excuse no fault."""
    sketch = PolynomialCountSketch(n_components=16, random_state=0).fit(X)
    wrong = copy.deepcopy(sketch)
    wrong.bitHash_[0, 1] *= -1
    lowering = kernels.polynomial_count_sketch
    monkeypatch.setitem(_TABLE, (PolynomialCountSketch, "transform"), lambda _, x: lowering(wrong, x))
    with pytest.raises(ParityError):
        twin_of(sketch, X)


def test_centerer_of_a_precomputed_kernel() -> None:
    kernel = rbf_kernel(X, X[:30])
    square = rbf_kernel(X[:30])
    assert levels(twin_of(KernelCenterer().fit(square), kernel)) == {"transform": "bit"}


def test_in_a_pipeline() -> None:
    # Points that the kernel tells apart: of others the step before has noise, which the next step is not told of.
    pipeline = make_pipeline(MinMaxScaler(), Nystroem(gamma=20.0, n_components=10, random_state=0), Ridge())
    assert levels(twin_of(pipeline.fit(X, Y), X)) == {"predict": "ulp"}


CLOSE = np.random.default_rng(0).random((120, 3))
"""Points so near to each other that the default gamma hardly tells them apart."""


@pytest.mark.parametrize(
    "model",
    [
        Nystroem(n_components=60, random_state=0),
        Nystroem(kernel="poly", n_components=40, random_state=0),
        Nystroem(kernel="laplacian", gamma=1e-5, n_components=60, random_state=0),
        KernelRidge(kernel="rbf", alpha=1e-10),
        KernelPCA(kernel="poly", degree=5),
    ],
    ids=repr,
)
def test_points_that_a_kernel_hardly_tells_apart(model: Any) -> None:
    """Their weights are large, and cancel; the proof says what it is held to."""
    proof = twin_of(model.fit(CLOSE, CLOSE[:, 0]), CLOSE).proof
    (output,) = proof.outputs.values()
    assert proof.level == "ulp"
    assert output.terms > 10
    assert "a sum of terms up to" in str(proof)


def test_of_such_points_scikit_learn_is_no_nearer_to_the_truth() -> None:
    """The truth is the map itself in 80 bits, of scikit-learn's own weights."""
    model = Nystroem(n_components=60, random_state=0).fit(CLOSE)
    rows = np.random.default_rng(1).random((50, 3))
    wide, basis, weights = (part.astype(np.longdouble) for part in (rows, model.components_, model.normalization_))
    kernel = np.exp(-((wide[:, np.newaxis] - basis) ** 2).sum(axis=2) / np.longdouble(3))
    truth = kernel @ weights.T
    terms = (kernel @ np.abs(weights.T)).max(axis=1, keepdims=True)
    theirs = np.abs(model.transform(rows) - truth)
    ours = np.abs(model_of(twin_of(model, CLOSE)).transform(rows) - truth)
    assert (theirs > 1e-12 * np.maximum(np.abs(truth), np.abs(truth).max() / 1000)).mean() > 0.1
    assert (theirs <= 1e-15 * terms).all()
    assert (ours <= 1e-15 * terms).all()


def test_one_wrong_weight_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terms excuse no fault."""
    model = Nystroem(n_components=60, random_state=0).fit(CLOSE)
    wrong = copy.deepcopy(model)
    wrong.normalization_[3, 7] *= 1 + 1e-9
    lowering = kernels.nystroem
    monkeypatch.setitem(_TABLE, (Nystroem, "transform"), lambda _, x: lowering(wrong, x))
    with pytest.raises(ParityError):
        twin_of(model, CLOSE)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exponential": lambda a, b: float(np.exp(-np.abs(a - b).sum())),
    "math": lambda a, b: math.exp(-0.1 * sum((p - q) ** 2 for p, q in zip(a, b, strict=True))),
    "dot": np.dot,
    "minimum": lambda a, b: np.minimum(a**2, b**2).sum() + 1,
    "distance": lambda a, b: 1 / (1 + distance.sqeuclidean(a, b)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_two_rows(name: str) -> None:
    models = [
        KernelRidge(kernel=FUNCTIONS[name]),
        KernelPCA(3, kernel=FUNCTIONS[name]),
        Nystroem(kernel=FUNCTIONS[name], n_components=4, random_state=0),
    ]
    for model in models:
        assert set(levels(twin_of(model.fit(X[:40], Y[:40]), X[:60])).values()) <= {"bit", "ulp"}


def test_a_function_is_given_its_own_parameters_alone() -> None:
    def kernel(a: Any, b: Any, scale: float = 1.0) -> Any:
        return np.exp(-scale * ((a - b) ** 2).sum())

    for model in (KernelRidge, KernelPCA, Nystroem):
        made = model(kernel=kernel, kernel_params={"scale": 0.2}, **({"n_components": 5} if model is Nystroem else {}))
        assert set(levels(twin_of(made.fit(X[:40], Y[:40]), X[:60])).values()) <= {"bit", "ulp"}


def test_a_kernel_of_gaussian_processes() -> None:
    model = KernelRidge(kernel=RBF(2.0) + WhiteKernel()).fit(X[:40], Y[:40])
    assert levels(twin_of(model, X[:60])) == {"predict": "ulp"}


def test_precomputed_kernels() -> None:
    kernel = rbf_kernel(X, X[:60])
    for model in (
        KernelRidge(kernel="precomputed"),
        KernelPCA(4, kernel="precomputed"),
        Nystroem(kernel="precomputed", n_components=60),
    ):
        assert set(levels(twin_of(model.fit(kernel[:60], Y[:60]), kernel)).values()) <= {"bit", "ulp"}


def test_a_function_that_cannot_be_traced_is_refused() -> None:
    model = KernelRidge(kernel=lambda a, b: 1.0 if (a == b).all() else 0.0).fit(X, Y)
    with pytest.raises(UnsupportedError, match="found <lambda>: it decides by the numbers' values: use numpy"):
        twin_of(model, X)


@pytest.mark.parametrize("kernel", KERNELS)
def test_points_that_were_sparse(kernel: str) -> None:
    """Behind an encoder that answers sparse rows they are kept as they came."""
    levels_of = RNG.integers(0, 4, size=(60, 3)).astype(float)
    model = make_pipeline(OneHotEncoder(), Nystroem(kernel=kernel, n_components=8, random_state=0)).fit(levels_of)
    assert levels(twin_of(model, levels_of))["transform"] in ("bit", "ulp")
