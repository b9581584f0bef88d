"""PowerTransformer beside its twin."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer

from .samples import BINARY, GAPS, THREE, X
from .twins import levels, twin_of

POSITIVE = np.exp(X)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_methods(method: str, standardize: bool) -> None:
    data = POSITIVE if method == "box-cox" else X
    assert twin_of(PowerTransformer(method, standardize=standardize).fit(data), data).proof.level == "ulp"


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("powers", [[0, 1, 2, -1, 0.5], [1e-17, 2 + 1e-17, 2.5, -2.5, 1e-20]], ids=["plain", "near"])
def test_powers_that_have_a_case_of_their_own(method: str, powers: list[float]) -> None:
    data = POSITIVE if method == "box-cox" else X
    transformer = PowerTransformer(method, standardize=False).fit(data)
    transformer.lambdas_ = np.array(powers)
    twin_of(transformer, data)


def test_missing_values_stay() -> None:
    twin = twin_of(PowerTransformer().fit(GAPS), GAPS)
    assert twin.manifest.inputs[0].missing


def test_box_cox_takes_positive_numbers_only() -> None:
    frame = pd.DataFrame({"a": POSITIVE[:, 0]})
    (feature,) = twin_of(PowerTransformer("box-cox").fit(frame), frame).manifest.inputs
    assert feature.range is not None
    assert feature.range[0] > 0


def test_before_a_classifier() -> None:
    twin = twin_of(make_pipeline(PowerTransformer(), LogisticRegression()).fit(X, BINARY), X)
    assert levels(twin)["predict"] == "bit"


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("data", [X, GAPS], ids=["whole", "missing"])
def test_trees_ask_the_requests_own_value(data: np.ndarray, method: str) -> None:
    """So that a forest behind it is exact, though logarithms are not."""
    data = np.exp(data) if method == "box-cox" else data
    pipeline = make_pipeline(PowerTransformer(method), RandomForestClassifier(7, random_state=0)).fit(data, THREE)
    twin = twin_of(pipeline, data)
    assert levels(twin)["predict_proba"] == "bit"
    assert "computed" not in twin.scope.folded[-1]


def test_a_power_that_was_fitted_on_float32() -> None:
    """Lambda is a float32 then, and 2 - lambda another number than in float64."""
    frame = pd.DataFrame(X[:, :1].astype(np.float32), columns=["a"])
    twin_of(PowerTransformer().fit(frame), frame)
    pipeline = make_pipeline(PowerTransformer(), RandomForestClassifier(4, random_state=0)).fit(frame, THREE)
    assert levels(twin_of(pipeline, frame))["predict_proba"] == "bit"
