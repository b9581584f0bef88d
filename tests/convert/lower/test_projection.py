"""Random projections."""

from typing import Any

import numpy as np
import pytest
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from .twins import levels, twin_of

X = np.random.default_rng(13).normal(size=(100, 8))


@pytest.mark.parametrize(
    "model",
    [
        GaussianRandomProjection(3, random_state=0),
        SparseRandomProjection(4, random_state=0),
        SparseRandomProjection(4, density=1.0, dense_output=True, random_state=0),
    ],
    ids=repr,
)
def test_random_projections(model: Any) -> None:
    twin = twin_of(model.fit(X), X)
    assert levels(twin)["transform"] in ("bit", "ulp")
    assert not twin.scope.fallbacks
