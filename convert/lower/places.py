"""Searching a number's place among sorted ones: a balanced tree for each column, all of them one ensemble.

Its kernel compares float64 as it is, a search takes as many comparisons as the logarithm of the edges, and like any
tree it can ask the request's own value.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from spox import Var

from .ensemble import chosen_leaves, join
from .matrix import Matrix, Monotone
from .nodes import Side, search

__all__ = ["places"]

Floats = NDArray[np.float64]


def places(x: Matrix, edges: Sequence[Floats], sides: Sequence[Side], cast: Monotone | None = None) -> Var:
    """numpy.searchsorted of a column's numbers in its edges: an int64 tensor [N, searches].

    edges: sorted numbers for each search; search ``i`` is of column ``i % width``, so that a column may have several.
    sides: ``right`` counts the edges that are at most the number, ``left`` those below it. NaN comes last.
    cast: what is done to a number before it is compared.
    """
    parts = [
        search(np.asarray(own, np.float64), side, index % x.width)
        for index, (own, side) in enumerate(zip(edges, sides, strict=True))
    ]
    return chosen_leaves(x, join([trees for trees, _ in parts]), np.concatenate([counts for _, counts in parts]), cast)
