"""Generalised linear models beside their twins."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from .twins import levels, twin_of

rng = np.random.default_rng(5)
X = rng.normal(size=(200, 5))
RATE = np.exp(X @ np.array([0.5, -0.3, 0.0, 0.2, 0.1]) + 0.4)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (PoissonRegressor(), rng.poisson(RATE)),
        (PoissonRegressor(alpha=0, fit_intercept=False), rng.poisson(RATE)),
        (GammaRegressor(solver="newton-cholesky"), rng.gamma(2.0, RATE)),
        (TweedieRegressor(), rng.gamma(2.0, RATE)),
        (TweedieRegressor(power=1.5), rng.gamma(2.0, RATE)),
        (TweedieRegressor(power=3), rng.gamma(2.0, RATE)),
        (TweedieRegressor(power=0, link="log"), rng.gamma(2.0, RATE)),
        (TweedieRegressor(power=0, link="identity"), X @ np.ones(5)),
    ],
    ids=lambda value: repr(value) if hasattr(value, "fit") else "",
)
def test_a_generalised_linear_model(model: Any, y: Any) -> None:
    assert levels(twin_of(model.fit(X, y), X)) == {"predict": "ulp"}
    assert twin_of(model.fit(X[:, :1], y), X[:, :1]).proof.level in ("bit", "ulp")
