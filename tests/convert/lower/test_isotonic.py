"""Isotonic regression beside its twins."""

from typing import Any

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from convert.errors import UnsupportedError

from .twins import levels, model_of, twin_of

rng = np.random.default_rng(2)
X = rng.normal(size=(150, 1)) * 10
Y = X[:, 0] + rng.normal(size=150) * 5


@pytest.mark.parametrize("out_of_bounds", ["nan", "clip", "raise"])
@pytest.mark.parametrize("increasing", [True, False, "auto"])
def test_every_bound_and_direction(out_of_bounds: Any, increasing: Any) -> None:
    model = IsotonicRegression(out_of_bounds=out_of_bounds, increasing=increasing).fit(X, Y)
    assert levels(twin_of(model, X)) == {"predict": "bit", "transform": "bit"}


@pytest.mark.parametrize("out_of_bounds", ["nan", "clip"])
def test_a_constant(out_of_bounds: Any) -> None:
    model = IsotonicRegression(out_of_bounds=out_of_bounds).fit(np.full((20, 1), 3.0), Y[:20])
    assert len(model.X_thresholds_) == 1
    assert levels(twin_of(model, np.full((20, 1), 3.0)))["predict"] == "bit"


def test_limits_and_ties() -> None:
    rounded = np.round(X)
    model = IsotonicRegression(y_min=-3, y_max=4, out_of_bounds="clip").fit(rounded, Y)
    assert levels(twin_of(model, rounded))["predict"] == "bit"


def test_outside_is_nan_where_scikit_learn_says_so() -> None:
    model = IsotonicRegression(out_of_bounds="nan").fit(X, Y)
    far = np.array([[-1e9], [X.min()], [X.max()], [1e9]])
    found = model_of(twin_of(model, X)).predict(far)
    assert np.isnan(found).tolist() == [True, False, False, True]


@pytest.mark.parametrize("out_of_bounds", ["nan", "clip"])
def test_one_trained_on_float32_computes_in_float32(out_of_bounds: Any) -> None:
    model = IsotonicRegression(out_of_bounds=out_of_bounds).fit(X.astype(np.float32), Y)
    assert model.X_thresholds_.dtype == np.float32
    assert levels(twin_of(model, X.astype(np.float32).astype(np.float64))) == {"predict": "bit", "transform": "bit"}


def test_thresholds_too_near_each_other_are_refused() -> None:
    near = np.array([[0.0], [1e-10], [1.0]])
    model = IsotonicRegression(out_of_bounds="clip").fit(near, [0.0, 1e300, 2e300])
    with np.errstate(all="ignore"), pytest.raises(UnsupportedError, match="finite slopes"):
        twin_of(model, near)
