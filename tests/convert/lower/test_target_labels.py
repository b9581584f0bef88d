"""LabelBinarizer and LabelEncoder beside their twins, and what has no twin because it answers for no rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer

from convert.errors import UnsupportedError
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
        (MultiLabelBinarizer().fit([["a"], ["b"]]), [["a"], ["b"]], "a column of 0 and 1 for each label"),
        (PatchExtractor(patch_size=(2, 2)).fit(np.zeros((3, 4, 4))), np.zeros((3, 4, 4)), "extract the patches"),
    ],
    ids=["one class", "columns", "collections", "images"],
)
def test_refused_by_name(estimator: Any, sample: Any, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        twin_of(estimator, sample)
