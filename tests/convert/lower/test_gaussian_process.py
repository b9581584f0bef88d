"""Gaussian processes with every kernel and composition of kernels."""

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS
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
from sklearn.naive_bayes import GaussianNB
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


@pytest.mark.parametrize("kernel", [RBF(), DotProduct(), RBF(2.0) + WhiteKernel(0.1)], ids=repr)
def test_regressor_of_hardly_any_noise(kernel: Any) -> None:
    """Its weights are large and cancel: it is held to the bound of a thousandth of what is added."""
    proof = twin_of(GaussianProcessRegressor(kernel, optimizer=None).fit(X, Y), X).proof
    assert proof.outputs["predict"].terms > 10


@pytest.mark.parametrize(
    "kernel",
    [
        *(None, SEVERAL[3], SEVERAL[7], DotProduct(0.8)),
        *(pytest.param(SEVERAL[place], marks=pytest.mark.slow) for place in (0, 1, 2, 4, 5, 6, 8)),
    ],
    ids=repr,
)
def test_classifier(kernel: Any) -> None:
    """Of some kernels; all of a regressor are above, and all of a classifier are slow."""
    model = GaussianProcessClassifier(kernel, optimizer=None, random_state=0)
    twin = twin_of(model.fit(X, np.where(Y > 1, "yes", "no")), X)
    assert twin.proof.outputs["predict"].label_mismatches == 0
    assert twin.proof.outputs["predict_proba"].max_abs < 1e-12


OF_PAIRS = [
    *(PairwiseKernel(gamma=0.1, metric=metric) for metric in ("linear", "polynomial", "rbf", "cosine")),
    PairwiseKernel(gamma=0.01, metric="sigmoid"),
    PairwiseKernel(gamma=0.4, metric="laplacian"),
    PairwiseKernel(gamma=0.4, metric=lambda a, b, gamma: np.exp(-gamma * np.abs(a - b).sum())),
]


@pytest.mark.parametrize("kernel", OF_PAIRS, ids=lambda kernel: getattr(kernel.metric, "__name__", kernel.metric))
def test_pairwise_kernels(kernel: Any) -> None:
    """A classifier asks for the kernel of each row and itself, which scikit-learn makes row by row."""
    model = GaussianProcessClassifier(kernel, optimizer=None).fit(X, Y > 1)
    twin = twin_of(model, X)
    assert twin.proof.outputs["predict"].label_mismatches == 0
    assert set(levels(twin)) == {"predict", "predict_proba"}
    assert levels(twin_of(regressor(kernel).fit(X, Y), X))["predict"] in ("bit", "ulp")


def exact_erf(x: Decimal) -> Decimal:
    """Its Taylor series."""
    term, total, n = x, x, 0
    while abs(term) > Decimal("1e-25"):
        n += 1
        term *= -x * x / n
        total += term / (2 * n + 1)
    return total * 2 / Decimal("3.14159265358979323846264338327950288419716939937510").sqrt()


def test_of_a_probability_scikit_learn_itself_has_fewer_digits() -> None:
    """From its own latent mean and variance: five error functions, weighted by thousands, added exactly."""
    model = GaussianProcessClassifier(RBF(), optimizer=None).fit(X, Y > 1)
    off = []
    with localcontext(prec=40):
        for mean, variance, found in zip(
            *model.latent_mean_and_variance(X[:20]), model.predict_proba(X[:20])[:, 1], strict=True
        ):
            alpha = 1 / (2 * Decimal(variance))
            exact = Decimal(float(COEFS.sum()) / 2)
            for weight, scale in zip(COEFS.ravel().tolist(), LAMBDAS.ravel().tolist(), strict=True):
                inner = Decimal(scale) * Decimal(mean) * (alpha / (alpha + Decimal(scale) ** 2)).sqrt()
                exact += Decimal(weight) * exact_erf(inner) / 2
            off.append(abs(float((Decimal(found) - exact) / exact)))
    assert max(off) > 1e-12


def test_classifier_of_three_classes() -> None:
    frame = pd.DataFrame(X, columns=["a", "b c", "ü"])
    model = make_pipeline(StandardScaler(), GaussianProcessClassifier(random_state=0, optimizer=None))
    twin = twin_of(model.fit(frame, np.digitize(Y, [0.5, 1.5])), frame)
    assert set(levels(twin)) == {"predict", "predict_proba"}


def test_among_voters() -> None:
    """What cancels in one of them cancels in their mean."""
    members = [("g", GaussianProcessClassifier(optimizer=None)), ("n", GaussianNB())]
    twin = twin_of(VotingClassifier(members, voting="soft", weights=[3, 1]).fit(X, np.digitize(Y, [0.5, 1.5])), X)
    assert twin.proof.outputs["predict_proba"].terms > 1000


def test_classifier_of_pairs_has_no_probabilities() -> None:
    model = GaussianProcessClassifier(multi_class="one_vs_one", optimizer=None).fit(X, np.digitize(Y, [0.5, 1.5]))
    assert levels(twin_of(model, X)) == {"predict": "bit"}


def test_a_bessel_function_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="Bessel"):
        twin_of(regressor(Matern(nu=0.7)).fit(X, Y), X)
