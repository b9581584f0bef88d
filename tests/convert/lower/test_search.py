"""Estimators that answer as another one does, and classifiers that move the threshold."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from tests.convert.lower.samples import BINARY, THREE, YES_NO, X
from tests.convert.lower.twins import levels, twin_of

FOREST = RandomForestClassifier(4, max_depth=3, random_state=0)
DEPTHS = {"max_depth": [2, 3]}


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(FOREST, DEPTHS, cv=2),
        RandomizedSearchCV(FOREST, DEPTHS, n_iter=2, cv=2, random_state=0),
        HalvingGridSearchCV(FOREST, DEPTHS, cv=2, random_state=0, min_resources=40),
        HalvingRandomSearchCV(FOREST, DEPTHS, cv=2, random_state=0, n_candidates=2, min_resources=40),
    ],
    ids=lambda search: type(search).__name__,
)
def test_a_search_answers_as_its_best(search: Any) -> None:
    """All methods of the best estimator."""
    found = levels(twin_of(search.fit(X, THREE), X))
    assert (found["predict"], found["predict_proba"]) == ("bit", "bit")
    assert "predict_log_proba" in found


def test_a_search_over_transformers() -> None:
    """transform is passed on too."""
    search = GridSearchCV(make_pipeline(StandardScaler()), {"standardscaler__with_std": [True]}, cv=2, scoring=_score)
    assert levels(twin_of(search.fit(X), X)) == {"transform": "bit"}


def _score(estimator: Any, X: Any, y: Any = None) -> float:
    return 0.0


def test_frozen_members_vote() -> None:
    """A frozen pipeline within an ensemble."""
    frozen = FrozenEstimator(make_pipeline(StandardScaler(), FOREST).fit(X, YES_NO))
    model = make_pipeline(StandardScaler(), VotingClassifier([("f", FOREST), ("g", FOREST)], voting="soft"))
    assert set(levels(twin_of(frozen, X)).values()) >= {"bit"}
    assert levels(twin_of(model.fit(X, YES_NO), X))["predict_proba"] == "bit"


def test_self_training_answers_as_its_last_fit() -> None:
    """Rows without a label were for training only."""
    model = SelfTrainingClassifier(FOREST).fit(X, np.where(np.arange(len(X)) % 3 == 0, -1, BINARY))
    assert levels(twin_of(model, X))["predict_proba"] == "bit"


@pytest.mark.parametrize("positive", ["no", "yes"])
@pytest.mark.parametrize("threshold", ["auto", 0.3, 0.5])
@pytest.mark.parametrize("base", [FOREST, RidgeClassifier()], ids=["forest", "ridge"])
def test_fixed_thresholds(positive: Any, threshold: Any, base: Any) -> None:
    """Either class may be the positive one; scores are probabilities or decisions."""
    model = FixedThresholdClassifier(base, threshold=threshold, pos_label=positive).fit(X, YES_NO)
    assert levels(twin_of(model, X))["predict"] == "bit"


@pytest.mark.parametrize("method", ["auto", "decision_function", "predict_proba"])
def test_tuned_thresholds(method: Any) -> None:
    """The threshold that was found best."""
    model = TunedThresholdClassifierCV(LogisticRegression(), response_method=method, cv=2, thresholds=20)
    assert levels(twin_of(model.fit(X, BINARY), X))["predict"] == "bit"


def test_tuned_threshold_of_a_forest() -> None:
    """Probabilities of forests come exactly to the threshold."""
    model = TunedThresholdClassifierCV(FOREST, cv=2, scoring="f1").fit(X, BINARY)
    assert levels(twin_of(model, X))["predict_proba"] == "bit"
