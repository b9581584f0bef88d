"""Calibrated classifiers beside their twins."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_wine, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from .twins import levels, model_of, twin_of

WORDS = np.array(["oak", "ash", "elm"])


def rows(count: int, samples: int = 150) -> tuple[NDArray[np.float64], NDArray[Any]]:
    X, y = make_classification(
        samples, 5, n_informative=5, n_redundant=0, n_classes=count, class_sep=0.5, flip_y=0.2, random_state=count
    )
    return X, WORDS[y]


BASES = [
    RidgeClassifier(),
    RandomForestClassifier(4, max_depth=3, random_state=0),
    make_pipeline(StandardScaler(), SVC()),
]
NAMES = ["ridge", "forest", "svm"]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize(
    "base", [BASES[0], *(pytest.param(base, marks=pytest.mark.slow) for base in BASES[1:])], ids=NAMES
)
def test_every_method(base: Any, method: Any, ensemble: bool, count: int) -> None:
    """Of the other bases two by each method, below; all are slow."""
    check(base, method, ensemble, count)


@pytest.mark.parametrize(("ensemble", "count"), [(True, 3), (False, 2)])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("base", BASES[1:], ids=NAMES[1:])
def test_every_base(base: Any, method: Any, ensemble: bool, count: int) -> None:
    check(base, method, ensemble, count)


def check(base: Any, method: Any, ensemble: bool, count: int) -> None:
    X, y = rows(count)
    model = CalibratedClassifierCV(base, method=method, ensemble=ensemble, cv=2).fit(X, y)
    twin = twin_of(model, X)
    assert set(levels(twin)) == {"predict", "predict_proba"}
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


def test_an_isotonic_forest_is_exact_to_the_bit() -> None:
    X, y = rows(3)
    model = CalibratedClassifierCV(BASES[1], method="isotonic", cv=2).fit(X, y)
    assert levels(twin_of(model, X)) == {"predict": "bit", "predict_proba": "bit"}


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_probabilities_of_a_product(method: Any) -> None:
    X, y = rows(2)
    twin_of(CalibratedClassifierCV(GaussianNB(), method=method, cv=2).fit(X, y), X)


def test_a_frozen_classifier() -> None:
    X, y = rows(3)
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    twin_of(CalibratedClassifierCV(frozen, method="sigmoid").fit(X, y), X)


def test_a_member_that_has_not_seen_every_class() -> None:
    X, y = rows(3)
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    seen = y != "oak"
    folds = [(np.flatnonzero(seen)[::2], np.arange(len(y))[1::2]), (np.arange(len(y))[::2], np.arange(len(y))[1::2])]
    model = CalibratedClassifierCV(RandomForestClassifier(4, random_state=0), cv=folds).fit(X, y)
    assert [len(member.estimator.classes_) for member in model.calibrated_classifiers_] == [2, 3]
    twin_of(model, X)


@pytest.mark.parametrize("method", ["isotonic", "temperature"])
@pytest.mark.parametrize("data", [load_breast_cancer, load_wine])
def test_saturated_probabilities(method: Any, data: Any) -> None:
    """So near to one that a calibrator is steep there: a rounding of the score is many of the answer's."""
    X, y = data(return_X_y=True)
    proof = twin_of(CalibratedClassifierCV(GaussianNB(), method=method, cv=2).fit(X, y), X).proof
    assert proof.outputs["predict_proba"].terms > 10
