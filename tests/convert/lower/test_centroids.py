"""NearestCentroid and KernelDensity."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KernelDensity, NearestCentroid

from convert import UnsupportedError

from .twins import levels, twin_of

RNG = np.random.default_rng(16)
X = RNG.normal(size=(120, 3)) @ RNG.normal(size=(3, 3))
THREE = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.7])]
METHODS = {"predict", "predict_proba", "predict_log_proba", "decision_function"}


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("priors", ["uniform", "empirical", [0.2, 0.5, 0.3]])
@pytest.mark.parametrize("shrink", [None, 0.3])
def test_nearest_centroid(metric: Any, priors: Any, shrink: Any) -> None:
    model = NearestCentroid(metric=metric, priors=priors, shrink_threshold=shrink)
    # Of distances along the axes scikit-learn makes no probabilities.
    expected = METHODS if metric == "euclidean" else {"predict"}
    assert set(levels(twin_of(model.fit(X, THREE), X))) == expected


@pytest.mark.parametrize("priors", ["uniform", "empirical"])
def test_a_pair_of_classes(priors: Any) -> None:
    model = NearestCentroid(priors=priors).fit(X, X[:, 1] > 0.2)
    assert set(levels(twin_of(model, X))) == METHODS


def test_differences_of_squares_are_held_to_the_squares() -> None:
    """A frame's rows do not lie one after the other, and NumPy adds their squares in another order: far out that is
    much of what parts two distances."""
    frame = pd.DataFrame(np.random.default_rng(16).normal(size=(120, 9)), columns=[f"x{index}" for index in range(9)])
    twin = twin_of(NearestCentroid().fit(frame, frame["x1"] > 0.2), frame)
    assert twin.proof.level == "ulp"
    assert twin.proof.outputs["predict_log_proba"].terms > 0


@pytest.mark.parametrize("kernel", ["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"])
@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_kernel_density(kernel: Any, algorithm: Any) -> None:
    model = KernelDensity(bandwidth=1.3, kernel=kernel, algorithm=algorithm).fit(X[:60])
    assert levels(twin_of(model, X[60:]))["score_samples"] in ("bit", "ulp")


@pytest.mark.parametrize("kernel", ["epanechnikov", "linear", "cosine"])
def test_where_no_point_is_within_reach_scikit_learn_leaves_a_rounding(kernel: Any) -> None:
    """Of a tree of several nodes; the twin says that the density is zero."""
    rows = np.random.default_rng(3).normal(size=(150, 5))
    model = KernelDensity(bandwidth=2.0, kernel=kernel).fit(rows)
    twin = twin_of(model, rows)
    assert twin.proof.outputs["score_samples"].saturated > 0
    assert "within the bound as probabilities or densities" in str(twin.proof)


def test_weighted_density_by_another_metric() -> None:
    model = KernelDensity(bandwidth="scott", metric="manhattan")
    model.fit(X[:60], sample_weight=RNG.uniform(0.5, 2.0, size=60))
    assert levels(twin_of(model, X[60:]))["score_samples"] in ("bit", "ulp")


def test_an_approximate_density_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="set them to zero"):
        twin_of(KernelDensity(rtol=1e-3).fit(X), X)
