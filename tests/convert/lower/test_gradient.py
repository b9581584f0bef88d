"""Gradient boosting: every loss, link and start; native categories."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from convert.errors import UnsupportedError
from tests.convert.lower import samples
from tests.convert.lower.twins import levels, twin_of

BINARY, FOUR, GAPS, NUMBER, THREE, YES_NO, X = (
    part[:80]
    for part in (samples.BINARY, samples.FOUR, samples.GAPS, samples.NUMBER, samples.THREE, samples.YES_NO, samples.X)
)
POSITIVE = np.exp(NUMBER / 4)
RNG = np.random.default_rng(5)
WORDS = RNG.choice(["red", "green", "blue", "grün", ""], len(X))
FRAME = pd.DataFrame({"a": X[:, 0], "word": WORDS, "b": X[:, 1], "code": RNG.choice([3, 5, 70], len(X))})
GAPPY = FRAME.assign(word=[None if gap else word for word, gap in zip(WORDS, np.isnan(GAPS[:, 0]), strict=True)])
LABELS = np.where((FRAME["word"] == "red") ^ (X[:, 0] > 0) ^ (FRAME["code"] == 5), "yes", "no")


@pytest.mark.parametrize("target", [YES_NO, THREE, FOUR])
@pytest.mark.parametrize("parameters", [{}, {"init": "zero"}, {"subsample": 0.6, "max_leaf_nodes": 4}], ids=str)
def test_classifiers(target: Any, parameters: Any) -> None:
    """Decisions and labels at level bit, probabilities through Exp."""
    model = GradientBoostingClassifier(n_estimators=6, random_state=0, **parameters).fit(X, target)
    found = levels(twin_of(model, X))
    assert (found["predict"], found["decision_function"]) == ("bit", "bit")
    assert {"predict_proba", "predict_log_proba"} <= set(found)


def test_the_exponential_loss() -> None:
    """Has a link of its own."""
    model = GradientBoostingClassifier(loss="exponential", n_estimators=6, random_state=0).fit(X, BINARY)
    assert levels(twin_of(model, X))["decision_function"] == "bit"


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("init", [None, "zero", DecisionTreeRegressor(max_depth=3, random_state=0)], ids=str)
def test_losses_and_starts(loss: Any, init: Any) -> None:
    """A start of each row's own as well."""
    model = GradientBoostingRegressor(loss=loss, init=init, n_estimators=8, random_state=0).fit(X, NUMBER)
    assert levels(twin_of(model, X)) == {"predict": "bit"}


@pytest.mark.parametrize("target", [YES_NO, THREE])
@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
@pytest.mark.parametrize(
    "init", [DecisionTreeClassifier(max_depth=2), RandomForestClassifier(3, random_state=0)], ids=["tree", "forest"]
)
def test_starts_of_classifiers(target: Any, loss: Any, init: Any) -> None:
    """Through the link, at level ulp; probabilities of zero and one are clipped."""
    if loss == "exponential" and target is THREE:
        pytest.skip("two classes only")
    model = GradientBoostingClassifier(loss=loss, init=init, n_estimators=5, random_state=0).fit(X, target)
    assert twin_of(model, X).proof.level in ("bit", "ulp")


def test_a_start_that_is_drawn_is_refused() -> None:
    """A stratified dummy answers to each row what it draws."""
    init = DummyClassifier(strategy="stratified", random_state=0)
    with pytest.raises(UnsupportedError, match="stratified"):
        twin_of(GradientBoostingClassifier(init=init, n_estimators=3, random_state=0).fit(X, YES_NO), X)


