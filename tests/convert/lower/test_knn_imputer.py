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
from convert.bounds import Bounds
from convert.build import Twin
from convert.errors import ParityError
from convert.lower import knn_imputer, metrics
from convert.shaken import Shaken
from tests.convert.drawn.tables import Column, Table

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


RESIDUE = Table(
    (Column(0, "binary", True), Column(1, "binary", True), Column(2, "constant"), Column(3, "integers", True))
).frame(60, 444)
"""With 0.1 in a column: a distance of nothing becomes the root of a rounding."""


def bounds_of(twin: Twin, rows: Any) -> Bounds:
    model = model_of(twin)
    return Bounds.of(twin.scope, model.tensors.of(rows), (len(rows),), Shaken(model, twin.graph, twin.scope))


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_what_hangs_on_the_rounding_of_a_distance_is_a_tie(weights: Any) -> None:
    twin = twin_of(KNNImputer(n_neighbors=3, weights=weights, add_indicator=True).fit(RESIDUE), RESIDUE)
    proof = twin.proof.outputs["transform"]
    assert twin.proof.level == "ulp"
    assert 0 < proof.ties <= proof.rows - proof.identical
    held = bounds_of(twin, RESIDUE)
    assert not held.undecided[RESIDUE.notna().all(axis=1)].any()


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_nothing_hangs_on_it_between_whole_numbers(weights: Any) -> None:
    """Their distances are exact: of equals the first must be taken."""
    twin = twin_of(KNNImputer(n_neighbors=2, weights=weights).fit(WHOLE), WHOLE)
    assert not bounds_of(twin, WHOLE).undecided.any()


def test_a_weighted_mean_is_held_to_the_rounding_of_its_distances() -> None:
    """Far from the origin a distance has few digits; the indicator's columns beside it are held to the same."""
    far = GAPS + 1000
    twin = twin_of(KNNImputer(weights="distance", add_indicator=True).fit(far), far)
    assert twin.proof.outputs["transform"].terms > 1e6
    assert twin_of(KNNImputer(add_indicator=True).fit(far), far).proof.outputs["transform"].terms == 0


@pytest.mark.parametrize(
    ("data", "weights", "off"),
    [(GAPS, "uniform", 1e-1), (GAPS, "distance", 1e-7), (RESIDUE, "uniform", 1e-1), (RESIDUE, "distance", 1e-1)],
    ids=["uniform", "distance", "residue, uniform", "residue, distance"],
)
def test_a_wrong_neighbour_fails(monkeypatch: pytest.MonkeyPatch, data: Any, weights: Any, off: float) -> None:
    """Rounding excuses no fault: the twin of an imputer of other training rows."""
    right = metrics.nan_euclidean

    def wrong(rows: Any, mask: Any, points: Any, absent: Any) -> Any:
        return right(rows, mask, points * (1 + off), absent)

    monkeypatch.setattr(knn_imputer, "nan_euclidean", wrong)
    with pytest.raises(ParityError):
        twin_of(KNNImputer(n_neighbors=3, weights=weights).fit(data), data)


def test_before_a_classifier() -> None:
    frame = pd.DataFrame(WHOLE, columns=list("abcde"))
    twin = twin_of(make_pipeline(KNNImputer(), LogisticRegression()).fit(frame, BINARY[:60]), frame)
    assert twin.proof.outputs["predict"].label_mismatches == 0


@pytest.mark.parametrize("missing", [np.nan, 0.1])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_of_float32(weights: str, missing: float) -> None:
    """Its training rows have so many digits and its requests more; 0.1 among the former is missing, but is no 0.1 as a
    float64 where distances are made. A row of nothing but gaps is given means of float32."""
    given = np.where(np.isnan(GAPS), missing, GAPS)
    imputer = KNNImputer(n_neighbors=2, weights=weights, missing_values=missing).fit(given.astype(np.float32))
    given[0] = missing
    assert imputer._fit_X.dtype == np.float32
    twin = twin_of(imputer, given)
    np.testing.assert_allclose(model_of(twin).transform(given), imputer.transform(given), rtol=1e-12)
