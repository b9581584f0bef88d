"""What a pipeline takes is found by asking it, and a sample that does not fit is one sentence."""

import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, PowerTransformer, StandardScaler

from convert import SampleError
from convert.signature import sign
from tests.convert.lower.twins import levels, twin_of

ROWS = 60
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.uniform(20, 60, ROWS),
        "größe in m": RNG.normal(1.7, 0.1, ROWS),
        "city": RNG.choice(np.array(["Ulm", "Köln", None], object), ROWS),
        "member": RNG.random(ROWS) < 0.5,
        "id": np.arange(ROWS) + 2**60,
    }
)
LABELS = (FRAME["age"] > 40).astype(int)


def fitted(handle_unknown: str = "ignore") -> Any:
    encode = ColumnTransformer(
        [
            ("age", SimpleImputer(), ["age"]),
            ("rest", "passthrough", ["größe in m", "member"]),
            ("city", OneHotEncoder(handle_unknown=handle_unknown), ["city"]),
        ]
    )
    return make_pipeline(encode, RandomForestClassifier(5, random_state=0)).fit(FRAME, LABELS)


def test_features_take_what_the_pipeline_takes() -> None:
    """Imputers and forests take missing values, an encoder with 'ignore' takes unseen categories, and what the
    ColumnTransformer drops is ignored."""
    features = {feature.name: feature for feature in sign(fitted(), FRAME).features}
    assert [f.kind for f in features.values()] == ["number", "number", "category", "boolean", "ignored"]
    assert [f.position for f in features.values()] == [0, 1, 2, 3, None]
    assert features["age"].missing
    assert features["größe in m"].missing
    assert features["city"].missing
    assert features["city"].unknown
    assert not features["age"].infinite


def test_an_encoder_that_raises_for_unseen_categories_is_asked_too() -> None:
    """handle_unknown='error' becomes a feature that refuses."""
    features = {feature.name: feature for feature in sign(fitted("error"), FRAME).features}
    assert not features["city"].unknown


def test_a_tree_takes_what_float32_can_hold() -> None:
    """float32 rounds up to a little above its largest number; beyond, scikit-learn raises."""
    X = FRAME[["age"]].to_numpy()
    forest = RandomForestClassifier(3, random_state=0).fit(X, LABELS)
    (feature,) = sign(forest, X).features
    assert feature.name == "x0"
    assert feature.limit is not None
    forest.predict([[feature.limit]])
    with pytest.raises(ValueError, match="too large"), np.errstate(over="ignore"):
        forest.predict([[np.nextafter(feature.limit, np.inf)]])


def test_boosting_by_histograms_takes_infinity_and_nan() -> None:
    """And a linear model any finite number."""
    X = FRAME[["age"]].to_numpy()
    (feature,) = sign(HistGradientBoostingRegressor(max_iter=3).fit(X, LABELS), X).features
    assert (feature.infinite, feature.missing, feature.limit) == (True, True, None)
    (feature,) = sign(LogisticRegression().fit(X, LABELS), X).features
    assert (feature.infinite, feature.missing, feature.limit) == (False, False, None)


def test_integers_beyond_two_to_the_53_are_categories() -> None:
    """float64 cannot tell them apart."""
    X = FRAME[["id"]]
    pipeline = make_pipeline(OrdinalEncoder(), StandardScaler()).fit(X)
    (feature,) = sign(pipeline, X).features
    assert feature.kind == "category"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.array([1, 2, None] * 20, "Int64"), "number"),
        (pd.array([True, False] * 30, "boolean"), "boolean"),
        (pd.Categorical(["a", "b", "c"] * 20), "category"),
        (pd.Categorical([1, 2, 3] * 20), "number"),
        (np.array([1, 2.5, None] * 20, object), "category"),
        (np.arange(ROWS, dtype=np.float32), "number"),
    ],
)
def test_dtypes_become_kinds(values: Any, kind: str) -> None:
    """Nullable, categorical and object columns are what their values are."""
    X = pd.DataFrame({"c": values})
    encoder = OneHotEncoder(handle_unknown="ignore").fit(X)
    (feature,) = sign(encoder, X).features
    assert feature.kind == kind


