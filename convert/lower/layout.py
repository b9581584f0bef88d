"""How an ensemble's nodes lie in memory: for large ones that decides how long a row takes.

onnxruntime 1.32 puts the node behind a no next to the one that asks, and the other branch behind that whole branch. So
a question is turned around, ``-x <= -t'`` in place of ``x <= t``, where more leaves are behind its yes: on 500
unlimited trees (two million nodes) a row then takes half the time. And its kernel walks every tree for each 128 rows,
so trees that do not fit a processor's cache together are read from memory again and again: a large ensemble is cut
into groups, each an ensemble, which costs a single row about a microsecond a group and makes batches twice as fast.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from ..fold import Mode, Tests
from .asking import Asked
from .nodes import distinct
from .pruning import Pruned

__all__ = ["Layout", "groups", "laid_out", "stages"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TURNED = 1 << 14
"""Nodes from which on questions are turned around: two more operators, about two microseconds a row, and a matrix
twice as wide. Fewer lie in a processor's own cache in whatever order."""
SETS = 256
"""Different tests for categories that are asked beforehand, so that all nodes of a large ensemble ask for thresholds:
the kernel has a loop of its own for that, and takes a third longer where nodes ask this and that."""
GROUP = 1 << 15
"""Nodes of a group: 2 MB in onnxruntime's memory, with as many leaves."""
GROUPS = 32
"""Groups at most, for each costs a single row a microsecond; then they are larger."""
STAGED = 1 << 19
"""Nodes from which on a rounded sum is cut too, though each cut costs a single row some five microseconds: to load an
ensemble onnxruntime takes 300 bytes for each node or leaf for a while, and 200 where two halves come one by one."""
STAGE = 1 << 21
"""Nodes of such a group: their numbers take three bytes."""
STAGES = 4
"""Such groups at most."""


@dataclass(frozen=True)
class Layout:
    """Nodes and what they ask.

    matrix: float64 [N, k]. sources, signs: by column of it, the request's column whose numbers it holds, as they are
        or with their sign changed; -1 where it holds what was computed.
    roots: [T], old numbers. nodes: old numbers of the inner nodes.
    column, mode, split, missing: of each; missing is 1 where NaN is answered yes.
    true, false: old numbers of where each leads; true_leaf, false_leaf: whether that is a leaf.
    which: the test of each, for the members of sets. tests: all of them.
    """

    matrix: Var
    sources: Ints
    signs: Floats
    roots: Ints
    nodes: Ints
    column: Ints
    mode: Ints
    split: Floats
    missing: Ints
    true: Ints
    false: Ints
    true_leaf: Bools
    false_leaf: Bools
    which: Ints
    tests: Tests

    def part(self, trees: slice, nodes: slice | Ints) -> "Layout":
        """Some of the trees, with their nodes."""
        names = ("nodes", "column", "mode", "split", "missing", "true", "false", "true_leaf", "false_leaf", "which")
        return replace(self, roots=self.roots[trees], **{name: getattr(self, name)[nodes] for name in names})


def laid_out(
    asked: Asked, pruned: Pruned, targets: Ints, weights: Floats, beforehand: Callable[[Layout], Var]
) -> Layout:
    """The nodes as they are written.

    targets, weights: [nodes]; read at the leaves.
    beforehand: gives the tensor [N, T] of what trees of one node each answer, 0.0 for yes and 1.0 for no.
    """
    which, tests = pruned.which, asked.tests
    plain = Layout(
        asked.matrix,
        asked.sources,
        np.ones(len(asked.sources)),
        pruned.roots,
        pruned.nodes,
        asked.column[which],
        tests.mode[which],
        tests.split[which],
        tests.missing[which].astype(np.int64),
        pruned.true,
        pruned.false,
        pruned.true_leaf,
        pruned.false_leaf,
        which,
        tests,
    )
    if len(plain.nodes) >= TURNED:
        parts = [plain.matrix]
        if 0 < len(np.unique(which[plain.mode != Mode.LEQ])) <= SETS:
            stumps, plain = _asked_beforehand(plain)
            parts.append(beforehand(stumps))
        negated, plain = _turned(plain, asked.may_miss)
        plain = replace(plain, matrix=op.concat([*parts, negated], axis=1))
    if (plain.mode != Mode.LEQ).any():
        plain = replace(plain, missing=_missing_of_chains(plain, targets, weights))
    return plain


def _asked_beforehand(plain: Layout) -> tuple[Layout, Layout]:
    """Each different test for categories as a tree of one node, and the rest, which asks for its answer in a further
    column: 0.0 where it is yes, and 1.0 where it is no."""
    sets = plain.mode != Mode.LEQ
    # Tests that differ only in where a tree would send a missing number ask the same.
    members = list(plain.tests.members.values())
    place = {found: members.index(found) for found in set(members)}
    kind = np.full(len(plain.tests), -1)
    kind[list(plain.tests.members)] = [place[found] for found in members]
    asked = (plain.column, plain.mode, plain.split.view(np.int64), plain.missing, kind[plain.which])
    first, places = distinct([part[sets] for part in asked])
    first = np.flatnonzero(sets)[first]
    # Trees of a node and two leaves: numbered three by three.
    nodes = np.arange(len(first)) * 3
    yes = np.ones(len(first), bool)
    stumps = replace(
        plain.part(slice(0, 0), first),
        roots=nodes,
        nodes=nodes,
        true=nodes + 1,
        false=nodes + 2,
        true_leaf=yes,
        false_leaf=yes,
    )
    column = plain.column.copy()
    column[sets] = len(plain.sources) + places
    return stumps, replace(
        plain,
        sources=np.concatenate([plain.sources, np.full(len(first), -1)]),
        signs=np.concatenate([plain.signs, np.ones(len(first))]),
        column=column,
        mode=np.full(len(column), int(Mode.LEQ)),
        split=np.where(sets, 0.5, plain.split),
        missing=np.where(sets, 0, plain.missing),
    )


