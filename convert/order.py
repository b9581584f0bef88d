"""By what a batch's rows are ordered, so that trees answer them sooner: what most trees ask first."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from runtime.order import MOST_TESTS, ORDER

from .fold import Mode
from .lower.packed import Ensemble

__all__ = ["note_order"]

TREES = 50
"""From which on it pays: ordering and what it takes to put answers back is 0.05 to 0.1 µs a row, and saves some 4 ns a
tree."""
LEVELS = 5
"""How far down nodes are looked at."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class _Asked(NamedTuple):
    """What nodes ask of the request's own columns: whether a column is at most a split.

    columns, splits, weights: [n]; a weight is the part of a tree's rows that comes to the node, as far as can be told:
    half of what comes to its parent.
    """

    columns: Ints
    splits: Floats
    weights: Floats

    def only(self, which: NDArray[np.bool_]) -> "_Asked":
        return _Asked(self.columns[which], self.splits[which], self.weights[which])


def note_order(model: onnx.ModelProto, ensembles: Sequence[Ensemble]) -> None:
    """Write into a model by which tests the runtime may order its rows, where it has trees enough for that to pay."""
    thresholds = [ensemble for ensemble in ensembles if (ensemble.arrays["nodes_modes"] == Mode.LEQ).all()]
    if sum(len(ensemble.roots) for ensemble in thresholds) < TREES:
        return
    asked = [_first(ensemble) for ensemble in thresholds]
    tests = _chosen(_Asked(*map(np.concatenate, zip(*asked, strict=True))))
    if tests:
        model.metadata_props.add(key=ORDER, value=",".join(f"{column}:{split!r}" for column, split in tests))


def _first(ensemble: Ensemble) -> _Asked:
    """What its nodes ask down to some depth."""
    arrays = ensemble.arrays
    nodes, weights = ensemble.roots, np.ones(len(ensemble.roots))
    found = []
    for _ in range(LEVELS):
        features = arrays["nodes_featureids"][nodes]
        # Where the sign was changed -x <= -t is asked for x >= t: it parts the same rows.
        splits = arrays["nodes_splits"][nodes] * ensemble.signs[features]
        columns = ensemble.sources[features]
        found.append(_Asked(columns, splits, weights).only((columns >= 0) & np.isfinite(splits)))
        inner = [arrays[f"nodes_{side}leafs"][nodes] == 0 for side in ("true", "false")]
        below = [arrays[f"nodes_{side}nodeids"][nodes] for side in ("true", "false")]
        nodes = np.concatenate([node[goes] for node, goes in zip(below, inner, strict=True)])
        weights = np.concatenate([weights[goes] / 2 for goes in inner])
    return _Asked(*map(np.concatenate, zip(*found, strict=True)))


def _chosen(asked: _Asked) -> list[tuple[int, float]]:
    """The tests that stand for most: of the column that is asked most the split in the middle, then of what is left."""
    parts = [asked.only(asked.columns == column) for column in np.unique(asked.columns)]
    tests: list[tuple[int, float]] = []
    while parts and len(tests) < MOST_TESTS:
        most = max(range(len(parts)), key=lambda index: float(parts[index].weights.sum()))
        part = parts.pop(most)
        order = np.argsort(part.splits, kind="stable")
        reached = np.cumsum(part.weights[order])
        split = part.splits[order][np.searchsorted(reached, reached[-1] / 2)]
        tests.append((int(part.columns[0]), float(split)))
        parts += [rest for rest in (part.only(part.splits < split), part.only(part.splits > split)) if len(rest.splits)]
    return tests
