"""Which rows reach which nodes of a graph's trees: a threshold is only tested by a row that comes to it."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from runtime.session import INPUT

from .fold import Mode

__all__ = ["Visit", "visits"]

Ints = NDArray[np.int64]


class Visit(NamedTuple):
    """One row that comes to a threshold, for each different threshold of a tree.

    column, split: [thresholds]; row: a place in the matrix, [thresholds].
    """

    column: Ints
    split: NDArray[np.float64]
    row: Ints


def visits(graph: bytes, matrix: NDArray[np.float64], seed: int) -> Iterator[Visit]:
    """For every tree that reads the request's own matrix, its thresholds and a row of ``matrix`` that reaches each.

    A threshold that no row reaches is left out. Where several rows do, chance decides.
    """
    rng = np.random.default_rng(seed)
    for node in onnx.load_from_string(graph).graph.node:
        if node.op_type == "TreeEnsemble" and node.input[0] == INPUT:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            for name in ("nodes_splits", "nodes_modes", "membership_values"):
                if name in attributes:
                    attributes[name] = numpy_helper.to_array(attributes[name])
            walker = _Walker(attributes)
            for root in attributes["tree_roots"]:
                yield walker.walk(root, matrix, rng.permutation(len(matrix)))


class _Walker:
    def __init__(self, attributes: dict[str, object]) -> None:
        self._feature: Ints = np.asarray(attributes["nodes_featureids"], np.int64)
        self._split: NDArray[np.float64] = np.asarray(attributes["nodes_splits"])
        self._mode: Ints = np.asarray(attributes["nodes_modes"], np.int64)
        tracks = attributes.get("nodes_missing_value_tracks_true") or [0] * len(self._feature)
        self._missing = np.asarray(tracks, bool)
        # A leaf is where the walk ends: -1.
        self._true = _onward(attributes, "true")
        self._false = _onward(attributes, "false")
        values = np.asarray(attributes.get("membership_values", []), np.float64)
        sets = np.split(values, np.flatnonzero(np.isnan(values)) + 1)
        members = np.flatnonzero(self._mode == Mode.MEMBER).tolist()
        self._members = {node: found[~np.isnan(found)] for node, found in zip(members, sets, strict=False)}

    def walk(self, root: int, matrix: NDArray[np.float64], order: Ints) -> Visit:
        visitor = np.full(len(self._feature), -1)
        rows, at = order, np.full(len(order), root)
        while len(rows):
            visitor[at] = rows  # the last of several stays, and the order is by chance
            answers = self._answers(at, matrix[rows, self._feature[at]])
            onward = np.where(answers, self._true[at], self._false[at])
            rows, at = rows[onward >= 0], onward[onward >= 0]
        nodes = np.flatnonzero((visitor >= 0) & (self._mode == Mode.LEQ) & np.isfinite(self._split))
        return Visit(self._feature[nodes], self._split[nodes], visitor[nodes])

    def _answers(self, at: Ints, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        mode, split = self._mode[at], self._split[at]
        answers = np.where(mode == Mode.LEQ, values <= split, values == split)
        for node in np.unique(at[mode == Mode.MEMBER]).tolist():
            here = at == node
            answers[here] = np.isin(values[here], self._members[node])
        found: NDArray[np.bool_] = answers | (self._missing[at] & np.isnan(values))
        return found


def _onward(attributes: dict[str, object], side: str) -> Ints:
    ids = np.asarray(attributes[f"nodes_{side}nodeids"], np.int64)
    return np.where(np.asarray(attributes[f"nodes_{side}leafs"]) == 1, -1, ids)
