"""Rows that are dicts, or of strings that are hashed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MaxAbsScaler, Normalizer, OneHotEncoder

from convert import SampleError, UnsupportedError
from runtime import InputError
from tests.convert.lower.twins import levels, model_of, twin_of

RNG = np.random.default_rng(8)
ROWS = [
    {
        "size": float(RNG.normal()),
        "city": str(RNG.choice(["Bern", "Graz", "Łódź"])),
        "new": bool(RNG.random() < 0.5),
        "rooms": int(RNG.integers(1, 6)),
    }
    for _ in range(120)
]
GAPS = [{key: value for key, value in row.items() if RNG.random() < 0.8} for row in ROWS]
LABELS = np.array(["no", "yes"])[[int(row["rooms"] in (3, 4, 5)) for row in ROWS]]
NUMBERS = [{"a": row["size"], "b": row["rooms"], "c": row["new"]} for row in ROWS]


@pytest.mark.parametrize("rows", [ROWS, GAPS], ids=["whole", "gaps"])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("separator", ["=", "->"])
def test_a_column_for_each_key_and_string(rows: list[dict[str, object]], sparse: bool, separator: str) -> None:
    vectorizer = DictVectorizer(sparse=sparse, separator=separator).fit(rows)
    twin = twin_of(vectorizer, rows)
    assert levels(twin) == {"transform": "bit"}
    model = model_of(twin)
    expected = vectorizer.transform([{"size": 2.5, "city": "Wien"}, {}])
    np.testing.assert_array_equal(
        model.transform([{"size": 2.5, "city": "Wien"}, {}]), expected.toarray() if sparse else expected
    )
    assert all(feature.missing for feature in model.manifest.inputs)


def test_models_behind_dicts() -> None:
    for last in (LogisticRegression(), RandomForestClassifier(10, random_state=0)):
        pipeline = make_pipeline(DictVectorizer(), last).fit(GAPS, LABELS)
        model = model_of(twin_of(pipeline, GAPS))
        np.testing.assert_array_equal(model.predict(GAPS), pipeline.predict(GAPS))
        assert b'"prediction"' in model.predict_json(b'{"city": "Graz", "size": null}')
        with pytest.raises(InputError, match="unknown field 'town'"):
            model.predict([{"town": "Graz"}])


def test_a_frame_as_the_sample() -> None:
    pipeline = make_pipeline(DictVectorizer(), LogisticRegression()).fit(ROWS, LABELS)
    model = model_of(twin_of(pipeline, pd.DataFrame(ROWS)))
    np.testing.assert_array_equal(model.predict(ROWS), pipeline.predict(ROWS))


@pytest.mark.parametrize("width", [2, 7, 2**16])
@pytest.mark.parametrize("signed", [True, False])
def test_hashed_numbers(width: int, signed: bool) -> None:
    hasher = FeatureHasher(n_features=width, alternate_sign=signed)
    pipeline = make_pipeline(hasher, LogisticRegression()).fit(NUMBERS, LABELS)
    model = model_of(twin_of(pipeline, NUMBERS))
    np.testing.assert_array_equal(model.predict(NUMBERS), pipeline.predict(NUMBERS))


def test_what_is_refused() -> None:
    vectorizer = DictVectorizer().fit(ROWS)
    fewer = [{key: value for key, value in row.items() if key != "city"} for row in ROWS]
    with pytest.raises(UnsupportedError, match=r"expected a sample with every key .*, found none for 'city=Bern'"):
        twin_of(vectorizer, fewer)
    with pytest.raises(SampleError, match="expected numbers, strings or booleans, found list in column 'tags'"):
        twin_of(DictVectorizer().fit([{"tags": ["a", "b"]}]), [{"tags": ["a", "b"]}])
    with pytest.raises(UnsupportedError, match="expected numbers for FeatureHasher, found strings under 'city'"):
        twin_of(FeatureHasher(8), ROWS)
    with pytest.raises(UnsupportedError, match="expected a DictVectorizer of float64, found float32"):
        twin_of(DictVectorizer(dtype=np.float32).fit(ROWS), ROWS)
    clash = [{"a": "b=c", "a=b": "c"}]
    with pytest.raises(UnsupportedError, match="found two that make the same: rename a key"):
        twin_of(DictVectorizer().fit(clash), clash)


CELLS = RNG.choice(["", "red", "Red", " red", "blue\n", "Łódź", "x" * 100], (60, 3))


@pytest.mark.parametrize(("width", "signed"), [(2, True), (2, False), (7, True), (7, False), (2**16, True)])
def test_hashed_cells(width: int, signed: bool) -> None:
    """Each cell is one string, whatever is in it; those that meet are added."""
    hasher = FeatureHasher(width, input_type="string", alternate_sign=signed)
    twin = twin_of(hasher, CELLS)
    assert levels(twin) == {"transform": "bit"}
    rows = np.array([["", "", ""], ["never", "seen", "red"], ["red", "red", "red"]], object)
    np.testing.assert_array_equal(model_of(twin).transform(rows), hasher.transform(rows).toarray())


@pytest.mark.parametrize(
    "between",
    [TfidfTransformer(), TfidfTransformer(sublinear_tf=True, norm="l1"), Normalizer(), Binarizer(), MaxAbsScaler()],
    ids=str,
)
def test_steps_behind_hashed_cells(between: Any) -> None:
    """What met in one column is one entry to them."""
    hasher = FeatureHasher(4, input_type="string", alternate_sign=False)
    labels = (CELLS == "red").any(axis=1)
    pipeline = make_pipeline(hasher, between, LogisticRegression()).fit(CELLS, labels)
    for steps in (pipeline, pipeline[:-1]):
        levels(twin_of(steps, CELLS))


@pytest.mark.parametrize("cells", [CELLS[:, :1], pd.DataFrame(CELLS, columns=["a", "b", "c"])], ids=["one", "frame"])
def test_hashed_cells_are_never_a_row_of_texts(cells: Any) -> None:
    hasher = FeatureHasher(8, input_type="string")
    model = model_of(twin_of(hasher, cells))
    plain = np.asarray(cells, object)
    np.testing.assert_array_equal(model.transform(plain), hasher.transform(plain).toarray())


def test_hashed_cells_of_some_columns() -> None:
    data = np.column_stack([CELLS.astype(object), RNG.normal(size=len(CELLS))])
    pipeline = make_pipeline(
        ColumnTransformer(
            [
                ("h", FeatureHasher(8, input_type="string"), [0, 2]),
                ("o", OneHotEncoder(), [0]),
                ("s", "passthrough", [3]),
            ]
        ),
        LogisticRegression(),
    ).fit(data, CELLS[:, 0] == "red")
    np.testing.assert_array_equal(model_of(twin_of(pipeline, data)).predict(data), pipeline.predict(data))


def test_what_a_hasher_of_cells_refuses() -> None:
    rows = [{"a": 1.0, "b": 2.0}, {"a": 3.0}]
    with pytest.raises(UnsupportedError, match=r"expected cells that are strings, .* found another column"):
        twin_of(FeatureHasher(8, input_type="string").fit(rows), rows)
    with pytest.raises(UnsupportedError, match="input_type='dict' or 'string', found 'pair'"):
        twin_of(FeatureHasher(8, input_type="pair"), [[("a", 1.0)], [("b", 2.0)]])
    with pytest.raises(SampleError, match="rows of unequal length"):
        twin_of(FeatureHasher(8, input_type="string"), [["a"], ["a", "b"]])
