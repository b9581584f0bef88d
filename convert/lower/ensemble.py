"""Trees of any library become one ``ai.onnx.ml`` 5 TreeEnsemble in float64.

Its kernel compares and adds in float64, tree by tree in order, so that its sums have the bits of a plain loop. It
never decides a label, and a leaf holds one number: where the leaves are vectors (a classifier's class fractions) the
ensemble answers which leaf each tree came to, and the vectors are gathered and added behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..fold import Mode, Test, Unfoldable, of_lookup, of_raw
from .matrix import Lookup, Matrix, Monotone, Raw
from .packed import check_size, stand_in
from .sparse import Sparse

__all__ = ["Trees", "chosen_leaves", "distinct", "in_order", "join", "stump", "sum_of_leaves"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FLOAT32 = Monotone(lambda values: np.asarray(values, np.float32))
"""The cast by which scikit-learn's trees see their input."""
BLOCK = 100
"""How many terms any processor's ReduceSum adds in order."""


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


def chosen_leaves(x: Matrix, trees: Trees, leaves: Ints, cast: Monotone | None) -> Var:
    """An int64 tensor [N, T]: the entry of ``leaves`` at the leaf that each tree comes to."""
    tree_of = np.repeat(np.arange(len(trees.roots)), np.diff([*trees.roots, len(trees.feature)]))
    return op.cast(_ensemble(x, trees, tree_of, leaves.astype(np.float64), len(trees.roots), cast), to=np.int64)


def sum_of_leaves(x: Matrix, trees: Trees, targets: Ints, weights: Floats, width: int, cast: Monotone | None) -> Var:
    """A float64 tensor [N, width]: each target's leaf weights, added in the order of the trees.

    targets, weights: [nodes]; read at the leaves.
    """
    return _ensemble(x, trees, targets, weights, width, cast)


def _ensemble(x: Matrix, trees: Trees, targets: Ints, weights: Floats, width: int, cast: Monotone | None) -> Var:
    check_size(int((trees.feature >= 0).sum()))
    tests = _Tests.of(x, trees, cast)
    pruned = _prune(trees, tests)
    # A tree that is but a leaf becomes a node with two leaves alike: one and the same leaf as both children has been
    # seen to be added twice by onnxruntime where other trees ask for categories.
    single = trees.feature[pruned.roots] < 0
    alone = pruned.roots[single]

    ends = np.concatenate([pruned.true[pruned.true_leaf], pruned.false[pruned.false_leaf]])
    first = leaf_of_end = np.arange(len(ends))
    # Equal leaves are written once, where every node asks for a threshold; compared as bits, so that 0.0 and -0.0
    # stay two.
    if (tests.mode[pruned.which] == Mode.LEQ).all():
        first, leaf_of_end = distinct([weights[ends].view(np.int64), targets[ends]])
    number = np.zeros(len(trees.feature), np.int64)
    number[pruned.nodes] = np.arange(len(pruned.nodes))
    number[ends] = leaf_of_end
    roots = number[pruned.roots]
    roots[single] = len(pruned.nodes) + np.arange(len(alone))
    written = np.concatenate([ends[first], alone, alone])
    alone_true = len(first) + np.arange(len(alone))

    splits = np.array([test.split for test in tests.unique])[pruned.which]
    missing = np.array([test.missing for test in tests.unique], np.int64)[pruned.which]
    missing = _missing_of_chains(pruned, tests, missing, weights, targets)
    asking = pruned.which[tests.mode[pruned.which] == Mode.MEMBER].tolist()
    members = [value for which in asking for value in (*tests.unique[which].members, np.nan)]
    ones = np.ones(len(alone), np.int64)
    arrays = {
        "leaf_targetids": targets[written],
        "leaf_weights": weights[written],
        "nodes_falseleafs": np.concatenate([pruned.false_leaf, ones]),
        "nodes_falsenodeids": np.concatenate([number[pruned.false], alone_true + len(alone)]),
        "nodes_featureids": np.concatenate([tests.column[pruned.which], 0 * ones]),
        "nodes_modes": np.concatenate([tests.mode[pruned.which], 0 * ones]).astype(np.uint8),
        "nodes_splits": np.concatenate([splits, 0.0 * ones]),
        "nodes_trueleafs": np.concatenate([pruned.true_leaf, ones]),
        "nodes_truenodeids": np.concatenate([number[pruned.true], alone_true]),
        "tree_roots": roots,
    }
    if missing.any():
        arrays["nodes_missing_value_tracks_true"] = np.concatenate([missing, 0 * ones])
    if members:
        arrays["membership_values"] = np.array(members)
    return stand_in(tests.matrix, arrays, x.scope.ensembles, width)


