"""Searching a number's place among sorted ones: a balanced tree for each column, all of them one ensemble.

Its kernel compares float64 as it is, a search takes as many comparisons as the logarithm of the edges, and like any
tree it can ask the request's own value.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from spox import Var

from .ensemble import Trees, chosen_leaves, join
from .matrix import Matrix, Monotone

__all__ = ["places"]

Floats = NDArray[np.float64]
Side = Literal["left", "right"]


def places(x: Matrix, edges: Sequence[Floats], sides: Sequence[Side], cast: Monotone | None = None) -> Var:
    """numpy.searchsorted of a column's numbers in its edges: an int64 tensor [N, searches].

    edges: sorted numbers for each search; search ``i`` is of column ``i % width``, so that a column may have several.
    sides: ``right`` counts the edges that are at most the number, ``left`` those below it. NaN comes last.
    cast: what is done to a number before it is compared.
    """
    parts = [
        _search(np.asarray(own, np.float64), side, index % x.width)
        for index, (own, side) in enumerate(zip(edges, sides, strict=True))
    ]
    return chosen_leaves(x, join([trees for trees, _ in parts]), np.concatenate([counts for _, counts in parts]), cast)


def _search(edges: Floats, side: Side, column: int) -> tuple[Trees, NDArray[np.int64]]:
    """A tree over the different edges, and for each of its leaves how many edges lie before it."""
    unique, first = np.unique(edges, return_index=True)
    before = np.append(first, len(edges))
    # A tree asks x <= t. Of the left that is the search's own question; of the right it is x < t.
    splits = unique if side == "left" else np.nextafter(unique, -np.inf)
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    counts: list[int] = []

    def grow(low: int, high: int) -> int:
        """The node for the places from low to high."""
        node, leaf = len(feature), low == high
        middle = (low + high) // 2
        feature.append(-1 if leaf else column)
        threshold.append(0.0 if leaf else float(splits[middle]))
        counts.append(int(before[low]))
        left.append(-1)
        right.append(-1)
        if not leaf:
            left[node] = grow(low, middle)
            right[node] = grow(middle + 1, high)
        return node

    grow(0, len(unique))
    none = np.zeros(len(feature), bool)
    trees = Trees(np.array([0]), np.array(feature), np.array(threshold), np.array(left), np.array(right), none)
    return trees, np.array(counts)
