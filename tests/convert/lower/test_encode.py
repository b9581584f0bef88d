"""OneHotEncoder and OrdinalEncoder beside their twins: every parameter, every kind of column."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

from convert.errors import SampleError

from .samples import RNG, THREE
from .twins import levels, model_of, twin_of

ROWS = len(THREE)
FRAME = pd.DataFrame(
    {
        "tree": RNG.choice(["ash", "elm", "oak", "fir"], ROWS, p=[0.5, 0.3, 0.15, 0.05]),
        "two": RNG.choice(["yes", "no"], ROWS),
        "gap": RNG.choice(np.array(["p", "q", np.nan], object), ROWS),
        "none": pd.Series(RNG.choice(np.array(["k", "l", None], object), ROWS), dtype=object),
        "code": RNG.integers(0, 5, ROWS),
        "size": RNG.choice([1.5, 2.5, -3.0], ROWS),
        "hole": RNG.choice([1.0, 2.0, np.nan], ROWS),
        "flag": RNG.random(ROWS) < 0.5,
        "large": RNG.integers(0, 3, ROWS) + 2**60,
        "dtype": pd.Categorical(RNG.choice(["s", "m", "l"], ROWS), categories=["s", "m", "l", "xl"], ordered=True),
    }
)
COLUMNS = [["tree", "two"], ["gap"], ["none", "gap"], ["code", "size"], ["hole"], ["flag"], ["large"], ["dtype"]]
FOREST = RandomForestClassifier(5, random_state=0)


@pytest.mark.parametrize("columns", COLUMNS, ids="-".join)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"handle_unknown": "ignore"},
        {"handle_unknown": "infrequent_if_exist", "min_frequency": 15},
        {"handle_unknown": "warn", "max_categories": 2},
        {"drop": "first"},
        {"drop": "if_binary", "handle_unknown": "ignore"},
        {"sparse_output": False, "min_frequency": 0.2, "drop": "first", "handle_unknown": "warn"},
    ],
    ids=str,
)
def test_one_hot(parameters: Any, columns: list[str]) -> None:
    frame = FRAME[columns]
    assert levels(twin_of(OneHotEncoder(**parameters).fit(frame), frame)) == {"transform": "bit"}


@pytest.mark.parametrize("columns", COLUMNS, ids="-".join)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"handle_unknown": "use_encoded_value", "unknown_value": -1},
        {"handle_unknown": "use_encoded_value", "unknown_value": np.nan, "encoded_missing_value": -7},
        {"handle_unknown": "use_encoded_value", "unknown_value": 99, "max_categories": 2},
        {"handle_unknown": "use_encoded_value", "unknown_value": -1, "min_frequency": 30, "dtype": np.float32},
    ],
    ids=str,
)
def test_ordinal(parameters: Any, columns: list[str]) -> None:
    frame = FRAME[columns]
    assert levels(twin_of(OrdinalEncoder(**parameters).fit(frame), frame)) == {"transform": "bit"}


def test_categories_and_drops_given_by_hand() -> None:
    frame = FRAME[["tree", "two"]]
    given = [["oak", "fir", "elm", "ash", "box"], ["no", "yes"]]
    for encoder in (
        OneHotEncoder(categories=given),
        OneHotEncoder(categories=given, drop=["elm", "yes"]),
        OrdinalEncoder(categories=given),
    ):
        assert levels(twin_of(encoder.fit(frame), frame)) == {"transform": "bit"}


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize(
    "encoder",
    [OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)],
    ids=["one-hot", "ordinal"],
)
def test_forests_behind_every_kind_of_column(encoder: Any, fold: bool) -> None:
    pipeline = make_pipeline(encoder, FOREST).fit(FRAME, THREE)
    assert levels(twin_of(pipeline, FRAME, fold=fold))["predict_proba"] == "bit"


@pytest.mark.parametrize(
    ("columns", "before"),
    [
        (["code", "hole"], SimpleImputer(strategy="most_frequent")),
        (["gap", "tree"], SimpleImputer(strategy="most_frequent")),
        (["tree", "two"], OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
    ],
    ids=["numbers imputed", "words imputed", "encoded"],
)
def test_a_one_hot_behind_other_steps_folds_whole(columns: list[str], before: Any) -> None:
    """Which numbers of the request become a category is found exactly, an imputed one's included."""
    frame = FRAME[columns]
    pipeline = make_pipeline(before, OneHotEncoder(handle_unknown="ignore"), FOREST).fit(frame, THREE)
    twin = twin_of(pipeline, frame)
    assert levels(twin)["predict_proba"] == "bit"
    assert "computed" not in twin.scope.folded[-1]


@pytest.mark.parametrize(
    "before",
    [KBinsDiscretizer(3, encode="ordinal", strategy="uniform"), StandardScaler()],
    ids=["bins", "scaled"],
)
def test_categories_that_many_numbers_become_are_computed(before: Any) -> None:
    frame = FRAME[["code", "size"]]
    pipeline = make_pipeline(before, OneHotEncoder(handle_unknown="ignore"), FOREST).fit(frame, THREE)
    assert levels(twin_of(pipeline, frame))["predict_proba"] == "bit"


def test_one_marker_a_column() -> None:
    """None in one column and NaN in another are each what they are; in the same column they cannot be told apart."""
    both = FRAME[["none"]].copy()
    both.iloc[:20, 0] = np.nan
    encoder = OneHotEncoder(handle_unknown="ignore").fit(both)
    with pytest.raises(SampleError, match="None and NaN"):
        twin_of(encoder, both)
    alike = make_pipeline(OrdinalEncoder(encoded_missing_value=-1), SimpleImputer()).fit(FRAME[["none"]])
    assert levels(twin_of(alike, FRAME[["none"]])) == {"transform": "bit"}


def test_arrays_of_objects() -> None:
    """None in an array is None, whatever pandas makes of it."""
    array = FRAME[["none", "tree"]].to_numpy(object)
    model = model_of(twin_of(OneHotEncoder().fit(array), array))
    assert model.transform([{"x0": None, "x1": "elm"}]).sum() == 2


def test_booleans_of_one_kind() -> None:
    always = pd.DataFrame({"flag": np.ones(ROWS, bool)})
    assert levels(twin_of(OneHotEncoder(handle_unknown="ignore").fit(always), always)) == {"transform": "bit"}


def test_many_categories_stay_quick() -> None:
    words = pd.DataFrame({"word": [f"word {index}" for index in range(3000)]})
    assert levels(twin_of(OrdinalEncoder().fit(words), words)) == {"transform": "bit"}