def _missing_of_chains(pruned: "_Pruned", tests: "_Tests", missing: Ints, weights: Floats, targets: Ints) -> Ints:
    """Where the nodes send a missing value, said so that onnxruntime cannot get it wrong.

    It asks two tests of one column for categories at once where both have equal leaves behind a yes, and then goes by
    the first one's flag alone. What the second one answers yes to may as well be answered yes by the first.
    """
    number = np.full(len(weights), -1)
    number[pruned.nodes] = np.arange(len(pruned.nodes))
    column, set_test = tests.column[pruned.which], tests.mode[pruned.which] != Mode.LEQ
    first = np.flatnonzero(set_test & pruned.true_leaf & ~pruned.false_leaf)
    second = number[pruned.false[first]]
    leaf, other = pruned.true[first], pruned.true[second]
    alike = set_test[second] & pruned.true_leaf[second] & (column[first] == column[second])
    alike &= (weights[leaf] == weights[other]) & (targets[leaf] == targets[other])
    first, second = first[alike], second[alike]
    while (missing[second] > missing[first]).any():
        missing[first] |= missing[second]
    return missing


def distinct(columns: list[Ints]) -> tuple[Ints, Ints]:
    """Of rows given by their columns: the place of the first of each different row, and for each row which it is."""
    which = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, code = np.unique(column, return_inverse=True)
        _, which = np.unique(which * (int(code.max(initial=0)) + 1) + code, return_inverse=True)
    _, first, which = np.unique(which, return_index=True, return_inverse=True)
    return first, which


def in_order(values: Var, count: int) -> Var:
    """[N, width]: the sum of [N, count, width] along its middle, term by term.

    ReduceSum adds a long axis in blocks, and one row otherwise than many: onnxruntime 1.32 multiplies by ones, in
    blocks as long as the processor's first cache allows, more than a hundred numbers on any. A running sum never does.
    """
    if count <= BLOCK:
        return op.reduce_sum(values, op.const(np.array([1])), keepdims=0)
    return op.gather(op.cumsum(values, op.const(np.int64(1))), op.const(np.int64(count - 1)), axis=1)


class _Pruned(NamedTuple):
    """The inner nodes that can be reached, in their old order; everything by old node number.

    which: the test of each. true, false: where each goes on. true_leaf, false_leaf: whether that is a leaf.
    """

    roots: Ints
    nodes: Ints
    which: Ints
    true: Ints
    false: Ints
    true_leaf: NDArray[np.bool_]
    false_leaf: NDArray[np.bool_]


def _prune(trees: Trees, tests: "_Tests") -> _Pruned:
    """Skip the nodes whose test always comes out alike, and leave out what cannot be reached any more."""
    is_leaf = trees.feature < 0
    inner = np.flatnonzero(~is_leaf)
    asked_left = tests.left[tests.which]
    true, false = trees.left.copy(), trees.right.copy()
    true[inner] = np.where(asked_left, trees.left[inner], trees.right[inner])
    false[inner] = np.where(asked_left, trees.right[inner], trees.left[inner])
    onward = np.arange(len(trees.feature))
    always, never = tests.constant[tests.which] == 1, tests.constant[tests.which] == 0
    onward[inner[always]], onward[inner[never]] = true[inner[always]], false[inner[never]]
    while not np.array_equal(further := onward[onward], onward):
        onward = further
    roots, true, false = onward[trees.roots], onward[true], onward[false]

    reached = np.zeros(len(trees.feature), bool)
    frontier = roots
    while len(frontier):
        reached[frontier] = True
        frontier = frontier[~is_leaf[frontier]]
        frontier = np.concatenate([true[frontier], false[frontier]])
    nodes = np.flatnonzero(reached & ~is_leaf)
    which = np.zeros(len(trees.feature), np.int64)
    which[inner] = tests.which
    true, false = true[nodes], false[nodes]
    return _Pruned(roots, nodes, which[nodes], true, false, is_leaf[true], is_leaf[false])


