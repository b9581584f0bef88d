"""Meta-estimators within meta-estimators."""

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier

from .samples import BINARY, FOUR, MULTI_LABEL, NUMBER, THREE, TWO_NUMBERS, YES_NO, X
from .twins import levels, twin_of

FOREST = RandomForestClassifier(3, max_depth=3, random_state=0)
REGRESSOR = RandomForestRegressor(3, max_depth=4, random_state=0)
SOFT = VotingClassifier([("f", FOREST), ("l", LogisticRegression())], voting="soft")
SELF_TRAINED = SelfTrainingClassifier(SOFT)
BAGS = BaggingClassifier(LogisticRegression(), n_estimators=2, max_features=3, random_state=0)
BOOSTED = make_pipeline(StandardScaler(), AdaBoostClassifier(n_estimators=3, random_state=0))
CHOSEN = GridSearchCV(make_pipeline(StandardScaler(), SelectKBest(k=3), FOREST), {"selectkbest__k": [2, 3]}, cv=2)
ASINH = TransformedTargetRegressor(Ridge(), func=np.arcsinh, inverse_func=np.sinh)
TREE = CalibratedClassifierCV(DecisionTreeClassifier(max_depth=3, random_state=0), cv=2)

CLASSIFIERS: dict[str, tuple[Any, Any]] = {
    "votes and bags, stacked below a calibrated tree": (StackingClassifier([("v", SOFT), ("b", BAGS)], TREE), THREE),
    "calibrated boosting against the rest": (OneVsRestClassifier(CalibratedClassifierCV(BOOSTED, cv=2)), THREE),
    "a search for each output": (MultiOutputClassifier(CHOSEN), np.column_stack([YES_NO, THREE])),
    "a threshold over self-trained votes": (FixedThresholdClassifier(SELF_TRAINED, threshold=0.4), BINARY),
    "a chain of pairs": (ClassifierChain(OneVsOneClassifier(FOREST)), MULTI_LABEL),
    "codes of one against the rest": (OutputCodeClassifier(OneVsRestClassifier(FOREST), random_state=0), FOUR),
}


@pytest.mark.filterwarnings("ignore:y contains no unlabeled")
@pytest.mark.parametrize(("model", "target"), CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_classifiers(model: Any, target: Any) -> None:
    assert levels(twin_of(model.fit(X, target), X))["predict"] == "bit"


def test_a_scaled_chain_of_bags() -> None:
    chain = RegressorChain(BaggingRegressor(REGRESSOR, n_estimators=2, random_state=0))
    model = TransformedTargetRegressor(chain, transformer=StandardScaler())
    assert levels(twin_of(model.fit(X, TWO_NUMBERS), X)) == {"predict": "bit"}


def test_a_boosted_forest_and_a_transformed_target_stacked_below_an_elimination() -> None:
    members = [("g", GradientBoostingRegressor(init=REGRESSOR, n_estimators=3, random_state=0)), ("t", ASINH)]
    model = StackingRegressor(members, RFE(LinearRegression()), passthrough=True)
    assert set(levels(twin_of(model.fit(X, NUMBER), X))) == {"predict", "transform"}
