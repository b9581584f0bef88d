"""Selection, rows of length one, power and quantile transforms, target encoding: each beside scikit-learn."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
    f_regression,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    TargetEncoder,
)

from tests.convert.lower.twins import levels, twin_of

RNG = np.random.default_rng(2)
X = np.column_stack([RNG.normal(size=150), RNG.exponential(size=150), RNG.integers(0, 6, 150), RNG.normal(3, 9, 150)])
Y = X[:, 0] * 2 + X[:, 1] - X[:, 2] * 0.3
LABELS = np.array(["a", "b", "c"])[np.digitize(Y, [-0.5, 1.0])]


@pytest.mark.parametrize(
    "selector",
    [
        VarianceThreshold(1.5),
        SelectKBest(f_regression, k=2),
        SelectPercentile(f_regression, percentile=50),
        SelectFdr(f_regression, alpha=0.5),
        SelectFwe(f_regression, alpha=0.5),
        GenericUnivariateSelect(f_regression, mode="k_best", param=1),
        SelectFromModel(LinearRegression()),
        SequentialFeatureSelector(LinearRegression(), n_features_to_select=2),
    ],
    ids=lambda selector: type(selector).__name__,
)
def test_selectors_choose_columns(selector: Any) -> None:
    """And nothing else: a forest behind one still compares the request's own values."""
    assert levels(twin_of(selector.fit(X, Y), X)) == {"transform": "bit"}
    forest = make_pipeline(selector, RandomForestRegressor(3, random_state=0)).fit(X, Y)
    assert twin_of(forest, X).proof.level == "bit"


@pytest.mark.parametrize("selector", [RFE(LogisticRegression()), RFECV(LogisticRegression(), cv=3)])
def test_recursive_elimination_predicts_too(selector: Any) -> None:
    """With the estimator that was fitted on what is left."""
    found = levels(twin_of(selector.fit(X, LABELS), X))
    assert found["transform"] == "bit"
    assert {"predict", "predict_proba", "decision_function"} <= found.keys()


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_rows_of_length_one(norm: str) -> None:
    """A row of zeros stays one."""
    zeros = np.vstack([X, np.zeros((1, 4))])
    twin_of(Normalizer(norm=norm).fit(zeros), zeros)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_powers(method: str, standardize: bool) -> None:
    """Box-Cox takes positive numbers alone, and so does its twin."""
    data = np.abs(X[:, :2]) + 0.1 if method == "box-cox" else X
    twin_of(PowerTransformer(method=method, standardize=standardize).fit(data), data)


@pytest.mark.parametrize("power", [0.0, 2.0, 1.0, -1.5])
def test_powers_at_which_the_formula_changes(power: float) -> None:
    """Yeo-Johnson is a logarithm at 0 for what is positive and at 2 for what is negative."""
    transformer = PowerTransformer(standardize=False).fit(X[:, :1])
    transformer.lambdas_[:] = power
    twin_of(transformer, X[:, :1])


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_quantiles(distribution: str) -> None:
    """Repeated quantiles are the mean of both ways; what lies outside is an end."""
    transformer = QuantileTransformer(n_quantiles=40, output_distribution=distribution, random_state=0).fit(X)
    found = levels(twin_of(transformer, X))
    assert found == {"transform": "bit"} if distribution == "uniform" else found.keys() == {"transform"}


@pytest.mark.parametrize("target", [Y, LABELS, (Y > 0).astype(int)], ids=["continuous", "multi-class", "binary"])
def test_target_encoding(target: Any) -> None:
    """Of strings with unseen and missing ones, and of numbers."""
    frame = pd.DataFrame({"s": RNG.choice(["u", "v", "w"], 150), "n": X[:, 2].astype(int)})
    frame.loc[::17, "s"] = None
    encoder = TargetEncoder(random_state=0).fit(frame, target)
    assert levels(twin_of(encoder, frame)) == {"transform": "bit"}