def test_a_polars_frame_and_a_list_of_dicts_are_samples() -> None:
    """With the same features as from pandas."""
    X = FRAME[["age", "member"]]
    model = LogisticRegression().fit(X, LABELS)
    expected = sign(model, X).features
    assert sign(model, pl.from_pandas(X)).features == expected
    assert sign(model, X.to_dict("records")).features == expected


def test_numbers_in_a_column_of_objects_are_what_the_pipeline_takes_them_for() -> None:
    """Categories to an encoder (above), numbers to an imputer."""
    X = pd.DataFrame({"c": np.array([1, 2.5, np.nan] * 20, object)})
    (feature,) = sign(SimpleImputer().fit(X), X).features
    assert feature.kind == "number"


def test_numbers_in_a_column_of_objects_may_be_both_at_once() -> None:
    """What an imputer of strings or an encoder that knows None sees must not become NaN; beside it stands a number."""
    cells = np.array([1, 3, None] * 20, object)
    X = pd.DataFrame({"a": cells, "b": cells, "c": cells})
    words = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OrdinalEncoder())
    encode = ColumnTransformer([("w", words, ["a"]), ("o", OneHotEncoder(), ["b"]), ("n", SimpleImputer(), ["c"])])
    assert [feature.kind for feature in sign(encode.fit(X), X).features] == ["category", "category", "number"]


def test_integers_beyond_two_to_the_53_are_categories_among_objects_too() -> None:
    """Whether some are missing or not."""
    X = pd.DataFrame({"c": np.array([2**60, 2**60 + 1, None] * 20, object)})
    (feature,) = sign(OrdinalEncoder().fit(X), X).features
    assert (feature.kind, feature.missing) == ("category", True)


def test_text_that_is_dropped_leaves_the_other_columns_of_an_array_numbers() -> None:
    """An array of objects is then what the pipeline was fitted with."""
    X = np.array([["a", 1.0], ["b", np.nan]] * 20, object)
    encode = ColumnTransformer([("n", SimpleImputer(), [1]), ("d", "drop", [0])])
    assert [feature.kind for feature in sign(encode.fit(X), X).features] == ["ignored", "number"]


def test_a_categorical_column_of_integers_may_have_gaps() -> None:
    """Which integers have not."""
    X = pd.DataFrame({"c": pd.Categorical([1, 2, None] * 20)})
    (feature,) = sign(OneHotEncoder().fit(X), X).features
    assert feature.missing


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (FRAME.drop(columns="city"), "expected the columns that the pipeline was fitted with, found none named 'city'"),
        (FRAME.iloc[:0], "expected a sample of at least one row, found none"),
        (np.zeros(3), "expected a sample of rows and columns, found 1 dimensions"),
        ("s.parquet", "expected a sample of rows and columns, found a str: give the rows themselves"),
        (None, "expected a sample of rows and columns, found a NoneType: give the rows themselves"),
        ({"age": [1, 2], "city": ["Ulm"]}, "expected a dict of columns of equal length as a sample, found: "),
        (csr_matrix(np.eye(3)), r"expected a dense sample, found a csr_matrix: give .* sample\[:1000\].toarray\(\)"),
        (pd.concat([FRAME, FRAME[["age"]]], axis=1), "expected columns of different names, found 'age' twice"),
        (FRAME.assign(age=1j), "expected numbers, strings, booleans or dates, found complex numbers in column 'age'"),
        (
            FRAME.assign(city=[b"x"] * ROWS),
            "expected numbers, strings, booleans or dates, found bytes in column 'city'",
        ),
        (
            FRAME.assign(age="old"),
            r"rows that the pipeline takes, found that pipeline\['columntransformer'\]\['age'\] raises on the sample",
        ),
    ],
)
def test_a_sample_that_does_not_fit_is_one_sentence(sample: Any, sentence: str) -> None:
    """What was expected, what was found, where."""
    with pytest.raises(SampleError, match=sentence):
        sign(fitted(), sample)


def test_a_dict_is_a_row_or_columns() -> None:
    row = FRAME.dropna().iloc[0].to_dict()
    assert len(sign(fitted(), row).frame) == 1
    assert len(sign(fitted(), FRAME.to_dict("list")).frame) == ROWS


def test_a_pipeline_that_takes_no_single_row_is_refused() -> None:
    """With the step, and what its functions should not do."""
    pipeline = make_pipeline(FunctionTransformer(pd.get_dummies), SimpleImputer(), LinearRegression())
    X = FRAME[["city", "age"]]
    pipeline.fit(X, LABELS)
    words = r"takes one row as it does many, found that pipeline\['simpleimputer'\] raises on the sample's first row"
    with pytest.raises(SampleError, match=words):
        sign(pipeline, X)


