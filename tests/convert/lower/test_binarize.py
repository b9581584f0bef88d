"""Binarizer and Normalizer beside their twins."""

from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, Normalizer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from .samples import THREE, X
from .twins import levels, twin_of


@pytest.mark.parametrize("threshold", [0.0, 0.5, -1])
def test_binarizer(threshold: Any) -> None:
    assert levels(twin_of(Binarizer(threshold=threshold).fit(X), X)) == {"transform": "bit"}
    pipeline = make_pipeline(StandardScaler(), Binarizer(threshold=threshold), DecisionTreeClassifier(random_state=0))
    twin = twin_of(pipeline.fit(X, THREE), X)
    assert levels(twin)["predict_proba"] == "bit"
    assert "computed" not in twin.scope.folded[0]


@pytest.mark.parametrize("width", [1, 5, 20, 140])
@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_normalizer(norm: str, width: int) -> None:
    """l2 goes through einsum, whose order is the processor's."""
    wide = np.tile(X, (1, 60))[:, :width] * np.linspace(0.5, 2, width)
    wide[:3] = 0.0
    wide[3] = 1e-17
    allowed = ("bit", "ulp") if norm == "l2" else ("bit",)
    assert levels(twin_of(Normalizer(norm).fit(wide), wide))["transform"] in allowed
