"""SimpleImputer and MissingIndicator beside their twins."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from convert.errors import UnsupportedError

from .samples import GAPS, NUMBER, RNG, THREE
from .twins import levels, twin_of

ROWS = len(GAPS)
EMPTY = np.column_stack([np.round(GAPS[:, :3]), np.full(ROWS, np.nan)])
CODES = RNG.choice([-1.0, 0.5, 2.0], (ROWS, 3))
WORDS = np.column_stack(
    [
        RNG.choice(np.array(["ash", "elm", None], object), ROWS),
        RNG.choice(np.array(["oak", "fir", None], object), ROWS, p=[0.6, 0.3, 0.1]),
    ]
)
NAN_WORDS = np.where(pd.isna(WORDS), np.nan, WORDS)
FOREST = RandomForestClassifier(5, random_state=0)


@pytest.mark.filterwarnings("ignore:Skipping features", "ignore:Currently, when")
@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("parameters", [{}, {"add_indicator": True}, {"keep_empty_features": True}], ids=str)
def test_strategies(parameters: Any, strategy: Any) -> None:
    """A column of nothing but missing values is dropped, or kept."""
    imputer = SimpleImputer(strategy=strategy, **parameters)
    assert levels(twin_of(imputer.fit(EMPTY), EMPTY)) == {"transform": "bit"}
    twin = twin_of(make_pipeline(imputer, FOREST).fit(EMPTY, THREE), EMPTY)
    assert levels(twin)["predict_proba"] == "bit"
    assert "computed" not in twin.scope.folded[0]


@pytest.mark.parametrize("add_indicator", [True, False])
def test_another_marker(add_indicator: bool) -> None:
    imputer = SimpleImputer(missing_values=-1.0, strategy="mean", add_indicator=add_indicator)
    assert levels(twin_of(imputer.fit(CODES), CODES)) == {"transform": "bit"}


def test_own_values() -> None:
    imputer = SimpleImputer(strategy="constant", fill_value=-7.5)
    assert levels(twin_of(imputer.fit(GAPS), GAPS)) == {"transform": "bit"}


@pytest.mark.parametrize(
    ("words", "marker"),
    [(WORDS, None), (NAN_WORDS, np.nan), (WORDS[:, :1] == None, True)],  # noqa: E711
    ids=["None", "NaN", "booleans"],
)
@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
@pytest.mark.parametrize("add_indicator", [True, False], ids=["indicator", "alone"])
def test_words(add_indicator: bool, strategy: Any, words: Any, marker: Any) -> None:
    """Renamed, no more, until an encoder makes numbers of them."""
    if marker is True:
        words = np.where(words, "gap", "given").astype(object)
        marker = "gap"
    imputer = SimpleImputer(
        strategy=strategy,
        missing_values=marker,
        fill_value="none" if strategy == "constant" else None,
        add_indicator=add_indicator,
    )
    pipeline = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"), FOREST).fit(words, THREE)
    assert levels(twin_of(pipeline, words))["predict_proba"] == "bit"


def test_words_are_no_answer() -> None:
    with pytest.raises(UnsupportedError, match="encode them first"):
        twin_of(SimpleImputer(strategy="most_frequent", missing_values=None).fit(WORDS), WORDS)


def test_whole_numbers_that_float64_does_not_hold_are_named() -> None:
    """They are categories to an encoder, which the user never said."""
    large = np.arange(2**60, 2**60 + 60).reshape(-1, 1)
    with pytest.raises(UnsupportedError, match=r"beyond 2\^53, .* in column 'x0': train it on column.astype\(float\)"):
        twin_of(SimpleImputer().fit(large), large)
    assert twin_of(SimpleImputer().fit(large.astype(float)), large.astype(float)).proof.level == "bit"


@pytest.mark.parametrize(
    "parameters",
    [{}, {"features": "all"}, {"error_on_new": False}, {"sparse": True}],
    ids=str,
)
def test_indicator(parameters: Any) -> None:
    data = np.column_stack([GAPS[:, :2], CODES[:, 0]])
    assert levels(twin_of(MissingIndicator(**parameters).fit(data), data)) == {"transform": "bit"}


@pytest.mark.parametrize(
    ("data", "marker"), [(CODES, -1.0), (WORDS, None), (NAN_WORDS, np.nan)], ids=["number", "None", "NaN"]
)
def test_indicator_of_other_markers(data: Any, marker: Any) -> None:
    indicator = MissingIndicator(missing_values=marker, features="all").fit(data)
    assert levels(twin_of(indicator, data)) == {"transform": "bit"}


def test_beside_each_other_in_front_of_a_forest() -> None:
    frame = pd.DataFrame(GAPS, columns=list("abcde"))
    both = ColumnTransformer([("i", SimpleImputer(), ["a", "b"]), ("m", MissingIndicator(), ["c", "d"])])
    twin = twin_of(make_pipeline(both, FOREST).fit(frame, THREE), frame)
    assert levels(twin)["predict_proba"] == "bit"
    assert "computed" not in twin.scope.folded[0]


@pytest.mark.parametrize("strategy", ["mean", "most_frequent", "constant"])
def test_an_imputer_that_was_fitted_on_float32(strategy: str) -> None:
    """Fills with a float32, and leaves float64 as it is."""
    frame = pd.DataFrame(GAPS.astype(np.float32), columns=list("abcde"))
    pipeline = make_pipeline(SimpleImputer(strategy=strategy), StandardScaler())
    assert levels(twin_of(pipeline.fit(frame), frame)) == {"transform": "bit"}
    tree = make_pipeline(SimpleImputer(strategy=strategy), DecisionTreeRegressor(random_state=0)).fit(frame, NUMBER)
    twin = twin_of(tree, frame)
    assert levels(twin) == {"predict": "bit"}
    assert "computed" not in twin.scope.folded[-1]


@pytest.mark.parametrize(("missing", "marker"), [(np.nan, None), (np.nan, np.nan), (pd.NA, None)])
def test_an_imputer_of_the_one_marker_does_not_see_the_other(missing: Any, marker: Any) -> None:
    """None and NaN among objects are two things to scikit-learn."""
    cells = np.array([["x"], ["x"], ["y"], [marker]] * 10, object)
    imputer = SimpleImputer(strategy="most_frequent", missing_values=missing)
    twin_of(make_pipeline(imputer, OneHotEncoder()).fit(cells), cells)
    indicator = MissingIndicator(missing_values=missing, features="all")
    twin_of(make_pipeline(indicator).fit(cells), cells)


def test_none_may_be_what_is_most_frequent() -> None:
    """To an imputer of NaN it is a value like another, and its column no empty one."""
    cells = np.array([["x"], [None], [None], ["y"]] * 10, object)
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True)
    assert imputer.fit(cells).statistics_.tolist() == [None]
    twin_of(make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")).fit(cells), cells)


def test_a_number_among_strings_may_be_filled_with_a_string() -> None:
    """The columns are objects to the imputer, and what was missing is a category to the encoder."""
    frame = pd.DataFrame({"city": ["Ulm", "Köln", None] * 20, "floor": [1, 2, 3] * 20})
    for encoder in (
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ):
        pipeline = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), encoder).fit(frame)
        twin = twin_of(pipeline, frame)
        assert levels(twin) == {"transform": "bit"}
        assert [feature.kind for feature in twin.manifest.inputs] == ["category", "number"]
        assert twin.manifest.inputs[1].missing
    cells = frame[["floor"]].astype(object).to_numpy()
    pipeline = make_pipeline(SimpleImputer(strategy="constant"), StandardScaler()).fit(cells)
    assert not twin_of(pipeline, cells).manifest.inputs[0].missing
