"""Bagging: columns drawn for each member, and members that have not seen every class."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.convert.lower.samples import GAPS, NUMBER, THREE, TWO_NUMBERS, YES_NO, X
from tests.convert.lower.twins import levels, twin_of

COLUMNS = [{}, {"max_features": 0.6}, {"max_features": 1}, {"max_features": 1.0, "bootstrap_features": True}]
SCALED = make_pipeline(MinMaxScaler(), DecisionTreeClassifier(max_depth=3, random_state=0))


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("target", [YES_NO, THREE])
@pytest.mark.parametrize("base", [None, SCALED])
def test_bags_of_trees_have_the_same_bits(columns: Any, target: Any, base: Any) -> None:
    """Plain trees become one ensemble, pipelines with a tree one each."""
    bagging = BaggingClassifier(base, n_estimators=5, random_state=0, **columns).fit(X, target)
    found = levels(twin_of(bagging, X))
    assert (found["predict"], found["predict_proba"]) == ("bit", "bit")


@pytest.mark.parametrize("base", [SCALED, make_pipeline(LogisticRegression()), make_pipeline(RidgeClassifier())])
def test_members_that_miss_a_class(base: Any) -> None:
    """A rare class is not in every member's rows; one without probabilities votes."""
    target = np.where(np.arange(len(X)) < 3, "rare", THREE)
    bagging = BaggingClassifier(base, n_estimators=6, max_samples=25, random_state=1).fit(X, target)
    assert min(len(member.classes_) for member in bagging.estimators_) < 4
    assert levels(twin_of(bagging, X))["predict"] == "bit"


def test_decisions_and_logarithms_of_linear_members() -> None:
    """At level ulp, all methods."""
    bagging = BaggingClassifier(LogisticRegression(), n_estimators=4, max_features=3, random_state=0).fit(X, THREE)
    assert set(levels(twin_of(bagging, X))) == {"predict", "predict_proba", "predict_log_proba", "decision_function"}


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("target", [NUMBER, TWO_NUMBERS])
def test_regressors_of_trees(columns: Any, target: Any) -> None:
    """One target or two."""
    bagging = BaggingRegressor(DecisionTreeRegressor(max_depth=5), n_estimators=5, random_state=0, **columns)
    assert levels(twin_of(bagging.fit(X, target), X)) == {"predict": "bit"}


def test_regressors_of_linear_models() -> None:
    """At level ulp."""
    bagging = BaggingRegressor(LinearRegression(), n_estimators=4, max_features=2, random_state=0).fit(X, NUMBER)
    assert levels(twin_of(bagging, X)) == {"predict": "ulp"}


def test_missing_values_pass_through_to_the_trees() -> None:
    """Bagging looks at no value itself."""
    twin = twin_of(BaggingClassifier(n_estimators=5, max_features=3, random_state=0).fit(GAPS, THREE), GAPS)
    assert levels(twin)["predict_proba"] == "bit"
    assert all(feature.missing for feature in twin.manifest.inputs)
