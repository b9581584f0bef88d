"""One classifier a class, a pair, a bit; several labels at once."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.tree import DecisionTreeClassifier

from tests.convert.lower.samples import FOUR, MULTI_LABEL, THREE, YES_NO, X
from tests.convert.lower.twins import levels, twin_of

FOREST = RandomForestClassifier(4, max_depth=3, random_state=0)
BOOSTED = GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=0)
MEMBERS = [FOREST, BOOSTED, DecisionTreeClassifier(max_depth=3, random_state=0)]


@pytest.mark.parametrize("target", [YES_NO, THREE, FOUR, MULTI_LABEL])
@pytest.mark.parametrize("base", [*MEMBERS, LogisticRegression()])
def test_one_against_the_rest(target: Any, base: Any) -> None:
    """With members that have probabilities alone, and with decisions."""
    found = levels(twin_of(OneVsRestClassifier(base).fit(X, target), X))
    assert found["predict"] == "bit"
    assert base is not FOREST or set(found.values()) == {"bit"}


def test_one_against_the_rest_by_regression() -> None:
    """A regressor's prediction is the score."""
    assert levels(twin_of(OneVsRestClassifier(LinearRegression()).fit(X, THREE), X)) == {"predict": "bit"}


@pytest.mark.filterwarnings("ignore:Label .* is present in all training examples")
def test_labels_that_every_row_or_none_has() -> None:
    """A constant stands in for their member."""
    target = np.column_stack([MULTI_LABEL, np.ones(len(X), int), np.zeros(len(X), int)])
    with pytest.warns(UserWarning, match="present in all"):
        model = OneVsRestClassifier(FOREST).fit(X, target)
    assert set(levels(twin_of(model, X)).values()) == {"bit"}


@pytest.mark.parametrize("target", [YES_NO, THREE, FOUR])
@pytest.mark.parametrize("base", MEMBERS)
def test_one_against_one(target: Any, base: Any) -> None:
    """Votes, and confidences where they tie."""
    found = levels(twin_of(OneVsOneClassifier(base).fit(X, target), X))
    assert found == {"predict": "bit", "decision_function": "bit"}


def test_one_against_one_of_linear_members() -> None:
    """At level ulp."""
    assert levels(twin_of(OneVsOneClassifier(LogisticRegression()).fit(X, FOUR), X))["predict"] == "bit"


@pytest.mark.parametrize("target", [THREE, FOUR])
@pytest.mark.parametrize("base", [*MEMBERS, LogisticRegression()])
def test_codes(target: Any, base: Any) -> None:
    """The class of the nearest code."""
    assert levels(twin_of(OutputCodeClassifier(base, code_size=2, random_state=0).fit(X, target), X)) == {
        "predict": "bit"
    }
