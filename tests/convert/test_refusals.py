"""Which rows are refused is found by few questions, and is what asking one by one would find."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

import convert.refusals
from convert.lower import tables
from convert.narrow import narrowed
from convert.refusals import taken
from convert.search import search

ROWS = 60
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": RNG.normal(size=ROWS),
        "b": RNG.normal(size=ROWS) * 1e-3,
        "c": pd.Series(RNG.choice(["x", "y"], ROWS), dtype=object),
        "d": pd.Series(RNG.choice(["u", "v", "w"], ROWS), dtype=object),
    }
)
LABELS = (FRAME["a"] > 0).astype(int)


def odd_rows() -> pd.DataFrame:
    """Rows of the sample, some with what one step or another may refuse."""
    frame = FRAME.copy()
    for row, name, cell in (
        (1, "a", np.nan),
        (2, "b", np.inf),
        (3, "c", "unseen"),
        (5, "d", None),
        (8, "d", "unseen"),
        (13, "a", 1e300),
        (14, "b", 1e37),
        (21, "b", -1e300),
    ):
        frame.loc[row, name] = cell
    return frame


def columns(numbers: Any, encoder: Any) -> ColumnTransformer:
    return ColumnTransformer([("numbers", numbers, ["a", "b"]), ("rest", encoder, ["c", "d"])])


class Moody(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Refuses negative numbers by an error of its own."""

    def fit(self, X: Any, y: Any = None) -> Any:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        if (np.asarray(X)[:, 0] < 0).any():
            raise RuntimeError("not today")
        return X


class Picky(Pipeline):  # type: ignore[misc]
    """A pipeline that refuses what its steps take."""

    def predict(self, X: Any, **params: Any) -> Any:
        if (X["a"] > 1).any():
            raise ValueError("too good to be true")
        return super().predict(X, **params)


STRICT = OneHotEncoder(handle_unknown="error")
PIPELINES = {
    "strict": make_pipeline(columns(StandardScaler(), STRICT), LogisticRegression()),
    "ordinal": make_pipeline(columns(SimpleImputer(), OrdinalEncoder()), RandomForestClassifier(3, random_state=0)),
    "target": make_pipeline(columns(SimpleImputer(), TargetEncoder(cv=2, random_state=0)), LogisticRegression()),
    "nested": make_pipeline(
        FeatureUnion([("one", columns("passthrough", STRICT)), ("two", columns(SimpleImputer(), STRICT))]),
        RandomForestClassifier(3, random_state=0),
    ),
    "search": GridSearchCV(make_pipeline(columns(SimpleImputer(), STRICT), LogisticRegression()), {}, cv=2),
    "function": make_pipeline(
        columns(make_pipeline(Moody(), FunctionTransformer(np.abs)), OrdinalEncoder()), LogisticRegression()
    ),
    "its own": Picky([("columns", columns(SimpleImputer(), STRICT)), ("model", LogisticRegression())]),
}


def one_by_one(pipeline: Any, X: Any) -> list[bool]:
    found = []
    for row in range(len(X)):
        try:
            pipeline.predict(X.iloc[[row]] if isinstance(X, pd.DataFrame) else X[[row]])
        except Exception:
            found.append(False)
        else:
            found.append(True)
    return found


def fitted(name: str) -> Any:
    where = FRAME["a"] >= 0 if name == "function" else FRAME["a"] < np.inf
    labels = LABELS if name != "function" else (FRAME["b"] > 0).astype(int)
    return copy.deepcopy(PIPELINES[name]).fit(FRAME[where], labels[where])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PIPELINES)
def test_rows_are_refused_as_one_by_one(name: str) -> None:
    """By steps of every kind, by a step's own error, and by a pipeline that refuses more than its steps do."""
    pipeline, rows = fitted(name), odd_rows()
    found = taken(pipeline, "predict", rows)
    assert found.tolist() == one_by_one(pipeline, rows)
    assert 0 < found.sum() < ROWS


def test_arrays_and_sparse_matrices_have_rows_too() -> None:
    """As what stands between steps."""
    X = FRAME[["a", "b"]].to_numpy()
    model = LogisticRegression().fit(X, LABELS)
    odd = X.copy()
    odd[[3, 7], 1] = np.nan
    assert np.flatnonzero(~taken(model, "predict", odd)).tolist() == [3, 7]
    assert np.flatnonzero(~taken(model, "predict", csr_matrix(odd))).tolist() == [3, 7]


@pytest.mark.parametrize("takes", [True, False])
def test_an_encoder_cut_to_a_column_is_not_believed(monkeypatch: pytest.MonkeyPatch, takes: bool) -> None:
    """One that takes or refuses all that it is asked changes nothing: the encoder itself is asked."""

    class Liar(TransformerMixin, BaseEstimator):  # type: ignore[misc]
        def transform(self, X: Any) -> Any:
            if takes:
                return X
            raise ValueError

    encoder = OneHotEncoder(handle_unknown="error").fit(FRAME[["c", "d"]])
    rows = odd_rows()[["c", "d"]]
    expected = taken(encoder, "transform", rows)
    assert np.flatnonzero(~expected).tolist() == [3, 5, 8]
    monkeypatch.setattr(convert.refusals, "narrowed", lambda encoder, column: Liar())
    assert taken(encoder, "transform", rows).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="error"),
        OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
        OneHotEncoder(min_frequency=25, handle_unknown="infrequent_if_exist"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
        OrdinalEncoder(),
        TargetEncoder(cv=2, random_state=0),
    ],
)
def test_tables_are_those_of_the_whole_encoder(monkeypatch: pytest.MonkeyPatch, encoder: Any) -> None:
    """A column at a time they are the same as with the others beside it, and where a part would say otherwise the whole
    is asked."""
    rows = FRAME[["c", "d"]].copy()
    rows.loc[7, "d"] = None
    y = RNG.integers(0, 3, ROWS)
    encoder = copy.deepcopy(encoder).fit(rows, y)
    width = encoder.transform(rows.iloc[:1]).shape[1]
    own = getattr(encoder, "_n_features_outs", [width // 2] * 2)
    known = [(categories, None, int(width)) for categories, width in zip(encoder.categories_, own, strict=True)]
    apart = tables._column_by_column(encoder, known)
    assert apart is not None
    monkeypatch.setattr(tables, "_column_by_column", lambda *_: None)
    whole = tables.tables_of(encoder, known)
    for one, other in zip(apart, whole, strict=True):
        assert one.values == other.values
        np.testing.assert_array_equal(one.rows.toarray(), other.rows.toarray())
    monkeypatch.undo()
    monkeypatch.setattr(tables, "narrowed", lambda encoder, column: narrowed(encoder, 1 - column))
    assert tables._column_by_column(encoder, known) is None


@pytest.mark.parametrize(
    ("refused", "most"), [((), 1), ((0,), 30), ((499,), 30), ((3, 250, 251), 80), (range(500), 520)]
)
def test_a_search_asks_as_often_as_it_must(refused: Sequence[int], most: int) -> None:
    """Once where all are taken, a few times for each that is not, and about once each where none is."""
    asked: list[Sequence[int]] = []

    def takes(group: Sequence[int]) -> bool:
        asked.append(group)
        return not set(group) & set(refused)

    assert search(range(500), takes) == [item for item in range(500) if item not in set(refused)]
    assert len(asked) <= most


@pytest.mark.parametrize("seed", range(20))
def test_a_search_finds_what_is_taken(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bad: NDArray[np.bool_] = rng.random(100) < rng.random() ** 3
    assert search(range(100), lambda group: not bad[list(group)].any()) == np.flatnonzero(~bad).tolist()