@dataclass(frozen=True)
class _Tests:
    """What the inner nodes ask.

    matrix: of which they ask it, float64 [N, k].
    unique: the different tests; column, mode, left and constant (1, 0, or -1 for neither) of each as vectors.
    which: the test of each inner node, in their order.
    """

    matrix: Var
    unique: list[Test]
    column: Ints
    mode: Ints
    left: NDArray[np.bool_]
    constant: Ints
    which: Ints

    @classmethod
    def of(cls, x: Matrix, trees: Trees, cast: Monotone | None) -> "_Tests":
        """Of the request's own columns where a test can be asked of them, else of the columns of x."""
        used = np.unique(trees.feature[trees.feature >= 0]).tolist()
        asked = {column: _asked(x, trees, column, cast) if x.scope.fold else None for column in used}
        saved = [column for column in used if asked[column] is not None and not _untouched(x, column)]
        computed = [column for column in used if asked[column] is None]
        if computed and not saved and not any(isinstance(x.numbers()[column].tensor, Sparse) for column in used):
            matrix, places = x.tensor, {column: column for column in used}
            computed = used
        elif computed and not saved:
            # Of a vocabulary only the terms that a tree asks for.
            matrix, places = x.select(computed).tensor, {column: place for place, column in enumerate(computed)}
        elif computed:
            # The request's columns, then those that no single test can stand for.
            matrix = op.concat([x.scope.x, x.select(computed).tensor], axis=1)
            places = {column: len(x.scope.missing) + index for index, column in enumerate(computed)}
        else:
            matrix, places = x.scope.x, {}
        parts = [
            _ask(x, trees, column, Raw(places[column]), cast, None) if column in computed else asked[column]
            for column in used
        ]
        found = [part for part in parts if part is not None]
        for part in found:
            if part.source is not None:
                splits = np.array([test.split for test in part.tests if test.mode is Mode.LEQ])
                x.scope.edges.setdefault(part.source, []).append(splits)
        if saved:
            count = sum(len(part.nodes) for column, part in zip(used, found, strict=True) if column in saved)
            rest = f" ({len(computed)} more are computed)" if computed else ""
            x.scope.folded.append(f"{len(saved)} preprocessed columns into {count:,} tree nodes{rest}")
        which = np.zeros(len(trees.feature), np.int64)
        unique: list[Test] = []
        columns: list[int] = []
        for part in found:
            which[part.nodes] = len(unique) + part.which
            unique += part.tests
            columns += [part.column] * len(part.tests)
        return cls(
            matrix,
            unique,
            np.array(columns, np.int64),
            np.array([test.mode for test in unique], np.int64),
            np.array([test.left for test in unique], bool),
            np.array([-1 if test.constant is None else int(test.constant) for test in unique], np.int64),
            which[trees.feature >= 0],
        )


class _Asked(NamedTuple):
    """The tests of one feature.

    column: of the ensemble's matrix. source: the request's column, where thresholds are its own; else None.
    nodes: those that ask; which: the test of each.
    """

    column: int
    source: int | None
    nodes: Ints
    which: Ints
    tests: list[Test]


def _untouched(x: Matrix, column: int) -> bool:
    """Whether a column is the request's own, with nothing done to it."""
    origin = x.numbers()[column].origin
    return isinstance(origin, Raw) and not origin.steps


def _asked(x: Matrix, trees: Trees, feature: int, cast: Monotone | None) -> _Asked | None:
    """A feature's tests of the request's column; None where there are none that decide alike."""
    origin = x.numbers()[feature].origin
    if origin is None:
        return None
    try:
        return _ask(x, trees, feature, origin, cast, origin.source)
    except Unfoldable:
        return None


def _ask(
    x: Matrix, trees: Trees, feature: int, origin: Raw | Lookup, cast: Monotone | None, source: int | None
) -> _Asked:
    """source: the request's column that the origin speaks of; None if it speaks of a computed one."""
    through = origin if cast is None else origin.then(cast)
    asking = np.flatnonzero(trees.feature == feature)
    sets = np.isin(asking, list(trees.members)) if trees.members else np.zeros(len(asking), bool)
    nodes = asking[~sets]
    may_miss = True if source is None else x.scope.missing[source]
    size = len(x.scope.tables[source]) if source is not None and source in x.scope.tables else None
    # One test for all nodes that ask the same: thresholds compared as bits, with where NaN goes.
    keys = np.stack([trees.threshold[nodes].view(np.int64), trees.missing_left[nodes].astype(np.int64)], axis=1)
    keys, places = np.unique(keys, axis=0, return_inverse=True)
    thresholds, missing_left = keys[:, 0].copy().view(np.float64), keys[:, 1].astype(bool)
    if isinstance(through, Raw):
        tests = of_raw(through, thresholds, missing_left, may_miss)
    else:
        tests = [
            _of_table(through, partial(np.greater_equal, t), m, size, may_miss)
            for t, m in zip(thresholds.tolist(), missing_left.tolist(), strict=True)
        ]
    known = dict[tuple[bytes, bool], int]()
    which = [places.ravel()]
    for node in asking[sets].tolist():
        values, left = trees.members[node], bool(trees.missing_left[node])
        key = (values.tobytes(), left)
        if key not in known:
            known[key] = len(tests)
            if isinstance(origin, Lookup):
                tests.append(_of_table(origin, partial(_is_in, values), left, size, may_miss))
            elif origin.steps:
                raise Unfoldable
            else:
                tests.append(Test(Mode.MEMBER, members=tuple(values.tolist()), missing=left))
        which.append(np.array([known[key]]))
    own = source if isinstance(through, Raw) else None
    return _Asked(origin.source, own, np.concatenate([nodes, asking[sets]]), np.concatenate(which), tests)


def _is_in(members: Floats, values: Floats) -> NDArray[np.bool_]:
    return np.isin(values, members)


def _of_table(
    origin: Lookup, goes_left: Callable[[Floats], NDArray[np.bool_]], nan_left: bool, size: int | None, may_miss: bool
) -> Test:
    values = np.concatenate([origin.values, [origin.default, origin.missing]])
    left = np.where(np.isnan(values), nan_left, goes_left(values))
    return of_lookup(left[:-1], bool(left[-1]), origin, size, may_miss)
