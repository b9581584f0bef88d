"""The rows that a model is asked before it serves, where a pipeline takes few of those that are drawn."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression

from convert import UnsupportedError, canaries
from convert.asked import Batch, taken
from tests.convert.lower.twins import model_of, twin_of

X = np.random.default_rng(0).normal(size=(60, 2))
MODEL = LinearRegression().fit(X, X.sum(axis=1))


def test_more_are_drawn_where_none_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model has as many as ever."""
    usual = len(twin_of(MODEL, X).proof.canary.rows)
    drawn = list[int]()

    def the_last(pipeline: Any, signature: Any, methods: Any, frame: Any) -> list[Batch]:
        drawn.append(len(frame))
        return taken(pipeline, signature, methods, frame)[: len(drawn) - 1]

    monkeypatch.setattr(canaries, "taken", the_last)
    twin = twin_of(MODEL, X)
    assert drawn == [usual, usual * canaries.MORE]
    assert len(twin.proof.canary.rows) == usual
    model_of(twin)


def test_a_pipeline_that_takes_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, for nobody could load it."""
    monkeypatch.setattr(canaries, "taken", lambda *_: [])
    with pytest.raises(UnsupportedError, match=r"refuses 256 of 256: without any a model cannot be checked"):
        twin_of(MODEL, X)


def test_numbers_in_an_array_of_objects_are_compared_as_numbers() -> None:
    """As a ColumnTransformer gives them that passes booleans on beside numbers; some are missing."""
    frame = pd.DataFrame({"size": X[:, 0], "floor": np.arange(60) % 3, "new": np.arange(60) % 2 == 0})
    transformer = ColumnTransformer([("size", SimpleImputer(), ["size"])], remainder="passthrough").fit(frame)
    assert transformer.transform(frame).dtype == object
    twin = twin_of(transformer, frame)
    assert any(None in row for row in twin.proof.canary.rows)
    assert model_of(twin).transform(frame).tolist() == transformer.transform(frame).tolist()
