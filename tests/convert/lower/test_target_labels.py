"""What is made of targets beside its twin, by one column or by several; and what answers for no rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer

from convert.errors import SampleError, UnsupportedError
from runtime import InputError

from .samples import BINARY, FOUR, MULTI_LABEL, THREE, YES_NO
from .twins import levels, model_of, twin_of

LABELS = {
    "words": THREE,
    "two words": YES_NO,
    "integers": FOUR,
    "large integers": FOUR * 10**16,
    "floats": FOUR.astype(float),
    "booleans": BINARY.astype(bool),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize(
    "encoder",
    [LabelBinarizer(), LabelBinarizer(neg_label=-1, pos_label=2), LabelBinarizer(sparse_output=True), LabelEncoder()],
    ids=str,
)
def test_labels(encoder: Any, labels: Any) -> None:
    twin = twin_of(encoder.fit(labels), pd.DataFrame({"label": labels}))
    assert levels(twin) == {"transform": "bit"}
    expected = encoder.transform(labels)
    expected = expected.toarray() if issparse(expected) else expected
    found = model_of(twin).transform(labels[:, np.newaxis])
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_another_label_is_in_no_class() -> None:
    model = model_of(twin_of(LabelBinarizer().fit(THREE), THREE[:, np.newaxis]))
    assert model.transform(np.array([["other"]], object)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("encoder", [LabelBinarizer(), LabelEncoder()], ids=str)
def test_another_label_is_refused_where_the_pipeline_has_no_answer_of_this_width(encoder: Any) -> None:
    """Of two classes a LabelBinarizer answers one column, but two for a batch with a third label."""
    model = model_of(twin_of(encoder.fit(YES_NO), YES_NO[:, np.newaxis]))
    with pytest.raises(InputError):
        model.transform(np.array([["other"]], object))


@pytest.mark.parametrize(
    ("estimator", "sample", "reason"),
    [
        (LabelBinarizer().fit(THREE[:1]), THREE[:1, np.newaxis], "two classes or more, found one"),
        (LabelBinarizer().fit(MULTI_LABEL), MULTI_LABEL, "one of a column a label"),
        (MultiLabelBinarizer(classes=[np.nan, 1.0]).fit([[1.0]]), [[1.0]], "labels that equal themselves, found NaN"),
        (PatchExtractor(patch_size=(2, 2)).fit(np.zeros((3, 4, 4))), np.zeros((3, 4, 4)), "extract the patches"),
    ],
    ids=["one class", "columns", "nameless label", "images"],
)
def test_refused_by_name(estimator: Any, sample: Any, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        twin_of(estimator, sample)


WORDS = np.array([["red", "green"], ["blue", "red"], ["red", "red"], ["", "green"]])
CELLS = {
    "words": WORDS,
    "objects": WORDS.astype(object),
    "gaps": np.array([["red", "green"], ["blue", "red"], ["red", "red"], [None, "green"]], object),
    "a list of lists": WORDS.tolist(),
    "lists in a Series": pd.Series(WORDS.tolist()),
    "integers": np.array([[1, 2, 3], [3, 3, 0], [7, -1, 2]]),
    "large integers": np.array([[1, 2], [3, 2]]) * 10**17,
    "floats": np.array([[1.0, 2.5], [-0.0, 2.5]]),
    "booleans": np.array([[True, False], [True, True]]),
    "numbers and words": np.array([["red", 1], ["blue", 2]], object),
    "one column": WORDS[:, :1],
    "one column of integers": np.array([[1], [2], [1]]),
}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("sparse", [False, True])
def test_rows_of_labels(cells: Any, sparse: bool) -> None:
    """A row's labels are its cells, in whatever column; a label that is no class counts for nothing."""
    labels = {label for row in cells for label in row}
    binarizer = MultiLabelBinarizer(classes=[*sorted(labels, key=str)[1:], "no cell's"], sparse_output=sparse).fit([])
    twin = twin_of(binarizer, cells)
    assert levels(twin) == {"transform": "bit"}
    with pytest.warns(UserWarning, match=r"unknown class\(es\) .* will be ignored"):
        expected = binarizer.transform(cells)
    expected = expected.toarray() if sparse else expected
    found = model_of(twin).transform(np.asarray(list(cells), object))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert expected.any()
    assert not expected[:, -1].any()


def test_none_may_be_a_label() -> None:
    cells = CELLS["gaps"]
    binarizer = MultiLabelBinarizer(classes=["red", None]).fit([])
    model = model_of(twin_of(binarizer, cells))
    assert model.transform(cells).tolist() == [[1, 0], [1, 0], [1, 0], [0, 1]]
    assert b"[1.0,1.0]" in model.predict_json(b'{"x0": "red", "x1": null}')


def test_labels_by_the_names_of_columns() -> None:
    """Of a frame scikit-learn would read the names; the pipeline is asked with its cells."""
    binarizer = MultiLabelBinarizer().fit(WORDS)
    model = model_of(twin_of(binarizer, pd.DataFrame(WORDS, columns=["first", "second"])))
    np.testing.assert_array_equal(model.transform(WORDS), binarizer.transform(WORDS))
    assert model.transform([{"first": "blue", "second": "mauve"}]).tolist() == [[0, 1, 0, 0]]


def test_words_among_numbers_alone_are_never_met() -> None:
    model = model_of(twin_of(MultiLabelBinarizer(classes=["red"]).fit([]), CELLS["integers"]))
    assert model.transform(CELLS["integers"]).tolist() == [[0]] * 3


def test_models_behind_rows_of_labels() -> None:
    cells = np.tile(WORDS, (20, 1))
    labels = (cells == "red").any(axis=1)
    for last in (LogisticRegression(), RandomForestClassifier(5, random_state=0)):
        pipeline = make_pipeline(FrozenEstimator(MultiLabelBinarizer().fit(cells)), last).fit(cells, labels)
        assert levels(twin_of(pipeline, cells))["predict"] == "bit"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([["a"], ["a", "b"]], "rows of unequal length: give each row as many cells .* no class, say ''"),
        (pd.Series([["a"], ["a", "b"]]), "rows of unequal length: give each row as many cells"),
        ([{"a"}, {"a", "b"}], "rows that are sets: give each row as many cells"),
        (["ab", "b"], "found strings, of which scikit-learn would read each character: give an array"),
    ],
    ids=["lists", "series", "sets", "strings"],
)
def test_ragged_collections_are_refused_with_what_to_do(rows: Any, found: str) -> None:
    with pytest.raises(SampleError, match=found):
        twin_of(MultiLabelBinarizer().fit([["a"], ["a", "b"]]), rows)
