"""Feature selection beside its twins."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import feature_selection as fs
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.discovery import all_estimators

from .samples import BINARY, GAPS, THREE, X
from .twins import levels, model_of, twin_of

TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
SELECTORS = [
    fs.VarianceThreshold(0.5),
    fs.SelectKBest(k=2),
    fs.SelectKBest(fs.mutual_info_classif, k="all"),
    fs.SelectPercentile(percentile=50),
    fs.SelectFpr(),
    fs.SelectFdr(),
    fs.SelectFwe(),
    fs.GenericUnivariateSelect(mode="k_best", param=3),
    fs.SelectFromModel(LogisticRegression()),
    fs.SelectFromModel(TREE, threshold="0.5*mean", max_features=2),
    fs.RFE(LogisticRegression(), n_features_to_select=2),
    fs.RFECV(TREE, cv=3),
    fs.SequentialFeatureSelector(TREE, n_features_to_select=2, cv=2),
]


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: type(selector).__name__)
def test_selectors(selector: Any) -> None:
    twin = twin_of(selector.fit(X, THREE), X)
    assert levels(twin)["transform"] == "bit"
    assert model_of(twin).transform(X[:3]).tolist() == selector.transform(X[:3]).tolist()


@pytest.mark.parametrize("kind", [fs.RFE, fs.RFECV])
@pytest.mark.parametrize("target", [BINARY, THREE], ids=["two", "three"])
def test_elimination_predicts_with_what_is_left(kind: Any, target: Any) -> None:
    selector = kind(LogisticRegression()).fit(X, target)
    twin = twin_of(selector, X)
    assert set(levels(twin)) == {"predict", "predict_proba", "predict_log_proba", "decision_function", "transform"}
    assert twin.proof.outputs["predict"].label_mismatches == 0


def test_a_fitted_model_chooses() -> None:
    selector = fs.SelectFromModel(LogisticRegression().fit(X, THREE), prefit=True)
    pipeline = make_pipeline(selector, TREE).fit(X, THREE)
    assert levels(twin_of(pipeline, X))["predict_proba"] == "bit"


@pytest.mark.filterwarnings("ignore:No features were selected")
def test_nothing_is_chosen() -> None:
    selector = fs.SelectFromModel(LogisticRegression(), threshold=1e9).fit(X, THREE)
    assert model_of(twin_of(selector, X)).transform(X[:2]).shape == (2, 0)


def test_chosen_columns_still_fold() -> None:
    pipeline = make_pipeline(
        SimpleImputer(), StandardScaler(), fs.SelectKBest(k=2), RandomForestClassifier(5, random_state=0)
    )
    twin = twin_of(pipeline.fit(GAPS, THREE), GAPS)
    assert twin.scope.folded[0].startswith("2 preprocessed columns")
    assert levels(twin)["predict_proba"] == "bit"


def test_a_frame_with_a_constant_column() -> None:
    frame = pd.DataFrame({"a b": X[:, 0], "constant": np.ones(len(X)), "": X[:, 1]})
    assert levels(twin_of(fs.VarianceThreshold().fit(frame), frame)) == {"transform": "bit"}


def test_no_selector_is_forgotten() -> None:
    public = {cls for _, cls in all_estimators() if issubclass(cls, SelectorMixin)}
    assert public == {type(selector) for selector in SELECTORS}
