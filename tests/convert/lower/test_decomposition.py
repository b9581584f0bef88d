"""Projections: the PCA family, factor analysis, ICA, sparse PCA."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
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
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .twins import levels, twin_of

RNG = np.random.default_rng(5)
X = RNG.normal(size=(150, 6)) @ RNG.normal(size=(6, 6)) + RNG.normal(size=6)
POSITIVE = np.abs(X)


@pytest.mark.parametrize(
    "model",
    [
        PCA(),
        PCA(3),
        PCA(0.9, svd_solver="full"),
        PCA(2, whiten=True),
        PCA(3, svd_solver="randomized", random_state=0),
        PCA(3, svd_solver="arpack", random_state=0),
        PCA(3, svd_solver="covariance_eigh", whiten=True),
        IncrementalPCA(3, batch_size=40),
        IncrementalPCA(3, whiten=True),
        TruncatedSVD(1, random_state=0),
        TruncatedSVD(4, algorithm="arpack", random_state=0),
        FactorAnalysis(2),
        FactorAnalysis(3, rotation="varimax", svd_method="lapack"),
        FastICA(3, random_state=0, whiten="unit-variance", max_iter=5000, tol=1e-2),
        FastICA(2, random_state=0, whiten="arbitrary-variance", algorithm="deflation", max_iter=2000),
        SparsePCA(2, random_state=0, max_iter=30),
        MiniBatchSparsePCA(3, random_state=0, alpha=0.5, ridge_alpha=0.1),
    ],
    ids=repr,
)
def test_projections(model: Any) -> None:
    twin = twin_of(model.fit(X), X)
    assert set(levels(twin)) == {m for m in ("score_samples", "transform") if hasattr(model, m)}
    assert twin.proof.level in ("bit", "ulp")
    assert not twin.scope.fallbacks
    # Of one row SparsePCA answers [components], of more [N, components].
    assert twin.manifest.outputs[-1].shape == model.transform(X).shape[1:]


def test_ica_of_whitened_data() -> None:
    white = PCA(whiten=True).fit_transform(X)
    model = FastICA(random_state=0, whiten=False, max_iter=2000, tol=0.01).fit(white)
    assert twin_of(model, white).proof.level in ("bit", "ulp")


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid", "cosine"])
def test_kernel_pca(kernel: str) -> None:
    model = KernelPCA(3, kernel=kernel, degree=2, gamma=0.05, coef0=0.5)
    assert twin_of(model.fit(X), X).proof.level in ("bit", "ulp")


def test_kernel_pca_keeps_its_null_space_out() -> None:
    assert twin_of(KernelPCA(4, kernel="linear", remove_zero_eig=True).fit(X), X).proof.level == "ulp"


@pytest.mark.parametrize("kernel", ["poly", "rbf", "cosine"])
def test_kernel_pca_of_every_component(kernel: str) -> None:
    """Those of the smallest eigenvalues are sums of terms that are far larger."""
    assert twin_of(KernelPCA(kernel=kernel).fit(X[:100]), X).proof.level == "ulp"


def test_in_a_pipeline_of_a_frame() -> None:
    frame = pd.DataFrame(X, columns=["a b", "ä", "x:y", "1", "", "f"])
    frame["constant"] = 3.0
    pipeline = make_pipeline(StandardScaler(), PCA(2, whiten=True), LogisticRegression())
    twin = twin_of(pipeline.fit(frame, np.where(X[:, 0] > 0, "yes", "no")), frame)
    assert twin.proof.level in ("bit", "ulp")


def test_one_feature() -> None:
    assert levels(twin_of(PCA().fit(X[:, :1]), X[:, :1])).keys() == {"score_samples", "transform"}
