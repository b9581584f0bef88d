"""Neighbours among sparse rows, as one-hot columns and counted words are."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    RadiusNeighborsRegressor,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from convert import UnsupportedError
from convert.bounds import Bounds
from convert.build import Twin
from convert.lower import nearest
from convert.settled import first_of_equals
from convert.shaken import Shaken

from .twins import model_of, twin_of

RNG = np.random.default_rng(12)
FRAME = pd.DataFrame({"a": RNG.choice(list("abcd"), 90), "b": RNG.choice(list("xyz"), 90), "n": RNG.normal(size=90)})
CATEGORIES = FRAME[["a", "b"]]
WORDS = ["red", "green", "blue", "dark", "light", "big", "small", "old", "new", "cat", "dog", "bird"]
TEXTS = pd.DataFrame({"text": [" ".join(RNG.choice(WORDS, 6)) for _ in range(90)]})
NUMBERS = RNG.normal(size=90)
THREE = RNG.choice(["u", "v", "w"], 90)


def mixed(model: Any) -> Pipeline:
    """Behind categories and a number, all sparse."""
    encode = (OneHotEncoder(handle_unknown="ignore"), ["a", "b"])
    return make_pipeline(make_column_transformer(encode, (StandardScaler(), ["n"]), sparse_threshold=1.0), model)


def encoded(model: Any) -> Pipeline:
    """Behind categories alone."""
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), model).fit(CATEGORIES, THREE)


def undecided(twin: Twin, rows: pd.DataFrame) -> list[bool]:
    model = model_of(twin)
    shaken = Shaken(model, twin.graph, twin.scope)
    found: list[bool] = Bounds.of(twin.scope, model.tensors.of(rows), (len(rows),), shaken).undecided.tolist()
    return found


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsRegressor(3),
        KNeighborsRegressor(3, weights="distance"),
        KNeighborsRegressor(3, metric="manhattan"),
        KNeighborsRegressor(3, metric="cosine", weights="distance"),
        RadiusNeighborsRegressor(1.5),
        LocalOutlierFactor(5, novelty=True),
    ],
    ids=repr,
)
def test_behind_categories_and_numbers(model: Any) -> None:
    proof = twin_of(mixed(model).fit(FRAME, NUMBERS), FRAME).proof
    assert proof.level in ("bit", "ulp")
    assert all(output.ties == 0 for output in proof.outputs.values())


def test_behind_counted_words() -> None:
    pipeline = make_pipeline(make_column_transformer((TfidfVectorizer(), "text")), KNeighborsClassifier(5))
    assert twin_of(pipeline.fit(TEXTS, THREE), TEXTS).proof.outputs["predict"].label_mismatches == 0


def test_equally_near_categories_are_taken_in_order() -> None:
    """NumPy's partition takes whichever of them; their distances are whole numbers, so that no rounding decides."""
    pipeline = encoded(KNeighborsClassifier(3))
    twin = twin_of(pipeline, CATEGORIES)
    assert twin.proof.outputs["predict_proba"].ties > 0
    with first_of_equals():
        expected = pipeline.predict_proba(CATEGORIES)
    assert model_of(twin).predict_proba(CATEGORIES).tolist() == expected.tolist()
    assert not any(undecided(twin, CATEGORIES))


def test_a_row_of_zeros_alone_is_the_processors_to_decide() -> None:
    """scikit-learn's own loop over sparse rows takes none without a number; with others beside it the row is decided
    as they are."""
    twin = twin_of(encoded(KNeighborsClassifier(3, metric="manhattan")), CATEGORIES)
    unseen = pd.DataFrame({"a": ["a", "?", "?"], "b": ["x", "x", "?"]})
    assert undecided(twin, unseen) == [False, False, True]


def test_too_many_with_their_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there is any memory for them."""
    monkeypatch.setattr(nearest, "LIMIT", 1000)
    with pytest.raises(UnsupportedError, match="found 90 rows of 7 columns: fit it on fewer rows"):
        twin_of(encoded(KNeighborsClassifier(3)), CATEGORIES)
