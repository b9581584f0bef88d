"""What scikit-learn makes of targets rather than of features: labels as numbers and as one column each."""

from typing import Any

import numpy as np
import scipy.sparse
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer
from spox import Var

from . import lacks, lowers
from .encode import encode, look_up
from .labels import scalar
from .matrix import Matrix
from .tables import Table


@lowers(LabelBinarizer, method="transform")
def label_binarizer(binarizer: LabelBinarizer, x: Matrix) -> Matrix:
    """A column a class; of two classes the second's alone."""
    rows = binarizer.transform(binarizer.classes_)
    dense = np.asarray(rows.todense() if scipy.sparse.issparse(rows) else rows, np.float64)
    none = np.full((2, dense.shape[1]), float(binarizer.neg_label))
    return encode(x, [Table(binarizer.classes_.tolist(), scipy.sparse.csr_matrix(np.concatenate([dense, none])))])


@lacks(LabelBinarizer, method="transform")
def no_column_of_labels(binarizer: LabelBinarizer) -> str | None:
    if binarizer.y_type_.startswith("multilabel"):
        return (
            "expected a LabelBinarizer of one column of labels, found one of a column a label, which hands them on: "
            "leave it out"
        )
    if len(binarizer.classes_) < 2:
        return (
            "expected a LabelBinarizer of two classes or more, found one, whose answer depends on how many other "
            "labels stand beside a row: fit it on all labels"
        )
    return None


@lowers(LabelEncoder, method="transform")
def label_encoder(encoder: LabelEncoder, x: Matrix) -> Var:
    """[N]: the label's place among the classes; scikit-learn raises for another, and so does the runtime."""
    values = encoder.classes_.tolist()
    # A missing one of booleans is taken for True: numpy's bool(nan).
    missing = float(values.index(True)) if encoder.classes_.dtype == bool and True in values else np.nan
    places = np.append(np.arange(float(len(values))), [np.nan, missing])
    table = Table(values, scipy.sparse.csr_matrix(places[:, np.newaxis]))
    return scalar(look_up(x, [table], [places]))


@lacks(MultiLabelBinarizer, method="transform")
def collections_of_labels(binarizer: Any) -> str:
    return (
        "expected rows of columns, found MultiLabelBinarizer, whose rows are collections of labels: give the model a "
        "column of 0 and 1 for each label"
    )
