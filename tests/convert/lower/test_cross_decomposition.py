"""Partial least squares and canonical correlation."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression

from .twins import levels, twin_of

RNG = np.random.default_rng(12)
X = RNG.normal(size=(120, 5)) + RNG.normal(size=5)
Y = X @ RNG.normal(size=(5, 3)) + RNG.normal(scale=0.3, size=(120, 3))


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("make", [CCA, PLSCanonical, PLSRegression, PLSSVD])
def test_several_targets(make: Any, scale: bool) -> None:
    twin = twin_of(make(2, scale=scale).fit(X, Y), X)
    assert set(levels(twin)) == ({"transform"} if make is PLSSVD else {"predict", "transform"})
    assert not twin.scope.fallbacks


@pytest.mark.parametrize("make", [CCA, PLSCanonical, PLSRegression])
def test_one_target_from_a_frame(make: Any) -> None:
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(5)])
    assert set(levels(twin_of(make(1).fit(frame, Y[:, 0]), frame))) == {"predict", "transform"}
    assert set(levels(twin_of(make(1).fit(X, Y[:, :1]), X))) == {"predict", "transform"}
