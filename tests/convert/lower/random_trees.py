"""Small random trees whose nodes ask the same again and again, and a plain walk through them."""

import numpy as np
import spox
from hypothesis import strategies as st
from numpy.typing import NDArray

from convert.lower.matrix import Matrix, Number, Raw
from convert.lower.nodes import Trees, join
from convert.lower.scope import Scope

Floats = NDArray[np.float64]

COLUMNS = 2
THRESHOLDS = (-np.inf, -1.5, -0.0, 0.0, 5e-324, 2.0, float(np.finfo(np.float64).max), np.inf)
"""What nodes ask, infinities and neighbours included."""
with np.errstate(over="ignore"):
    _NEAR = [np.nextafter(THRESHOLDS, -np.inf), THRESHOLDS, np.nextafter(THRESHOLDS, np.inf)]
VALUES = np.unique(np.concatenate(_NEAR))
GRID = np.array([(a, b) for a in (*VALUES, -0.0, np.nan) for b in (*VALUES, -0.0, np.nan)])
"""Every way that a row can go, [rows, COLUMNS]."""


@st.composite
def tree(draw: st.DrawFn) -> Trees:
    """A tree of up to five levels."""
    rows: list[list[float]] = []

    def grow(depth: int) -> int:
        place = len(rows)
        if depth == 0 or draw(st.integers(0, 5)) == 0:
            rows.append([-1, 0.0, -1, -1, 0])
            return place
        rows.append([draw(st.integers(0, COLUMNS - 1)), draw(st.sampled_from(THRESHOLDS)), 0, 0, draw(st.booleans())])
        rows[place][2] = grow(depth - 1)
        rows[place][3] = grow(depth - 1)
        return place

    grow(draw(st.integers(0, 5)))
    table = np.array(rows)
    feature, left, right = (table[:, column].astype(np.int64) for column in (0, 2, 3))
    return Trees(np.array([0]), feature, table[:, 1], left, right, table[:, 4].astype(bool))


def forests(most: int = 4) -> st.SearchStrategy[Trees]:
    """Several of them."""
    return st.lists(tree(), min_size=1, max_size=most).map(join)


def ends(trees: Trees, matrix: Floats) -> NDArray[np.int64]:
    """The leaf that each row comes to in each tree, [rows, T]."""
    found = np.empty((len(matrix), len(trees.roots)), np.int64)
    for index, root in enumerate(trees.roots.tolist()):
        for row, values in enumerate(matrix):
            node = root
            while trees.feature[node] >= 0:
                value = values[trees.feature[node]]
                left = trees.missing_left[node] if np.isnan(value) else value <= trees.threshold[node]
                node = int(trees.left[node] if left else trees.right[node])
            found[row, index] = node
    return found


def request(*, missing: bool) -> Matrix:
    """The request's own columns."""
    x = spox.argument(spox.Tensor(np.float64, ("N", COLUMNS)))
    scope = Scope(x, (missing,) * COLUMNS)
    return Matrix(scope, tuple(Number(x, column, Raw(column)) for column in range(COLUMNS)))
