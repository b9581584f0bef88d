"""What scikit-learn makes of targets rather than of features: labels as numbers and as one column each."""

import numpy as np
import scipy.sparse
import spox.opset.ai.onnx.v21 as op
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer
from spox import Var

from ..errors import UnsupportedError
from . import lacks, lowers
from .encode import encode, look_up
from .labels import scalar
from .matrix import Categorical, Matrix
from .meta import constant_rows
from .tables import Table, plain


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


@lowers(MultiLabelBinarizer, method="transform")
def multi_label_binarizer(binarizer: MultiLabelBinarizer, x: Matrix) -> Matrix:
    """A column a class: 1 where one of a row's cells is its label. What is no class counts for nothing."""
    classes = [plain(label) for label in binarizer.classes_]
    if any(label != label for label in classes):
        raise UnsupportedError(
            "expected labels that equal themselves, found NaN among the classes, which scikit-learn finds by where it "
            "lies in memory: fit with a string or None in its place"
        )
    none = len(classes)
    # A column of numbers meets no class that is a string.
    numeric = any(isinstance(label, int | float) for label in classes)
    x = x.select([place for place, column in enumerate(x.columns) if numeric or isinstance(column, Categorical)])
    if not x.width:
        return x.new(op.reshape(constant_rows(x, np.zeros(none)), op.const(np.array([-1, none]))))
    known = [(label, place) for place, label in enumerate(classes) if label is not None]
    tables, numbers = [], []
    for column in x.columns:
        nothing = isinstance(column, Categorical) and column.marker is None and None in classes
        places = np.array([*(place for _, place in known), none, classes.index(None) if nothing else none], np.float64)
        tables.append(Table([label for label, _ in known], scipy.sparse.csr_matrix(places[:, np.newaxis])))
        numbers.append(places)
    places = op.cast(look_up(x, tables, numbers), to=np.int64)
    ones = op.expand(op.const(np.ones((1, 1))), op.shape(places))
    lit = op.scatter_elements(constant_rows(x, np.zeros(none + 1)), places, ones, axis=1, reduction="max")
    return x.new(op.gather(lit, op.const(np.arange(none)), axis=1))
