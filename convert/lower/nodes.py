"""The nodes of trees, as every library's are told to the ensemble."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Side", "Trees", "distinct", "join", "search", "stump"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Side = Literal["left", "right"]


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one after the other.

    roots: the first node of each tree, [T].
    feature: the column that a node asks, [nodes]; -1 for a leaf.
    threshold: go left where the value is at most this.
    left, right: the children.
    missing_left: where NaN goes.
    members: by node, where it asks for a set instead: the values that go left.
    """

    roots: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: NDArray[np.bool_]
    members: dict[int, NDArray[np.float64]] = field(default_factory=dict)


def join(parts: list[Trees]) -> Trees:
    """Several trees, or forests, as one."""
    starts = np.concatenate([[0], np.cumsum([len(part.feature) for part in parts])])
    shifted = list(zip(parts, starts.tolist(), strict=False))
    return Trees(
        roots=np.concatenate([part.roots + start for part, start in shifted]),
        feature=np.concatenate([part.feature for part in parts]),
        threshold=np.concatenate([part.threshold for part in parts]),
        left=np.concatenate([part.left + start for part, start in shifted]),
        right=np.concatenate([part.right + start for part, start in shifted]),
        missing_left=np.concatenate([part.missing_left for part in parts]),
        members={node + start: values for part, start in shifted for node, values in part.members.items()},
    )


def stump() -> Trees:
    """A tree of one leaf."""
    none = np.array([-1])
    return Trees(np.array([0]), none, np.zeros(1), none, none, np.zeros(1, bool))


def search(edges: Floats, side: Side, column: int) -> tuple[Trees, Ints]:
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


def distinct(columns: list[Ints]) -> tuple[Ints, Ints]:
    """Of rows given by their columns: the place of the first of each different row, and for each row which it is."""
    which = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, code = np.unique(column, return_inverse=True)
        _, which = np.unique(which * (int(code.max(initial=0)) + 1) + code, return_inverse=True)
    _, first, which = np.unique(which, return_index=True, return_inverse=True)
    return first, which
