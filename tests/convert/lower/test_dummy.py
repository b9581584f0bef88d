"""Dummies beside their twins."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert.errors import UnsupportedError

from .twins import levels, model_of, twin_of

rng = np.random.default_rng(1)
X = rng.normal(size=(60, 3))
WORDS = np.array(["oak", "ash", "elm"])[rng.integers(0, 3, 60)]


@pytest.mark.parametrize(
    "model",
    [
        DummyRegressor(),
        DummyRegressor(strategy="median"),
        DummyRegressor(strategy="quantile", quantile=0.3),
        DummyRegressor(strategy="constant", constant=7.5),
    ],
    ids=repr,
)
def test_a_regressor(model: Any) -> None:
    assert levels(twin_of(model.fit(X, X[:, 0]), X)) == {"predict": "bit"}


def test_a_regressor_of_several_targets() -> None:
    assert levels(twin_of(DummyRegressor().fit(X, X[:, :2]), X)) == {"predict": "bit"}


@pytest.mark.parametrize("strategy", ["prior", "most_frequent", "constant"])
def test_a_classifier(strategy: str) -> None:
    model = DummyClassifier(strategy=strategy, constant="elm").fit(X, WORDS)
    twin = twin_of(model, X)
    assert levels(twin)["predict"] == levels(twin)["predict_proba"] == "bit"
    assert model_of(twin).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("strategy", ["prior", "most_frequent", "constant"])
def test_a_classifier_of_several_outputs(strategy: str) -> None:
    y = np.column_stack([WORDS, WORDS[::-1]])
    model = DummyClassifier(strategy=strategy, constant=["elm", "oak"]).fit(X, y)
    assert model_of(twin_of(model, X)).predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("strategy", ["stratified", "uniform"])
def test_one_that_draws_at_random_is_refused(strategy: str) -> None:
    with pytest.raises(UnsupportedError, match=f"answers alike each time.*'{strategy}'"):
        twin_of(DummyClassifier(strategy=strategy, random_state=0).fit(X, WORDS), X)


def test_one_that_draws_at_random_is_refused_before_it_is_asked() -> None:
    """What it answers to numbers in an array of objects says nothing of whether they are numbers to the pipeline."""
    model = make_pipeline(StandardScaler(), DummyClassifier(strategy="uniform")).fit(X.astype(object), WORDS)
    with pytest.raises(UnsupportedError, match=r"answers alike each time.*'uniform'"):
        twin_of(model, X.astype(object))


def test_categories_are_no_obstacle() -> None:
    frame = pd.DataFrame({"word": WORDS, "number": X[:, 0]})
    assert levels(twin_of(DummyClassifier().fit(frame, WORDS), frame))["predict"] == "bit"


def test_a_model_whose_every_row_ties_can_be_loaded() -> None:
    model = DummyClassifier().fit(X, np.arange(60) % 2)
    assert model_of(twin_of(model, X)).predict(X[:2]).tolist() == [0, 0]


def test_a_model_of_one_class_answers_one_row() -> None:
    """The same row for all has a shape that the graph cannot tell beforehand."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = DummyClassifier().fit(X, np.full(30, "only"))
    found = model_of(twin_of(model, X))
    assert found.predict(X[:1]).tolist() == ["only"]
    assert found.predict_proba(X[:1]).tolist() == [[1.0]]
