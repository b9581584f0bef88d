"""Gaussian mixtures of every covariance type."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .twins import levels, twin_of

RNG = np.random.default_rng(9)
X = np.concatenate([RNG.normal(loc=centre, size=(60, 4)) @ RNG.normal(size=(4, 4)) for centre in (-2.0, 1.0, 4.0)])
METHODS = {"predict", "predict_proba", "score_samples"}


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("components", [1, 3])
def test_gaussian_mixture(covariance: Any, components: int) -> None:
    model = GaussianMixture(components, covariance_type=covariance, random_state=0)
    twin = twin_of(model.fit(X), X)
    assert set(levels(twin)) == METHODS
    assert levels(twin)["predict"] == "bit"


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("prior", ["dirichlet_process", "dirichlet_distribution"])
def test_bayesian_mixture(covariance: Any, prior: Any) -> None:
    model = BayesianGaussianMixture(
        n_components=3,
        covariance_type=covariance,
        weight_concentration_prior_type=prior,
        random_state=0,
        max_iter=500,
        tol=0.1,
    )
    assert set(levels(twin_of(model.fit(X), X))) == METHODS


@pytest.mark.parametrize("width", [1, 9])
def test_other_widths(width: int) -> None:
    data = RNG.normal(size=(120, width)) + np.repeat([[-2.0], [2.0]], 60, axis=0)
    frame = pd.DataFrame(data, columns=[f"x [{i}]" for i in range(width)])
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    assert set(levels(twin_of(pipeline.fit(frame), frame))) == METHODS
