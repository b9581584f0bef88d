"""KNNImputer beside its twin."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.impute._knn as knn
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from convert import settled
from convert.errors import ParityError, UnsupportedError

from .samples import BINARY, GAPS
from .twins import model_of, twin_of

EMPTY = np.column_stack([GAPS[:, :3], np.full(len(GAPS), np.nan)])
WHOLE = np.round(GAPS[:60])
"""Whole numbers: many rows are equally far."""


@pytest.mark.parametrize(
    "parameters",
    [{}, {"weights": "distance"}, {"n_neighbors": 1, "add_indicator": True}, {"n_neighbors": 500}],
    ids=str,
)
def test_parameters(parameters: Any) -> None:
    twin = twin_of(KNNImputer(**parameters).fit(GAPS), GAPS)
    assert twin.proof.outputs["transform"].ties == 0
    model_of(twin)


@pytest.mark.parametrize("keep", [True, False])
def test_a_column_of_gaps_is_dropped_or_zero(keep: bool) -> None:
    twin = twin_of(KNNImputer(keep_empty_features=keep).fit(EMPTY), EMPTY)
    assert model_of(twin).transform(EMPTY).shape[1] == 3 + keep


def test_another_marker() -> None:
    data = np.where(np.isnan(GAPS), -1.0, GAPS)
    twin_of(KNNImputer(missing_values=-1).fit(data), data)


def test_a_row_that_has_nothing_in_common_gets_the_mean() -> None:
    data = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 5.0], [np.nan, 8.0]])
    twin = twin_of(KNNImputer(weights="distance").fit(data), data)
    assert model_of(twin).transform(data).tolist() == [[1.0, 6.5], [3.0, 6.5], [2.0, 5.0], [2.0, 8.0]]


class LastOfEquals:
    """NumPy on a processor of another kind."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def argpartition(values: Any, kth: int, axis: int) -> Any:
        return values.shape[1] - 1 - np.argsort(values[:, ::-1], axis=axis, kind="stable")


def test_of_equally_far_rows_the_first_are_taken() -> None:
    data = np.array([[1.0, 10.0], [-1.0, 20.0], [1.0, 30.0], [-1.0, 40.0]])
    twin = twin_of(KNNImputer(n_neighbors=2).fit(data), data)
    assert model_of(twin).transform(np.array([[0.0, np.nan]])).tolist() == [[0.0, 15.0]]


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_rows_that_this_processor_answers_otherwise_are_counted(monkeypatch: pytest.MonkeyPatch, weights: Any) -> None:
    monkeypatch.setattr(knn, "np", LastOfEquals())
    proof = twin_of(KNNImputer(n_neighbors=2, weights=weights).fit(WHOLE), WHOLE).proof
    assert proof.level == "ulp"
    assert 0 < proof.outputs["transform"].ties <= proof.outputs["transform"].rows - proof.outputs["transform"].identical


def test_in_those_rows_too_the_twin_is_held_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "_Stable", LastOfEquals)
    with pytest.raises(ParityError):
        twin_of(KNNImputer(n_neighbors=2).fit(WHOLE), WHOLE)


def test_before_a_classifier() -> None:
    frame = pd.DataFrame(WHOLE, columns=list("abcde"))
    twin = twin_of(make_pipeline(KNNImputer(), LogisticRegression()).fit(frame, BINARY[:60]), frame)
    assert twin.proof.outputs["predict"].label_mismatches == 0


def test_functions_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="found a Python function"):
        twin_of(KNNImputer(weights=lambda distances: distances).fit(GAPS), GAPS)


def test_float32_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="KNNImputer fitted on float64, found float32"):
        twin_of(KNNImputer().fit(GAPS.astype(np.float32)), GAPS)
