"""The rows that a model is asked before it serves, where a pipeline takes few of those that are drawn."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.random_projection import GaussianRandomProjection

from convert import UnsupportedError, canaries
from convert.asked import Batch, taken
from convert.bounds import Bounds
from convert.parity import ULP
from convert.shaken import Shaken
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
    assert drawn == [usual, usual * canaries.MORE, usual]  # the last time in the company that they keep
    assert len(twin.proof.canary.rows) == usual
    model_of(twin)


def test_a_pipeline_that_takes_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, for nobody could load it."""
    monkeypatch.setattr(canaries, "taken", lambda *_: [])
    with pytest.raises(UnsupportedError, match=r"refuses 256 of 256: without any a model cannot be checked"):
        twin_of(MODEL, X)


def test_those_that_roundings_move_by_more_than_the_bound_are_left_out() -> None:
    """Another processor would refuse the bundle for them: the sine of a product that has some hundreds' digits."""
    rows = 300 * np.random.default_rng(1).normal(size=(60, 3))
    wave = make_pipeline(GaussianRandomProjection(1, random_state=0), FunctionTransformer(np.sin)).fit(rows)
    twin = twin_of(wave, rows)
    model, output = model_of(twin), twin.manifest.outputs[0]
    names = [feature.name for feature in twin.manifest.inputs]
    kept = model.tensors.rows([dict(zip(names, row, strict=True)) for row in twin.proof.canary.rows])
    bounds = Bounds.of(twin.scope, kept, (len(kept),), Shaken(model, twin.graph, twin.scope))
    moved = bounds.moved(output, twin.proof.outputs["transform"].floor, np.ones(len(kept), bool))
    assert 0 < len(kept) < len(twin_of(MODEL, X).proof.canary.rows)
    assert moved.max() <= ULP


def test_numbers_in_an_array_of_objects_are_compared_as_numbers() -> None:
    """As a ColumnTransformer gives them that passes booleans on beside numbers; some are missing."""
    frame = pd.DataFrame({"size": X[:, 0], "floor": np.arange(60) % 3, "new": np.arange(60) % 2 == 0})
    transformer = ColumnTransformer([("size", SimpleImputer(), ["size"])], remainder="passthrough").fit(frame)
    assert transformer.transform(frame).dtype == object
    twin = twin_of(transformer, frame)
    assert any(None in row for row in twin.proof.canary.rows)
    assert model_of(twin).transform(frame).tolist() == transformer.transform(frame).tolist()