def _turned(plain: Layout, may_miss: Bools) -> tuple[Var, Layout]:
    """The branch with more leaves behind a no, and the further columns that this asks of: numbers with their sign
    changed.

    may_miss: by column of the matrix, whether it may hold NaN.
    """
    leaves = _leaves_below(plain)
    turn = (plain.mode == Mode.LEQ) & (leaves[plain.true] > leaves[plain.false])
    # What was asked beforehand is seldom answered yes, and a matrix of many columns has its price too.
    turn &= plain.column < len(may_miss)
    columns, places = np.unique(plain.column[turn], return_inverse=True)
    column = plain.column.copy()
    column[turn] = len(plain.sources) + places
    negated = plain.matrix if len(columns) == len(may_miss) else op.gather(plain.matrix, op.const(columns), axis=1)
    # x > t where x is at least the next number, and so where -x is at most that with its sign changed. What no number
    # satisfies (NaN) is turned into what all do (infinity).
    split, missing = plain.split.copy(), plain.missing.copy()
    old = split[turn]
    with np.errstate(over="ignore"):  # behind the largest number comes infinity
        following = np.nextafter(old, np.inf)
    split[turn] = np.where(np.isnan(old), np.inf, np.where(old == np.inf, np.nan, -following))
    missing[turn] = (missing[turn] == 0) & may_miss[plain.column[turn]]
    return op.neg(negated), replace(
        plain,
        sources=np.concatenate([plain.sources, plain.sources[columns]]),
        signs=np.concatenate([plain.signs, -plain.signs[columns]]),
        column=column,
        split=split,
        missing=missing,
        true=np.where(turn, plain.false, plain.true),
        false=np.where(turn, plain.true, plain.false),
        true_leaf=np.where(turn, plain.false_leaf, plain.true_leaf),
        false_leaf=np.where(turn, plain.true_leaf, plain.false_leaf),
    )


def _leaves_below(layout: Layout) -> Ints:
    """By old number, how many leaves a walk from there may end in."""
    count = 1 + int(max(layout.roots.max(), layout.true.max(initial=0), layout.false.max(initial=0)))
    place = np.full(count, -1)
    place[layout.nodes] = np.arange(len(layout.nodes))
    levels = []
    frontier = place[layout.roots]
    while len(frontier := frontier[frontier >= 0]):
        levels.append(frontier)
        frontier = np.concatenate([place[layout.true[frontier]], place[layout.false[frontier]]])
    found = np.ones(count, np.int64)
    for level in reversed(levels):
        found[layout.nodes[level]] = found[layout.true[level]] + found[layout.false[level]]
    return found


def groups(layout: Layout, starts: Ints) -> list[tuple[slice, slice]]:
    """The trees of each group and their nodes; a single one where all lie in the cache.

    starts: the first old number of each tree.
    """
    return _cut(layout, starts, max(GROUP, -(-len(layout.nodes) // GROUPS)))


def stages(layout: Layout, starts: Ints) -> list[tuple[slice, slice]]:
    """The same where each begins with what the one before came to."""
    nodes = len(layout.nodes)
    count = min(STAGES, max(2, -(-nodes // STAGE))) if nodes >= STAGED else 1
    return _cut(layout, starts, -(-nodes // count))


def _cut(layout: Layout, starts: Ints, size: int) -> list[tuple[slice, slice]]:
    """Groups of about so many nodes."""
    bounds = np.searchsorted(layout.nodes, starts)
    number = bounds // max(size, 1)
    firsts = np.flatnonzero(np.diff(number, prepend=-1)).tolist()
    lasts = [*firsts[1:], len(starts)]
    ends = [*bounds.tolist(), len(layout.nodes)]
    return [(slice(a, b), slice(ends[a], ends[b])) for a, b in zip(firsts, lasts, strict=True)]


def _missing_of_chains(layout: Layout, targets: Ints, weights: Floats) -> Ints:
    """Where the nodes send a missing value, said so that onnxruntime cannot get it wrong.

    It asks two tests of one column for categories at once where both have equal leaves behind a yes, and then goes by
    the first one's flag alone. What the second one answers yes to may as well be answered yes by the first.
    """
    number = np.full(len(weights), -1)
    number[layout.nodes] = np.arange(len(layout.nodes))
    column, set_test, missing = layout.column, layout.mode != Mode.LEQ, layout.missing.copy()
    first = np.flatnonzero(set_test & layout.true_leaf & ~layout.false_leaf)
    second = number[layout.false[first]]
    leaf, other = layout.true[first], layout.true[second]
    alike = set_test[second] & layout.true_leaf[second] & (column[first] == column[second])
    alike &= (weights[leaf] == weights[other]) & (targets[leaf] == targets[other])
    first, second = first[alike], second[alike]
    while (missing[second] > missing[first]).any():
        missing[first] |= missing[second]
    return missing
