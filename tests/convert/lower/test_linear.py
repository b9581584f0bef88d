"""Linear regressors, classifiers and one-class machines beside their twins."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn import linear_model as lm
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils.discovery import all_estimators

from runtime.model import Model

from .twins import levels, model_of, twin_of

Floats = NDArray[np.float64]
WORDS = np.array(["oak", "ash", "elm", "fir"])


def regression(targets: int = 1) -> tuple[Floats, Floats]:
    X, y = make_regression(160, 6, n_targets=targets, noise=4.0, random_state=3)
    return X, y


def classes(count: int, samples: int = 200) -> tuple[Floats, NDArray[Any]]:
    X, y = make_classification(
        samples, 6, n_informative=5, n_redundant=0, n_classes=count, class_sep=0.8, random_state=count
    )
    return X, WORDS[y]


REGRESSORS = [
    lm.ARDRegression(),
    lm.BayesianRidge(),
    lm.ElasticNet(),
    lm.ElasticNetCV(cv=3),
    lm.HuberRegressor(max_iter=1000),
    lm.Lars(),
    lm.LarsCV(cv=3),
    lm.Lasso(),
    lm.LassoCV(cv=3),
    lm.LassoLars(),
    lm.LassoLarsCV(cv=3),
    lm.LassoLarsIC(),
    lm.LinearRegression(),
    lm.LinearRegression(fit_intercept=False),
    lm.LinearRegression(positive=True),
    lm.OrthogonalMatchingPursuit(),
    lm.OrthogonalMatchingPursuitCV(cv=3),
    lm.QuantileRegressor(),
    lm.RANSACRegressor(random_state=0),
    lm.RANSACRegressor(lm.Ridge(), random_state=0, min_samples=20),
    lm.Ridge(),
    lm.RidgeCV(),
    lm.SGDRegressor(random_state=0),
    lm.SGDRegressor(loss="huber", penalty="l1", average=True, random_state=0),
    lm.TheilSenRegressor(random_state=0, max_subpopulation=100),
    LinearSVR(random_state=0),
]

MANY_TARGETS = [
    lm.LinearRegression(),
    lm.Ridge(),
    lm.RidgeCV(),
    lm.Lasso(),
    lm.Lars(),
    lm.LassoLars(),
    lm.OrthogonalMatchingPursuit(),
    lm.MultiTaskElasticNet(),
    lm.MultiTaskElasticNetCV(cv=3),
    lm.MultiTaskLasso(),
    lm.MultiTaskLassoCV(cv=3),
    lm.RANSACRegressor(random_state=0),
]

CLASSIFIERS = [
    lm.LogisticRegression(),
    lm.LogisticRegression(fit_intercept=False),
    lm.LogisticRegressionCV(Cs=3, cv=3, l1_ratios=(0,), use_legacy_attributes=False, scoring="accuracy"),
    lm.Perceptron(random_state=0),
    lm.RidgeClassifier(),
    lm.RidgeClassifierCV(),
    *(
        lm.SGDClassifier(loss=loss, random_state=0, max_iter=3000)
        for loss in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "huber")
    ),
    lm.SGDClassifier(average=True, penalty="elasticnet", random_state=0),
    LinearSVC(random_state=0),
    LinearSVC(multi_class="crammer_singer", random_state=0),
    LinearSVC(penalty="l1", dual=False, random_state=0),
]


def name(model: Any) -> str:
    return f"{model!r}".replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("model", REGRESSORS, ids=name)
def test_a_regressor(model: Any) -> None:
    X, y = regression()
    assert twin_of(model.fit(X, y), X).proof.level in ("bit", "ulp")


@pytest.mark.parametrize("model", MANY_TARGETS, ids=name)
def test_a_regressor_of_several_targets(model: Any) -> None:
    X, y = regression(3)
    twin = twin_of(model.fit(X, y), X)
    assert model_of(twin).predict(X[:5]).shape == (5, 3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=name)
def test_a_classifier(model: Any, count: int) -> None:
    X, y = classes(count)
    twin = twin_of(model.fit(X, y), X)
    assert twin.proof.outputs["predict"].label_mismatches == 0
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("count", [2, 4])
def test_a_passive_aggressive_classifier(count: int) -> None:
    X, y = classes(count)
    twin_of(lm.PassiveAggressiveClassifier(random_state=0).fit(X, y), X)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_passive_aggressive_regressor() -> None:
    X, y = regression()
    assert twin_of(lm.PassiveAggressiveRegressor(random_state=0).fit(X, y), X).scope.fallbacks == []


@pytest.mark.parametrize("model", [lm.RidgeClassifier(), lm.RidgeClassifierCV()], ids=name)
def test_ridge_of_several_labels(model: Any) -> None:
    X, y = make_multilabel_classification(150, 5, n_classes=3, random_state=0)
    twin = twin_of(model.fit(X, y), X)
    found = model_of(twin).predict(X)
    assert found.tolist() == model.predict(X).tolist()
    assert found.dtype == model.predict(X).dtype


def test_every_class_of_modified_huber_may_have_zero_probability() -> None:
    X, y = classes(3)
    model = lm.SGDClassifier(loss="modified_huber", random_state=0).fit(X, y)
    model.intercept_ -= 5.0
    assert (model.predict_proba(X) == 1 / 3).all(axis=1).any()
    twin_of(model, X)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_one_class_machine(fit_intercept: bool) -> None:
    X, _ = regression()
    model = lm.SGDOneClassSVM(nu=0.3, fit_intercept=fit_intercept, random_state=0).fit(X)
    twin = twin_of(model, X)
    assert set(levels(twin)) == {"predict", "decision_function", "score_samples"}
    found = model_of(twin).predict(X)
    assert set(found.tolist()) == {-1, 1}
    assert found.dtype == model.predict(X).dtype


def test_one_feature_and_one_target_in_a_column() -> None:
    X, y = regression()
    twin = twin_of(lm.LinearRegression().fit(X[:, :1], y[:, np.newaxis]), X[:, :1])
    assert model_of(twin).predict(X[:3, :1]).shape == (3, 1)


def test_a_constant_column_and_odd_names() -> None:
    X, y = classes(2)
    frame = pd.DataFrame(X, columns=["a b", "ä", "1", "x", "", "y-z"])
    frame["1"] = 7.0
    model = lm.SGDClassifier(loss="log_loss", random_state=0).fit(StandardScaler().fit_transform(frame), y)
    twin_of(model, frame.to_numpy())
    named = lm.RidgeClassifier().fit(frame, y)
    assert isinstance(model_of(twin_of(named, frame)), Model)


@pytest.mark.parametrize("labels", [[0, 1], [True, False], [-3, 8], [1.0, 2.0]])
def test_labels_of_other_types(labels: list[Any]) -> None:
    X, y = classes(2)
    y = np.array(labels)[(y == WORDS[0]).astype(int)]
    model = lm.RidgeClassifier().fit(X, y)
    found = model_of(twin_of(model, X)).predict(X)
    assert found.dtype == model.predict(X).dtype
    assert found.tolist() == model.predict(X).tolist()


def test_no_linear_model_is_forgotten() -> None:
    """Every public linear model is one of those above, or of the generalised linear ones."""
    own = {type(model) for model in (*REGRESSORS, *MANY_TARGETS, *CLASSIFIERS)}
    elsewhere = {
        *(lm.PassiveAggressiveClassifier, lm.PassiveAggressiveRegressor, lm.SGDOneClassSVM),
        *(lm.GammaRegressor, lm.PoissonRegressor, lm.TweedieRegressor),
    }
    public = {cls for _, cls in all_estimators() if cls.__module__.startswith("sklearn.linear_model")}
    assert public - own == elsewhere
    assert issubclass(LinearSVR, LinearModel)
    assert issubclass(LinearSVC, LinearClassifierMixin)