def test_texts_in_an_array_of_numpys_strings() -> None:
    texts = np.array(["a bc", "bc de", "fg"] * 9)
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, texts == "fg")
    signature = sign(pipeline, texts)
    assert signature.flat
    assert {type(value) for value in signature.frame.iloc[:, 0]} == {str}


def test_decimals_are_numbers() -> None:
    X = pd.DataFrame({"price": [decimal.Decimal("1.10"), decimal.Decimal("2.35"), None] * 20})
    model = HistGradientBoostingRegressor(max_iter=2).fit(X, np.arange(ROWS))
    (feature,) = sign(model, X).features
    assert (feature.kind, feature.seen, feature.missing) == ("number", (1.1, 2.35), True)


@pytest.mark.parametrize(
    ("function", "sample", "bounds"),
    [
        (np.arcsin, [[-0.5], [0.25], [0.9]], (-1.0, 1.0)),
        (np.sqrt, [[0.5], [2.0], [3.0]], (0.0, None)),
        (np.log1p, [[0.5], [2.0], [3.0]], (np.nextafter(-1, 0), None)),
        (lambda x: np.sqrt(x - 3), [[4.0], [5.0], [7.0]], (3.0, None)),
    ],
)
def test_a_domain_is_known_to_its_last_number(function: Any, sample: Any, bounds: tuple[float, float | None]) -> None:
    """Though the sample does not come near it."""
    X = np.array(sample)
    (feature,) = sign(make_pipeline(FunctionTransformer(function), LinearRegression()).fit(X, X[:, 0]), X).features
    assert feature.range or feature.limit
    low, high = feature.range or (-(feature.limit or 0), feature.limit or 0)
    assert low == bounds[0]
    assert high == bounds[1] or (bounds[1] is None and high > 1e30)


def test_a_power_takes_positive_numbers_next_to_zero() -> None:
    X = RNG.uniform(1, 5, (ROWS, 1))
    (feature,) = sign(PowerTransformer(method="box-cox").fit(X), X).features
    assert feature.range is not None
    assert 0 < feature.range[0] < 1e-300


def test_an_array_of_another_width_is_refused() -> None:
    """Where there are no names the number of columns must be right."""
    X = FRAME[["age", "größe in m"]].to_numpy()
    with pytest.raises(SampleError, match="expected a sample with 2 columns, found 1"):
        sign(LogisticRegression().fit(X, LABELS), X[:, :1])


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_a_name_that_json_cannot_have_as_a_plain_key_is_refused(name: str) -> None:
    """Before the work is done, with what to do."""
    X = FRAME[["age"]].rename(columns={"age": name})
    with pytest.raises(SampleError, match="expected column names without quotation marks"):
        sign(LogisticRegression().fit(X, LABELS), X)


def test_a_frame_whose_names_are_integers_is_given_as_a_frame() -> None:
    """An array of it would hold objects, which a tree does not take."""
    X = pd.DataFrame({0: RNG.normal(size=ROWS), 1: np.array([1, 2, 3] * 20, object)})
    encode = ColumnTransformer([("n", "passthrough", [0]), ("c", OrdinalEncoder(), [1])])
    pipeline = make_pipeline(encode, HistGradientBoostingRegressor(max_iter=2)).fit(X, X[0])
    signature = sign(pipeline, X)
    assert (signature.named, signature.framed) == (False, True)
    array = RNG.normal(size=(ROWS, 1))
    fitted_on_array = make_pipeline(StandardScaler()).fit(array)
    assert not sign(fitted_on_array, array).framed


@pytest.mark.parametrize(
    "cells", [np.array([True, False, np.nan] * 20, object), pd.array([True, False, None] * 20, "boolean")]
)
def test_booleans_may_have_gaps(cells: Any) -> None:
    """Where they are numbers to the pipeline, as to an imputer."""
    X = pd.DataFrame({"c": cells, "d": 1.0})
    (feature, _) = sign(make_pipeline(SimpleImputer()).fit(X), X).features
    assert (feature.kind, feature.missing) == ("boolean", True)


