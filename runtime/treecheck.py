"""The nodes of a tree ensemble: each lead to one that is there, and none in a circle, so that a walk ends."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .wire import Malformed, Value, varints

__all__ = ["check_trees"]

Attributes = Mapping[str, Mapping[int, list[tuple[int, Value]]]]
"""By name, the values by the field of AttributeProto that holds them: 3 an integer, 8 integers, 9 strings."""

Integers = NDArray[np.int64]


def check_trees(kind: str, attributes: Attributes) -> None:
    """Raise Malformed for an ensemble of that operator whose tables do not fit each other."""
    if kind == "TreeEnsemble":
        _check_5(attributes)
    else:
        _check_3(attributes)


def _check_5(attributes: Attributes) -> None:
    """``TreeEnsemble`` of ai.onnx.ml 5: children are places in the tables of nodes or of leaves."""
    nodes = _integers(attributes, "nodes_featureids")
    targets = _integers(attributes, "leaf_targetids")
    count, leaves = len(nodes), len(targets)
    roots = _integers(attributes, "tree_roots")
    _within(nodes, None, "a feature")
    _within(targets, _integer(attributes, "n_targets", 1), "a target")
    _within(roots, max(count, 1), "a root")
    parents = np.bincount(roots[roots < count], minlength=count)
    alone = count == 1 and leaves == 1  # a tree of one leaf is written as a node whose both children are that leaf
    for side in ("true", "false"):
        children = _integers(attributes, f"nodes_{side}nodeids")
        ends = _integers(attributes, f"nodes_{side}leafs")
        if len(children) != count or len(ends) != count or not ((ends == 0) | (ends == 1)).all():
            raise Malformed("a tree ensemble whose tables differ in length")
        _within(children[ends == 1], leaves, "a leaf")
        inner = children[ends == 0]
        _within(inner, count, "a node")
        parents += np.bincount(inner, minlength=count)
    if not alone and (parents > 1).any():
        raise Malformed("a tree that has a node twice")


def _check_3(attributes: Attributes) -> None:
    """``TreeEnsembleClassifier`` and ``TreeEnsembleRegressor``: a child is a node's number within its tree."""
    trees, numbers = _integers(attributes, "nodes_treeids"), _integers(attributes, "nodes_nodeids")
    features, modes = _integers(attributes, "nodes_featureids"), attributes.get("nodes_modes", {}).get(9, [])
    if not len(trees) == len(numbers) == len(features) == len(modes):
        raise Malformed("a tree ensemble whose tables differ in length")
    for table, what in ((trees, "a tree"), (numbers, "a node"), (features, "a feature")):
        _within(table, 2**31, what)
    places = (trees << 32) | numbers
    order = np.argsort(places, kind="stable")
    if len(np.unique(places)) != len(places):
        raise Malformed("a tree that has a node twice")
    inner = np.array([bytes(mode) != b"LEAF" for _, mode in modes if not isinstance(mode, int)], bool)
    parents = np.zeros(len(places), np.int64)
    for side in ("true", "false"):
        children = _integers(attributes, f"nodes_{side}nodeids")
        if len(children) != len(places) or len(inner) != len(places):
            raise Malformed("a tree ensemble whose tables differ in length")
        _within(children[inner], 2**31, "a node")
        wanted = (trees[inner] << 32) | children[inner]
        found = np.searchsorted(places[order], wanted)
        if len(wanted) and ((found >= len(places)).any() or (places[order][found] != wanted).any()):
            raise Malformed("a tree whose node leads nowhere")
        np.add.at(parents, order[found], 1)
    firsts = order[np.flatnonzero(np.diff(trees[order], prepend=-1))]  # each tree's root is its first node
    if (parents > 1).any() or parents[firsts].any():
        raise Malformed("a tree that has a node twice")


def _integers(attributes: Attributes, name: str) -> Integers:
    parts = [varints(value, wire) for wire, value in attributes.get(name, {}).get(8, ())]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _integer(attributes: Attributes, name: str, default: int) -> int:
    values = attributes.get(name, {}).get(3, [])
    return int(varints(values[0][1], 0)[0]) if values else default


def _within(table: Integers, limit: int | None, what: str) -> None:
    if len(table) and (table.min() < 0 or (limit is not None and table.max() >= limit)):
        raise Malformed(f"{what} that is not there in a tree ensemble")