@pytest.mark.parametrize(
    ("boosting", "init", "target"),
    [
        (GradientBoostingRegressor, LinearRegression(), NUMBER),
        (GradientBoostingClassifier, LogisticRegression(), YES_NO),
        (GradientBoostingClassifier, LogisticRegression(), THREE),
    ],
    ids=["regressor", "two classes", "three classes"],
)
def test_linear_starts(boosting: Any, init: Any, target: Any) -> None:
    """scikit-learn computes them in float32, and a scaler before a tree, unless a step before makes float64 of the
    rows."""
    tree = DecisionTreeClassifier if target is not NUMBER else DecisionTreeRegressor
    for single in (init, make_pipeline(StandardScaler(), tree(max_depth=3))):
        name = type(single).__name__
        with pytest.raises(UnsupportedError, match=rf"an init estimator that computes in float64, found {name}"):
            twin_of(boosting(init=single, n_estimators=5, random_state=0).fit(X, target), X)
    precise = make_pipeline(FunctionTransformer(np.float64), init)
    twin = twin_of(boosting(init=precise, n_estimators=5, random_state=0).fit(X, target), X)
    assert twin.proof.level in ("bit", "ulp")


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("squared_error", NUMBER),
        ("absolute_error", NUMBER),
        ("gamma", POSITIVE),
        ("poisson", POSITIVE),
        ("quantile", NUMBER),
    ],
)
def test_losses_of_histograms(loss: Any, target: Any) -> None:
    """gamma and poisson go through Exp."""
    more = {"quantile": 0.3} if loss == "quantile" else {}
    model = HistGradientBoostingRegressor(loss=loss, max_iter=8, **more).fit(GAPS, target)
    expected = "ulp" if target is POSITIVE else "bit"
    assert twin_of(model, GAPS).proof.level == expected


@pytest.mark.parametrize("target", [YES_NO, THREE])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"interaction_cst": [{0, 1}, {2, 3, 4}]},
        {"max_features": 0.5, "l2_regularization": 1.0},
        {"max_bins": 5},
        {"max_depth": 1},
    ],
    ids=str,
)
def test_classifiers_of_histograms(target: Any, parameters: Any) -> None:
    """With missing values."""
    model = HistGradientBoostingClassifier(max_iter=6, random_state=0, **parameters).fit(GAPS, target)
    found = levels(twin_of(model, GAPS))
    assert (found["predict"], found["decision_function"]) == ("bit", "bit")


def test_constraints_of_histograms() -> None:
    """Monotone in some columns."""
    model = HistGradientBoostingRegressor(max_iter=6, monotonic_cst=[1, -1, 0, 0, 1]).fit(X, NUMBER)
    assert levels(twin_of(make_pipeline(StandardScaler(), model).fit(X, NUMBER), X)) == {"predict": "bit"}


def _as_category(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"word": "category", "code": "category"})


@pytest.mark.parametrize("frame", [FRAME, GAPPY], ids=["whole", "gaps"])
@pytest.mark.parametrize(
    ("categorical", "dtyped"),
    [("from_dtype", True), (["word", "code"], False), ([1, 3], True), ([False, True, False, True], False)],
    ids=str,
)
def test_native_categories(frame: Any, categorical: Any, dtyped: bool) -> None:
    """By dtype, by name, by place and by mask; words and numbers; unseen ones are missing."""
    given = _as_category(frame) if dtyped else frame
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features=categorical, min_samples_leaf=3)
    twin = twin_of(model.fit(given, LABELS), given)
    found = levels(twin)
    assert (found["predict"], found["decision_function"]) == ("bit", "bit")
    regressor = HistGradientBoostingRegressor(max_iter=8, categorical_features=categorical, min_samples_leaf=3)
    assert levels(twin_of(regressor.fit(given, NUMBER), given)) == {"predict": "bit"}


def test_native_categories_of_an_array() -> None:
    """Numbers that are categories."""
    codes = np.column_stack([X[:, 0], FRAME["code"], RNG.integers(0, 40, len(X))])
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features=[1, 2], min_samples_leaf=3)
    assert levels(twin_of(model.fit(codes, LABELS), codes))["decision_function"] == "bit"
