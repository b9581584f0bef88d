"""Votes and means of several members."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from convert.errors import UnsupportedError
from tests.convert.lower.samples import NUMBER, THREE, YES_NO, X
from tests.convert.lower.twins import levels, twin_of

TREES: list[Any] = [
    ("a", DecisionTreeClassifier(max_depth=3, random_state=0)),
    ("b", RandomForestClassifier(5, max_depth=3, random_state=1)),
    ("c", DecisionTreeClassifier(max_depth=2, random_state=2)),
]
MIXED: list[Any] = [*TREES[:2], ("l", make_pipeline(StandardScaler(), LogisticRegression()))]


@pytest.mark.parametrize("target", [YES_NO, THREE])
@pytest.mark.parametrize("weights", [None, [0.1, 0.7, 0.3], [1, 2, 2]])
@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_votes_of_trees_have_the_same_bits(target: Any, weights: Any, voting: Any) -> None:
    """Hard votes are counted from what each member predicts."""
    twin = twin_of(VotingClassifier(TREES, voting=voting, weights=weights).fit(X, target), X)
    assert set(levels(twin).values()) == {"bit"}
    assert ("predict_proba" in levels(twin)) == (voting == "soft")


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_members_of_other_kinds_vote_too(voting: Any) -> None:
    """At level ulp, for a linear model is among them; the labels are the same."""
    twin = twin_of(VotingClassifier(MIXED, voting=voting).fit(X, THREE), X)
    assert levels(twin)["predict"] == "bit"


def test_dropped_members_have_no_weight() -> None:
    """Weights are given for all members, dropped ones too."""
    members = [TREES[0], ("b", "drop"), TREES[2]]
    twin = twin_of(VotingClassifier(members, voting="soft", weights=[3, 9, 1]).fit(X, THREE), X)
    assert levels(twin)["predict_proba"] == "bit"


@pytest.mark.parametrize("weights", [None, [0.2, 0.5]])
def test_means_of_trees_have_the_same_bits(weights: Any) -> None:
    """predict and transform."""
    members: list[Any] = [
        ("a", DecisionTreeRegressor(max_depth=4, random_state=0)),
        ("b", RandomForestRegressor(4, random_state=1)),
    ]
    twin = twin_of(VotingRegressor(members, weights=weights).fit(X, NUMBER), X)
    assert levels(twin) == {"predict": "bit", "transform": "bit"}


def test_means_with_a_linear_model() -> None:
    """At level ulp."""
    members: list[Any] = [("a", DecisionTreeRegressor(max_depth=4, random_state=0)), ("l", LinearRegression())]
    assert twin_of(VotingRegressor(members).fit(X, NUMBER), X).proof.level == "ulp"


def test_probabilities_by_member_first_are_left_out() -> None:
    """A bundle's outputs begin with the rows; the votes are not at issue."""
    voting = VotingClassifier(TREES, voting="soft", flatten_transform=False).fit(X, THREE)
    twin = twin_of(voting, X)
    assert levels(twin) == {"predict": "bit", "predict_proba": "bit"}
    assert "flatten_transform" in twin.proof.left_out["transform"]


def test_an_error_names_the_member() -> None:
    """By the path that Python reads."""

    class Odd(DecisionTreeRegressor):  # type: ignore[misc]
        predict = None

    class Own(LinearRegression):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            return np.zeros(len(X))

    from convert.lower import lowers
    from convert.lower.matrix import Matrix

    @lowers(Own, method="predict")
    def refused(model: Any, x: Matrix) -> Any:
        raise UnsupportedError("expected another")

    with pytest.raises(UnsupportedError, match=r"pipeline\.estimators_\[1\]: expected another"):
        twin_of(VotingRegressor([("a", LinearRegression()), ("b", Own())]).fit(X, NUMBER), X)
