"""Categories that boosting libraries read from pandas: a category is its place among those of the training data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from ..errors import UnsupportedError
from .encode import encode
from .matrix import Categorical, Matrix
from .tables import Table

__all__ = ["placed"]


def placed(x: Matrix, categories: Sequence[Sequence[Any]]) -> Matrix:
    """The columns with each category's place in its list; NaN for what is missing or not in it.

    categories: of each column that holds categories, in order.
    Raises UnsupportedError where these are not so many.
    """
    holders = [index for index, column in enumerate(x.columns) if isinstance(column, Categorical)]
    if len(holders) != len(categories):
        raise UnsupportedError(
            f"expected {len(categories)} columns of pandas' categories, found {len(holders)}: give a sample in which "
            "the columns have the category dtype that they had in training"
        )
    columns = [x.select([index]) for index in range(x.width)]
    for index, known in zip(holders, categories, strict=True):
        rows = scipy.sparse.csr_matrix(np.array([*range(len(known)), np.nan, np.nan], np.float64)[:, np.newaxis])
        columns[index] = encode(columns[index], [Table(list(known), rows)])
    return columns[0].beside(*columns[1:])
