"""The nodes of trees, as every library's are told to the ensemble."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Trees", "distinct", "join", "stump"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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


def distinct(columns: list[Ints]) -> tuple[Ints, Ints]:
    """Of rows given by their columns: the place of the first of each different row, and for each row which it is."""
    which = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, code = np.unique(column, return_inverse=True)
        _, which = np.unique(which * (int(code.max(initial=0)) + 1) + code, return_inverse=True)
    _, first, which = np.unique(which, return_index=True, return_inverse=True)
    return first, which
