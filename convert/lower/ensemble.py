"""Trees of any library become ``ai.onnx.ml`` 5 TreeEnsembles in float64.

Their kernel compares and adds in float64, tree by tree in order, so that its sums have the bits of a plain loop. It
never decides a label, and a leaf holds one number: where the leaves are vectors (a classifier's class fractions) the
ensemble answers which leaf each tree came to, and the vectors are gathered and added behind it.
"""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..fold import Mode
from .asking import Asked
from .carry import Carry
from .layout import Layout, groups, laid_out, stages
from .matrix import FLOAT32, Matrix, Monotone
from .nodes import Trees, distinct, join, stump
from .packed import Arrays, Ensemble, check_size, stand_in
from .pruning import prune

__all__ = ["FLOAT32", "Trees", "chosen_leaves", "distinct", "in_order", "join", "stump", "sum_of_leaves"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK = 100
"""How many terms any processor's ReduceSum adds in order."""


def chosen_leaves(x: Matrix, trees: Trees, leaves: Ints, cast: Monotone | None) -> Var:
    """An int64 tensor [N, T]: the entry of ``leaves`` at the leaf that each tree comes to."""
    tree_of = np.repeat(np.arange(len(trees.roots)), np.diff([*trees.roots, len(trees.feature)]))
    values = leaves.astype(np.float64)
    layout = _layout(x, trees, tree_of, values, cast)
    found = []
    for own, nodes in groups(layout, trees.roots):
        part = layout.part(own, nodes)
        found.append(_ensemble(x, part, tree_of - own.start, values, own.stop - own.start))
    return op.cast(found[0] if len(found) == 1 else op.concat(found, axis=1), to=np.int64)


def sum_of_leaves(
    x: Matrix,
    trees: Trees,
    targets: Ints,
    weights: Floats,
    width: int,
    cast: Monotone | None,
    *,
    in_any_order: bool = False,
) -> Var:
    """A float64 tensor [N, width]: each target's leaf weights, added in the order of the trees.

    targets, weights: [nodes]; read at the leaves.
    in_any_order: whether the weights add up to the same bits however they are added.
    """
    layout = _layout(x, trees, targets, weights, cast)
    if in_any_order:
        parts = [layout.part(*cut) for cut in groups(layout, trees.roots)]
        found = [_ensemble(x, part, targets, weights, width) for part in parts]
        return found[0] if len(found) == 1 else op.sum(found)
    cuts = stages(layout, trees.roots) if width == 1 else []
    carry = Carry.of(trees, weights) if len(cuts) > 1 else None
    if carry is None:
        return _ensemble(x, layout, targets, weights, width)
    first, *rest = (layout.part(*cut) for cut in cuts)
    total = _ensemble(x, first, targets, weights, width)
    for part in rest:
        total = _carried(x, part, weights, carry, total)
    return total


def _layout(x: Matrix, trees: Trees, targets: Ints, weights: Floats, cast: Monotone | None) -> Layout:
    check_size(int((trees.feature >= 0).sum()), len(trees.roots))
    asked = Asked.of(x, trees, cast)

    def beforehand(stumps: Layout) -> Var:
        count = len(stumps.roots)
        return _ensemble(x, stumps, np.repeat(np.arange(count), 3), np.tile([0.0, 0.0, 1.0], count), count)

    return laid_out(asked, prune(trees, asked, targets, weights), targets, weights, beforehand)


def _ensemble(x: Matrix, layout: Layout, targets: Ints, weights: Floats, width: int) -> Var:
    ensemble = Ensemble(layout.matrix, _arrays(layout, targets, weights), layout.sources, layout.signs)
    return stand_in(ensemble, x.scope.ensembles, width)


def _carried(x: Matrix, layout: Layout, weights: Floats, carry: Carry, total: Var) -> Var:
    """The sum of one target, which goes on from a total."""
    layout, weights = carry.ahead(layout, weights)
    arrays = _arrays(layout, np.zeros(len(weights), np.int64), weights)
    ensemble = Ensemble(layout.matrix, arrays, layout.sources, layout.signs, carry.digits(total), carry.count)
    return stand_in(ensemble, x.scope.ensembles, 1)


def _arrays(layout: Layout, targets: Ints, weights: Floats) -> Arrays:
    """The attributes of an ensemble; children by their new numbers."""
    # A tree that is but a leaf becomes a node with two leaves alike: one and the same leaf as both children has been
    # seen to be added twice by onnxruntime where other trees ask for categories.
    single = ~np.isin(layout.roots, layout.nodes)
    alone = layout.roots[single]

    ends = np.concatenate([layout.true[layout.true_leaf], layout.false[layout.false_leaf]])
    first = leaf_of_end = np.arange(len(ends))
    # Equal leaves are written once, where every node asks for a threshold; compared as bits, so that 0.0 and -0.0
    # stay two. Those that most nodes lead to come first, for small numbers are short.
    if (layout.mode == Mode.LEQ).all():
        first, leaf_of_end = distinct([weights[ends].view(np.int64), targets[ends]])
        order = np.argsort(-np.bincount(leaf_of_end), kind="stable")
        first, leaf_of_end = first[order], np.argsort(order)[leaf_of_end]
    number = np.zeros(len(weights), np.int64)
    number[layout.nodes] = np.arange(len(layout.nodes))
    number[ends] = leaf_of_end
    roots = number[layout.roots]
    roots[single] = len(layout.nodes) + np.arange(len(alone))
    written = np.concatenate([ends[first], alone, alone])
    alone_true = len(first) + np.arange(len(alone))

    asking = layout.which[layout.mode == Mode.MEMBER].tolist()
    members = [value for which in asking for value in (*layout.tests.members[which], np.nan)]
    ones = np.ones(len(alone), np.int64)
    # They stay until the proof has chosen its rows, beside all that a session takes: as narrow as they may be.
    arrays: dict[str, NDArray[Any]] = {
        "leaf_targetids": targets[written],
        "leaf_weights": weights[written],
        "nodes_falseleafs": np.concatenate([layout.false_leaf, ones], dtype=np.int8, casting="unsafe"),
        "nodes_falsenodeids": _narrow([number[layout.false], alone_true + len(alone)]),
        "nodes_featureids": _narrow([layout.column, 0 * ones]),
        "nodes_modes": np.concatenate([layout.mode, 0 * ones], dtype=np.uint8, casting="unsafe"),
        "nodes_splits": np.concatenate([layout.split, 0.0 * ones]),
        "nodes_trueleafs": np.concatenate([layout.true_leaf, ones], dtype=np.int8, casting="unsafe"),
        "nodes_truenodeids": _narrow([number[layout.true], alone_true]),
        "tree_roots": roots,
    }
    if layout.missing.any():
        arrays["nodes_missing_value_tracks_true"] = np.concatenate(
            [layout.missing, 0 * ones], dtype=np.int8, casting="unsafe"
        )
    if members:
        arrays["membership_values"] = np.array(members)
    return arrays


def _narrow(parts: list[Ints]) -> NDArray[np.int32]:
    """One after the other; a graph within protobuf's limit has no number that would not fit."""
    return np.concatenate(parts, dtype=np.int32, casting="unsafe")


def in_order(values: Var, count: int) -> Var:
    """[N, width]: the sum of [N, count, width] along its middle, term by term.

    ReduceSum adds a long axis in blocks, and one row otherwise than many: onnxruntime 1.32 multiplies by ones, in
    blocks as long as the processor's first cache allows, more than a hundred numbers on any. A running sum never does.
    """
    if count <= BLOCK:
        return op.reduce_sum(values, op.const(np.array([1])), keepdims=0)
    return op.gather(op.cumsum(values, op.const(np.int64(1))), op.const(np.int64(count - 1)), axis=1)
