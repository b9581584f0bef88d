"""Gaussian processes with every kernel and composition of kernels."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Kernel,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert import UnsupportedError

from .twins import levels, twin_of

RNG = np.random.default_rng(15)
X = RNG.normal(size=(60, 3))
Y = np.sin(X[:, 0]) + X[:, 1] ** 2 + RNG.normal(scale=0.1, size=60)
SEVERAL = [
    RBF(1.5),
    RBF([1.0, 2.0, 0.5]),
    Matern(1.2, nu=0.5),
    Matern([1.0, 2.0, 0.5], nu=1.5),
    Matern(nu=2.5),
    Matern(nu=np.inf),
    RationalQuadratic(1.5, alpha=0.7),
    ConstantKernel(2.0) * RBF() + WhiteKernel(0.3),
    RBF() * DotProduct() + Matern() ** 0.5,
    PairwiseKernel(gamma=0.4, metric="laplacian"),
]


def regressor(kernel: Kernel | None, **options: Any) -> GaussianProcessRegressor:
    """Noise enough that the kernel's matrix is well conditioned; else its rounding is what one sees."""
    return GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None, **options)


@pytest.mark.parametrize("kernel", [None, *SEVERAL], ids=repr)
@pytest.mark.parametrize("normalize", [False, True])
def test_regressor(kernel: Any, normalize: bool) -> None:
    twin = twin_of(regressor(kernel, normalize_y=normalize).fit(X, Y), X)
    assert levels(twin)["predict"] in ("bit", "ulp")


def test_periodic_kernel_of_bounded_numbers() -> None:
    """The sine of 1e30 depends on every bit of it."""
    model = regressor(ExpSineSquared(1.2, periodicity=2.0))
    angles = np.arctan2(X[:, :1], X[:, 1:2])
    assert levels(twin_of(model.fit(angles, Y), angles))["predict"] in ("bit", "ulp")


def test_several_targets_and_a_tuned_kernel() -> None:
    kernel = 1.0 * RBF() + WhiteKernel(0.5, noise_level_bounds="fixed")
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    twin = twin_of(model.fit(X, np.column_stack([Y, X[:, 2]])), X)
    assert levels(twin)["predict"] in ("bit", "ulp")


@pytest.mark.parametrize("kernel", [DotProduct(0.8), DotProduct() ** 2], ids=repr)
def test_regressor_with_few_dimensions_and_much_noise(kernel: Any) -> None:
    """Its weights cancel in three or six dimensions; noise keeps them small."""
    model = GaussianProcessRegressor(kernel, alpha=100.0, optimizer=None)
    assert levels(twin_of(model.fit(X, Y), X))["predict"] in ("bit", "ulp")


NOISE = 1e-8
"""scikit-learn adds five terms of thousands to a probability: what is left has twelve digits after the point."""


@pytest.mark.parametrize("kernel", [None, *SEVERAL[:-1], DotProduct(0.8)], ids=repr)
def test_classifier(kernel: Any) -> None:
    model = GaussianProcessClassifier(kernel, optimizer=None, random_state=0)
    twin = twin_of(model.fit(X, np.where(Y > 1, "yes", "no")), X, tolerance=NOISE)
    assert twin.proof.outputs["predict"].label_mismatches == 0
    assert twin.proof.outputs["predict_proba"].max_abs < 4e-12


def test_classifier_of_three_classes() -> None:
    frame = pd.DataFrame(X, columns=["a", "b c", "ü"])
    model = make_pipeline(StandardScaler(), GaussianProcessClassifier(random_state=0, optimizer=None))
    twin = twin_of(model.fit(frame, np.digitize(Y, [0.5, 1.5])), frame, tolerance=NOISE)
    assert set(levels(twin)) == {"predict", "predict_proba"}


def test_classifier_of_pairs_has_no_probabilities() -> None:
    model = GaussianProcessClassifier(multi_class="one_vs_one", optimizer=None).fit(X, np.digitize(Y, [0.5, 1.5]))
    assert levels(twin_of(model, X)) == {"predict": "bit"}


def test_a_bessel_function_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="Bessel"):
        twin_of(regressor(Matern(nu=0.7)).fit(X, Y), X)
