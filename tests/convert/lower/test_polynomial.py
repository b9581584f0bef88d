"""PolynomialFeatures beside its twin."""

from typing import Any

import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures
from sklearn.tree import DecisionTreeRegressor

from .samples import NUMBER, X
from .twins import levels, twin_of


@pytest.mark.parametrize("include_bias", [True, False], ids=["bias", "none"])
@pytest.mark.parametrize("interaction_only", [True, False], ids=["interactions", "powers"])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 5, (0, 1), (1, 3), (2, 3), (3, 3), (2, 7)], ids=str)
def test_degrees(degree: Any, interaction_only: bool, include_bias: bool) -> None:
    if degree == 0 and not include_bias:
        return  # scikit-learn refuses to make nothing
    features = PolynomialFeatures(degree, interaction_only=interaction_only, include_bias=include_bias)
    assert levels(twin_of(features.fit(X), X)) == {"transform": "bit"}


def test_one_column() -> None:
    assert levels(twin_of(PolynomialFeatures(4).fit(X[:, :1]), X[:, :1])) == {"transform": "bit"}


def test_before_a_model() -> None:
    linear = make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(X, NUMBER)
    assert twin_of(linear, X).proof.level == "ulp"
    tree = make_pipeline(PolynomialFeatures(2), DecisionTreeRegressor(random_state=0)).fit(X, NUMBER)
    assert twin_of(tree, X).proof.level == "bit"


def test_of_sparse_columns() -> None:
    """scikit-learn has another way there, with the same products."""
    codes = X[:, :2].round().clip(-1, 1)
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), PolynomialFeatures(3)).fit(codes)
    assert levels(twin_of(pipeline, codes)) == {"transform": "bit"}
