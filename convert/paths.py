"""Which rows reach which nodes of a graph's trees: a threshold is only tested by a row that comes to it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.session import Session
from runtime.tensors import Tensors

from .fold import Mode
from .lower.packed import Arrays, Ensemble
from .lower.scope import Scope
from .progress import Progress, unseen
from .reference import Signature

__all__ = ["Visits", "chosen", "visits", "walked"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WALKS = 4_000_000
"""Rows walked through a tree, over all trees: a large forest's trees are each walked by fewer."""
ROWS = 20_000
"""Rows of the sample that are walked through a tree at most."""
NUMBERS = 2**24
"""Numbers that these rows may hold, so that wide tables are walked by fewer."""


class Visits(NamedTuple):
    """Rows that come to thresholds of the request's own numbers, one row for each such node that any comes to.

    tree: the number of the node's tree; column: the request's; split: the threshold; row: a place in the matrix.
    All [visits].
    """

    tree: Ints
    column: Ints
    split: Floats
    row: Ints

    def some(self, places: Ints) -> "Visits":
        """Those at these places."""
        return Visits(self.tree[places], self.column[places], self.split[places], self.row[places])


def visits(ensembles: Sequence[Ensemble], matrices: Sequence[Floats], seed: int, progress: Progress = unseen) -> Visits:
    """For every node that asks for a threshold of the request's own numbers, a row that comes to it.

    matrices: of each ensemble, what its nodes ask, float64 [rows, k]; the rows are the same in all.
    A node that no row reaches is left out. Where several rows do, chance decides.
    """
    rng = np.random.default_rng(seed)
    count = sum(len(ensemble.roots) for ensemble in ensembles)
    none = np.empty(0, np.int64)
    found = [Visits(none, none, np.empty(0), none)]
    start = 0
    for ensemble, matrix in zip(ensembles, matrices, strict=True):
        walker = _Walker(ensemble.arrays)
        roots = ensemble.roots.tolist()
        for tree, root in enumerate(roots, start):
            progress("walked", tree, count)
            walker.walk(tree, root, matrix, rng.permutation(len(matrix))[: max(1, WALKS // count)])
        found.append(walker.visits(ensemble.sources, ensemble.signs))
        start += len(roots)
    if count:
        progress("walked", count, count)
    return Visits(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def walked(signature: Signature, tensors: Tensors, scope: Scope, seed: int, progress: Progress = unseen) -> Visits:
    """The visits of the sample's rows to the trees of a graph."""
    asked = [ensemble for ensemble in scope.ensembles if (ensemble.sources >= 0).any()]
    widest = max((len(ensemble.sources) for ensemble in asked), default=1)
    few = signature.frame.iloc[: min(ROWS, max(1, NUMBERS // widest))]
    rows = tensors.of(signature.given(few))
    matrices = {}
    if scope.asked is not None:
        session = Session(scope.asked, scope.widths)
        matrices = dict(zip(session.outputs, session.run_rows(rows, session.outputs), strict=True))
    return visits(asked, [matrices.get(str(id(e.matrix)), rows.matrix) for e in asked], seed, progress)


def chosen(visits: Visits, most: int, seed: int) -> tuple[Visits, int]:
    """The nodes to probe, and among how many they were chosen: by chance one of each tree, then one more of each and
    so on, until there are as many as may be."""
    order = np.random.default_rng(seed).permutation(len(visits.tree))
    order = order[np.argsort(visits.tree[order], kind="stable")]
    tree = visits.tree[order]
    within = np.arange(len(tree)) - np.searchsorted(tree, tree)
    order = order[np.argsort(within, kind="stable")]
    # The same threshold in several trees is another node each time, but the same rows will do.
    _, first = np.unique(
        np.stack([visits.column[order], visits.split[order].view(np.int64)]), axis=1, return_index=True
    )
    kept = np.zeros(len(order), bool)
    kept[first] = True
    kept[: int((within == 0).sum())] = True
    order = order[kept]
    return visits.some(order[:most]), len(order)


class _Walker:
    def __init__(self, arrays: Arrays) -> None:
        self._feature: Ints = arrays["nodes_featureids"]
        self._split: Floats = arrays["nodes_splits"]
        self._mode = arrays["nodes_modes"]
        nodes = len(self._feature)
        self._missing = arrays.get("nodes_missing_value_tracks_true", np.zeros(nodes, np.int64)).astype(bool)
        # A leaf is where the walk ends: -1.
        self._true, self._false = (
            np.where(arrays[f"nodes_{side}leafs"] == 1, -1, arrays[f"nodes_{side}nodeids"])
            for side in ("true", "false")
        )
        values = arrays.get("membership_values", np.empty(0))
        sets = np.split(values, np.flatnonzero(np.isnan(values)) + 1)
        members = np.flatnonzero(self._mode == Mode.MEMBER).tolist()
        self._members = {node: found[~np.isnan(found)] for node, found in zip(members, sets, strict=False)}
        self._visitor, self._tree = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)

    def walk(self, tree: int, root: int, matrix: Floats, rows: Ints) -> None:
        """Note who comes to the nodes of a tree."""
        at = np.full(len(rows), root)
        while len(rows):
            self._visitor[at] = rows  # the last of several stays, and the order is by chance
            self._tree[at] = tree
            answers = self._answers(at, matrix[rows, self._feature[at]])
            onward = np.where(answers, self._true[at], self._false[at])
            rows, at = rows[onward >= 0], onward[onward >= 0]

    def visits(self, sources: Ints, signs: Floats) -> Visits:
        """sources, signs: as an Ensemble has them."""
        asks = (self._visitor >= 0) & (self._mode == Mode.LEQ) & np.isfinite(self._split)
        nodes = np.flatnonzero(asks & (sources[self._feature] >= 0))
        column = self._feature[nodes]
        tree, row = self._tree[nodes].astype(np.int64), self._visitor[nodes].astype(np.int64)
        return Visits(tree, sources[column], self._split[nodes] * signs[column], row)

    def _answers(self, at: Ints, values: Floats) -> NDArray[np.bool_]:
        split = self._split[at]
        answers = values <= split
        if self._members or (self._mode[at] != Mode.LEQ).any():
            mode = self._mode[at]
            answers = np.where(mode == Mode.LEQ, answers, values == split)
            for node in np.unique(at[mode == Mode.MEMBER]).tolist():
                here = at == node
                answers[here] = np.isin(values[here], self._members[node])
        found: NDArray[np.bool_] = answers | (self._missing[at] & np.isnan(values))
        return found