@pytest.mark.parametrize("strategy", ["mean", "most_frequent"])
def test_pandas_booleans_are_what_scikit_learn_makes_of_them(strategy: str) -> None:
    """Floats, which an imputer takes; it takes no booleans of NumPy's."""
    X = pd.DataFrame({"c": pd.array([True, False, True] * 20, "boolean")})
    (feature,) = sign(SimpleImputer(strategy=strategy).fit(X), X).features
    assert feature.kind == "boolean"


def test_an_array_of_objects_stays_one_where_all_is_numbers_after_all() -> None:
    """An encoder that has met objects raises for floats."""
    X = np.array([[True, 1.5], [False, np.nan], [np.nan, 2.5]] * 20, object)
    encode = ColumnTransformer([("o", OrdinalEncoder(), [0]), ("n", SimpleImputer(), [1])])
    features = sign(encode.fit(X), X).features
    assert [feature.kind for feature in features] in (["boolean", "number"], ["category", "number"])


def test_numbers_a_little_beyond_a_tiny_sample_are_taken() -> None:
    """A scaler makes numbers of 1e-40 that float32 can hold, and of 1 some that it cannot."""
    X = RNG.normal(size=(ROWS, 1)) * 1e-40
    (feature,) = sign(make_pipeline(StandardScaler(), RandomForestClassifier(2)).fit(X, LABELS), X).features
    assert feature.limit is not None
    assert feature.limit > 100 * np.abs(X).max()


def test_numbers_among_objects_are_judged_by_every_method() -> None:
    """An imputer of NaN does not see None, though the labels may be the same."""
    X = pd.DataFrame({"c": np.array([1, 1, 1, 2, None] * 12, object)})
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder())
    pipeline = make_pipeline(words, LogisticRegression()).fit(X, np.arange(ROWS) % 20 == 0)
    assert len(set(pipeline.predict(X))) == 1
    assert [feature.kind for feature in sign(pipeline, X).features] == ["category"]


def test_numbers_beside_an_encoder_of_booleans_in_an_array_of_objects() -> None:
    """The encoder knows True and False, not 1.0 and 0.0; so the array must stay one of objects to be asked."""
    X = np.column_stack([FRAME["age"].astype(object), FRAME["member"].astype(object)])
    steps = [("member", OneHotEncoder(sparse_output=False), [1]), ("age", StandardScaler(), slice(0, 1))]
    pipeline = ColumnTransformer(steps).fit(X)
    assert [feature.kind for feature in sign(pipeline, X).features] == ["number", "boolean"]


def test_numbers_that_are_categories_in_an_array_of_objects_that_must_stay_one() -> None:
    """Of a strict encoder's column only what it knows may be asked, also where another encoder knows booleans."""
    X = np.column_stack([FRAME["age"].round(-1).astype(object), FRAME["member"].astype(object)])
    steps = [("age", OneHotEncoder(), [0]), ("member", OneHotEncoder(), [1])]
    pipeline = ColumnTransformer(steps, sparse_threshold=0).fit(X)
    assert [feature.kind for feature in sign(pipeline, X).features] == ["category", "boolean"]
    assert twin_of(pipeline, X).proof.level == "bit"


@pytest.mark.parametrize("numbers", [[0, 1, 3] * 10, None], ids=["numbers among objects", "none"])
def test_booleans_that_could_have_gaps_beside_numbers_among_objects(numbers: list[int] | None) -> None:
    """A function takes no objects, and an encoder of the others knows them as such, in a frame without names."""
    large = [2**60, 2**60 + 1, 2**60 + 2] * 10
    frame = pd.DataFrame({0: pd.array([True, False, True] * 10, "boolean"), 1: np.arange(30), 2: large})
    frame[3] = np.array(large if numbers is None else numbers, object)
    steps = [("c", OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False), [2, 3])]
    prepare = ColumnTransformer(steps, remainder=FunctionTransformer(np.cbrt), sparse_threshold=0)
    model = make_pipeline(prepare, LinearRegression()).fit(frame, np.arange(30.0))
    assert levels(twin_of(model, frame)) == {"predict": "ulp"}


def test_categories_may_be_neighbouring_numbers() -> None:
    rows = np.array([[0.3], [0.1 + 0.2], [0.7]])
    assert sign(OrdinalEncoder().fit(rows), rows).features[0].kind == "category"
