"""What is fitted, what is not, and the path of the step that is not."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, OneHotEncoder, StandardScaler

from convert import SourceError
from convert.source import check_fitted

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


def failed_fit() -> KMeans:
    """Its fit stopped midway: it knows what its input looks like, and nothing else."""
    model = KMeans(100)
    with pytest.raises(ValueError, match="should be >= n_clusters"):
        model.fit(X)
    assert model.n_features_in_ == 3
    return model


class Theirs(BaseEstimator):  # type: ignore[misc, unused-ignore]
    """Nobody can say whether it is fitted."""

    def fit(self, rows: Any) -> None: ...


SCALER, MODEL = StandardScaler().fit(X), LogisticRegression().fit(X, Y)


HALF = ColumnTransformer([("num", Pipeline([("s", StandardScaler())]), [0]), ("cat", OneHotEncoder(), [])]).fit(X)


HALF.transformers_ = [("num", Pipeline([("s", StandardScaler())]), [0]), *HALF.transformers_[1:]]


VOTING = VotingClassifier([("a", LogisticRegression()), ("b", make_pipeline(StandardScaler(), LogisticRegression()))])
VOTING.fit(X, Y).estimators_[1].steps[0] = ("standardscaler", StandardScaler())

GRID = GridSearchCV(Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())]), {"clf__C": [1.0]}, cv=2)
GRID.fit(X, Y).best_estimator_.steps[0] = ("scale", StandardScaler())

LOGS = TransformedTargetRegressor(LinearRegression(), func=np.arcsinh, inverse_func=np.sinh).fit(X, X[:, 1])
LOGS.regressor_ = LinearRegression()


def scaled() -> Pipeline:
    return Pipeline([("s", StandardScaler()), ("clf", LogisticRegression())])


def spoiled(model: Any, inner: Any) -> Any:
    """A fitted model, one pipeline inside of which has a scaler that is not."""
    inner(model.fit(X, Y)).steps[0] = ("s", StandardScaler())
    return model


CALIBRATED = spoiled(CalibratedClassifierCV(scaled(), cv=2), lambda model: model.calibrated_classifiers_[1].estimator)
THRESHOLD = spoiled(FixedThresholdClassifier(scaled()), lambda model: model.estimator_)
TUNED = spoiled(GridSearchCV(THRESHOLD, {"threshold": [0.4]}, cv=2), lambda model: model.best_estimator_.estimator_)
PAIRS = spoiled(OneVsOneClassifier(scaled()), lambda model: model.estimators_[0])
STACKED = spoiled(StackingClassifier([("a", MODEL)], scaled(), cv=2), lambda model: model.final_estimator_)
FROZEN = Pipeline([("f", spoiled(FrozenEstimator(scaled().fit(X, Y)), lambda model: model.estimator))])


@pytest.mark.parametrize(
    ("pipeline", "found"),
    [
        (LogisticRegression(), "LogisticRegression at pipeline"),
        (failed_fit(), "KMeans at pipeline"),
        (Pipeline([("s", SCALER), ("clf", LogisticRegression())]), "LogisticRegression at pipeline['clf']"),
        (Pipeline([("s", StandardScaler()), ("clf", MODEL)]), "StandardScaler at pipeline['s']"),
        (Pipeline([("p", ColumnTransformer([("n", SCALER, [0])]))]), "ColumnTransformer at pipeline['p']"),
        (Pipeline([("p", HALF), ("clf", MODEL)]), "StandardScaler at pipeline['p']['num']['s']"),
        (FeatureUnion([("a", SCALER), ("b", StandardScaler())]), "StandardScaler at pipeline['b']"),
        (VOTING, "StandardScaler at pipeline.estimators_[1]['standardscaler']"),
        (Pipeline([("s", SCALER), ("grid", GRID)]), "StandardScaler at pipeline['grid'].best_estimator_['scale']"),
        (LOGS, "LinearRegression at pipeline.regressor_"),
        (CALIBRATED, "StandardScaler at pipeline.calibrated_classifiers_[1].estimator['s']"),
        (THRESHOLD, "StandardScaler at pipeline.estimator_['s']"),
        (TUNED, "StandardScaler at pipeline.best_estimator_.estimator_['s']"),
        (PAIRS, "StandardScaler at pipeline.estimators_[0]['s']"),
        (STACKED, "StandardScaler at pipeline.final_estimator_['s']"),
        (FROZEN, "StandardScaler at pipeline['f'].estimator['s']"),
        (Pipeline([("s", SCALER), ("theirs", Theirs())]), "Theirs at pipeline['theirs']"),
    ],
)
def test_an_unfitted_step_is_named_by_its_path(pipeline: Any, found: str) -> None:
    with pytest.raises(SourceError) as caught:
        check_fitted(pipeline)
    assert str(caught.value) == f"expected a fitted pipeline, found an unfitted {found}: call fit first"


@pytest.mark.parametrize(
    ("value", "found"),
    [({"model": SCALER}, "a dict"), (None, "a NoneType"), (LogisticRegression, "the class LogisticRegression")],
)
def test_what_is_no_pipeline_is_named(value: Any, found: str) -> None:
    with pytest.raises(SourceError) as caught:
        check_fitted(value)
    assert str(caught.value) == f"expected a trained scikit-learn pipeline, found {found}: give the pipeline itself"


def test_what_needs_no_fit_is_fitted() -> None:
    """Stateless steps, skipped ones, those that are given no columns, and other people's that scikit-learn cannot
    judge."""
    steps = [("n", Normalizer()), ("f", FunctionTransformer()), ("p", "passthrough"), ("x", None), ("t", Theirs())]
    check_fitted(Pipeline([*steps, ("clf", MODEL)]))
    check_fitted(ColumnTransformer([("num", StandardScaler(), [0]), ("cat", OneHotEncoder(), [])]).fit(X))
    check_fitted(Pipeline([("scale", SCALER), ("clf", MODEL)]))
    check_fitted(TfidfTransformer(use_idf=False).fit(np.abs(X)))


@pytest.mark.parametrize(
    "model",
    [
        BaggingClassifier(LogisticRegression(), 2),
        AdaBoostClassifier(n_estimators=2),
        RandomForestClassifier(2),
        StackingClassifier([("a", LogisticRegression()), ("b", "drop")], cv=2),
        VotingClassifier([("a", LogisticRegression()), ("b", "drop")], voting="soft"),
        OneVsRestClassifier(LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_members_of_what_is_fitted_are_fitted(model: Any) -> None:
    """Templates among them are not."""
    check_fitted(model.fit(X, Y))


def test_an_estimator_that_chose_columns_is_fitted() -> None:
    check_fitted(SelectFromModel(LogisticRegression()).fit(X, Y))
    check_fitted(RFE(LogisticRegression(), n_features_to_select=1).fit(X, Y))


def test_a_label_that_never_changes() -> None:
    """scikit-learn puts a class of its own in the place of a model that has nothing to learn."""
    labels = np.column_stack([Y, np.zeros(len(Y), int)])
    with pytest.warns(UserWarning, match="present in all training examples"):
        several = OneVsRestClassifier(LogisticRegression()).fit(X, labels)
    check_fitted(several)
    check_fitted(MultiOutputClassifier(RandomForestClassifier(2)).fit(X, labels))
    check_fitted(ClassifierChain(RandomForestClassifier(2)).fit(X, labels))
