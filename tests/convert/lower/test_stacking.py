"""Stacking: what each member answers, and the final estimator behind it."""

from typing import Any

import pytest
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.convert.lower.samples import MULTI_LABEL, NUMBER, THREE, YES_NO, X
from tests.convert.lower.twins import levels, twin_of

TREES: list[Any] = [
    ("a", DecisionTreeClassifier(max_depth=3, random_state=0)),
    ("b", RandomForestClassifier(5, max_depth=3, random_state=1)),
]
LINEAR: list[Any] = [("l", make_pipeline(StandardScaler(), LogisticRegression()))]


@pytest.mark.parametrize("target", [YES_NO, THREE])
@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("method", ["auto", "predict"])
def test_trees_on_trees_have_the_same_bits(target: Any, passthrough: bool, method: Any) -> None:
    """The final tree may look at the request's columns as well."""
    final = DecisionTreeClassifier(max_depth=4, random_state=0)
    stack = StackingClassifier(TREES, final, passthrough=passthrough, stack_method=method, cv=3).fit(X, target)
    assert set(levels(twin_of(stack, X)).values()) == {"bit"}


@pytest.mark.parametrize("target", [YES_NO, THREE])
@pytest.mark.parametrize("method", ["decision_function", "predict_proba"])
def test_each_method_of_linear_members(target: Any, method: Any) -> None:
    """At level ulp."""
    stack = StackingClassifier(LINEAR, LogisticRegression(), stack_method=method, cv=3).fit(X, target)
    assert set(levels(twin_of(stack, X))) == {"predict", "predict_proba", "decision_function", "transform"}


def test_fitted_members_keep_their_own_labels() -> None:
    """cv='prefit': only the final estimator saw encoded labels."""
    members = [(name, member.fit(X, YES_NO)) for name, member in TREES]
    stack = StackingClassifier(members, DecisionTreeClassifier(max_depth=3), cv="prefit").fit(X, YES_NO)
    assert levels(twin_of(stack, X))["predict"] == "bit"


def test_several_labels() -> None:
    """Each label's own probabilities, without the first class's."""
    stack = StackingClassifier(TREES, DecisionTreeClassifier(max_depth=5, random_state=0), cv=3).fit(X, MULTI_LABEL)
    assert levels(twin_of(stack, X))["predict"] == "bit"


@pytest.mark.parametrize("passthrough", [False, True])
def test_regressors(passthrough: bool) -> None:
    """predict and transform."""
    members: list[Any] = [("t", DecisionTreeRegressor(max_depth=4, random_state=0)), ("r", LinearRegression())]
    twin = twin_of(StackingRegressor(members, Ridge(), passthrough=passthrough, cv=3).fit(X, NUMBER), X)
    assert levels(twin) == {"predict": "ulp", "transform": "ulp"}
