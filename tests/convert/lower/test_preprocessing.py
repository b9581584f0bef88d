"""Scalers beside their twins."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from .samples import GAPS, THREE, X
from .twins import levels, twin_of

SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    StandardScaler(with_mean=False, with_std=False),
    RobustScaler(),
    RobustScaler(with_centering=False, quantile_range=(10, 60)),
    RobustScaler(with_scaling=False),
    RobustScaler(unit_variance=True),
    MinMaxScaler(),
    MinMaxScaler((-3, 0.7), clip=True),
    MaxAbsScaler(),
    MaxAbsScaler(clip=True),
]


def name(scaler: Any) -> str:
    return f"{scaler!r}".replace(" ", "").replace("\n", "")


@pytest.mark.parametrize("scaler", SCALERS, ids=name)
def test_scalers(scaler: Any) -> None:
    """Missing values go through; a constant column is not divided by nothing."""
    data = np.column_stack([GAPS, np.full(len(X), 3.0)])
    assert levels(twin_of(scaler.fit(data), data)) == {"transform": "bit"}


@pytest.mark.parametrize("scaler", SCALERS, ids=name)
def test_scalers_fold_into_trees(scaler: Any) -> None:
    frame = pd.DataFrame(GAPS, columns=["a b", "", "1", "ä", "x"])
    twin = twin_of(make_pipeline(scaler, RandomForestClassifier(5, random_state=0)).fit(frame, THREE), frame)
    assert levels(twin)["predict_proba"] == "bit"
    plain = not getattr(scaler, "with_mean", True) and not getattr(scaler, "with_std", True)
    assert plain or twin.scope.folded[0].startswith("5 preprocessed columns")
