"""AdaBoost: weighted votes and weighted medians."""

from typing import Any

import pytest
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.convert.lower.samples import FOUR, NUMBER, THREE, YES_NO, X
from tests.convert.lower.twins import levels, model_of, twin_of


@pytest.mark.parametrize("target", [YES_NO, THREE, FOUR])
@pytest.mark.parametrize("depth", [1, 3])
def test_votes_of_trees_have_the_same_bits(target: Any, depth: int) -> None:
    """The decision and the labels; probabilities go through Exp."""
    base = DecisionTreeClassifier(max_depth=depth, random_state=0)
    found = levels(twin_of(AdaBoostClassifier(base, n_estimators=8, random_state=0).fit(X, target), X))
    assert (found["predict"], found["decision_function"]) == ("bit", "bit")
    assert {"predict_proba", "predict_log_proba"} <= set(found)


def test_votes_of_linear_members() -> None:
    """Votes are of labels, and so have the same bits too."""
    boosted = AdaBoostClassifier(LogisticRegression(), n_estimators=5, random_state=0).fit(X, THREE)
    assert levels(twin_of(boosted, X))["decision_function"] == "bit"


def test_boosting_that_stopped_at_once() -> None:
    """A member without an error ends it; weights of members that never were are zero."""
    boosted = AdaBoostClassifier(DecisionTreeClassifier(), n_estimators=5, random_state=0).fit(X, YES_NO)
    assert len(boosted.estimators_) == 1
    assert levels(twin_of(boosted, X))["decision_function"] == "bit"


@pytest.mark.parametrize("loss", ["linear", "square", "exponential"])
def test_medians_of_trees_have_the_same_bits(loss: Any) -> None:
    """A median is one of the members' own answers."""
    base = DecisionTreeRegressor(max_depth=3, random_state=0)
    boosted = AdaBoostRegressor(base, n_estimators=12, loss=loss, random_state=0).fit(X, NUMBER)
    assert levels(twin_of(boosted, X)) == {"predict": "bit"}


def test_the_median_of_one_member() -> None:
    """Is its answer."""
    boosted = AdaBoostRegressor(LinearRegression(), n_estimators=1, random_state=0).fit(X, NUMBER)
    assert twin_of(boosted, X).proof.level == "ulp"


def test_one_class_answers_one_row() -> None:
    model = AdaBoostClassifier(n_estimators=2).fit(X, ["only"] * len(X))
    found = model_of(twin_of(model, X))
    assert found.predict(X[:1]).tolist() == ["only"]
    assert found.decision_function(X[:1]).shape == model.decision_function(X[:1]).shape
