"""What a walk through the trees cannot tell apart is left out: lossless, and the same bits.

A node whose answer its ancestors have decided is skipped with the branch that nobody can reach, and a node whose both
children are equal leaves becomes that leaf.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..fold import Mode
from .asking import Asked
from .nodes import Trees

__all__ = ["Pruned", "prune"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Pruned(NamedTuple):
    """The inner nodes that can be reached, in their old order; everything by old node number.

    roots: [T]. nodes: the inner nodes.
    which: the test of each. true, false: where each goes on. true_leaf, false_leaf: whether that is a leaf.
    """

    roots: Ints
    nodes: Ints
    which: Ints
    true: Ints
    false: Ints
    true_leaf: Bools
    false_leaf: Bools


def prune(trees: Trees, asked: Asked, targets: Ints, weights: Floats) -> Pruned:
    """The nodes that are needed.

    targets, weights: [nodes]; what a leaf answers.
    """
    walk = _Walk(trees, asked)
    walk.skip(*walk.constants())
    walk.skip(*walk.decided())
    leaf = walk.is_leaf
    answers = weights.view(np.int64)  # as bits, so that 0.0 and -0.0 stay two
    while len(inner := walk.reached()):
        true, false = walk.true[inner], walk.false[inner]
        alike = leaf[true] & leaf[false] & (targets[true] == targets[false]) & (answers[true] == answers[false])
        if not alike.any():
            break
        walk.skip(inner[alike], true[alike])
    true, false = walk.true[inner], walk.false[inner]
    return Pruned(walk.roots, inner, asked.which[inner], true, false, leaf[true], leaf[false])


class _Walk:
    """Where each node goes on, while nodes are skipped."""

    def __init__(self, trees: Trees, asked: Asked) -> None:
        self.is_leaf = trees.feature < 0
        self.roots = trees.roots
        left = asked.tests.left[asked.which] if len(asked.tests) else np.ones(len(trees.feature), bool)
        self.true = np.where(left, trees.left, trees.right)
        self.false = np.where(left, trees.right, trees.left)
        self._asked = asked

    def skip(self, nodes: Ints, onward: Ints) -> None:
        """Go where a node leads in its place."""
        step = np.arange(len(self.is_leaf))
        step[nodes] = onward
        while not np.array_equal(further := step[step], step):
            step = further
        self.roots, self.true, self.false = step[self.roots], step[self.true], step[self.false]

    def constants(self) -> tuple[Ints, Ints]:
        """The nodes whose test always comes out alike, and where they lead."""
        inner = np.flatnonzero(~self.is_leaf)
        constant = self._asked.tests.constant[self._asked.which[inner]]
        return self._led(inner, constant == 1, constant == 0)

    def decided(self) -> tuple[Ints, Ints]:
        """The nodes that can be reached, whose test the ancestors have decided, and where they lead."""
        asked = self._asked
        count = len(self.is_leaf)
        inner = self.reached()
        which = asked.which[inner]
        column, split = np.full(count, -1), np.zeros(count)
        missing = np.zeros(count, bool)
        threshold = asked.tests.mode[which] == Mode.LEQ
        column[inner] = np.where(threshold, asked.column[which], -1)
        split[inner], missing[inner] = asked.tests.split[which], asked.tests.missing[which]
        parent = np.full(count, -1)
        parent[self.true[inner]], parent[self.false[inner]] = inner, inner
        parent[self.roots] = -1
        # What comes to a node of its own column: numbers above low and up to high, and whether NaN does.
        low, high = np.full(count, -np.inf), np.full(count, np.inf)
        lowest = np.ones(count, bool)  # whether -inf itself may come
        gaps = np.zeros(count, bool)
        gaps[inner] = asked.may_miss[asked.column[which]]
        frontier = self.roots
        while len(frontier := frontier[~self.is_leaf[frontier]]):
            nodes = frontier[column[frontier] >= 0]
            came, above = nodes, parent[nodes]
            while len(nodes):
                # The nearest ancestor that asks the same column knows what came to it.
                here = (above >= 0) & (column[above] == column[nodes])
                node, over, yes = nodes[here], above[here], self.true[above[here]] == came[here]
                never = np.isnan(split[over])
                low[node] = np.where(yes, np.where(never, np.inf, low[over]), np.fmax(low[over], split[over]))
                high[node] = np.where(yes, np.fmin(high[over], split[over]), high[over])
                lowest[node] = lowest[over] & np.where(yes, ~never, never)
                gaps[node] = gaps[over] & (missing[over] == yes)
                nodes, came, above = nodes[~here], above[~here], parent[above[~here]]
                going = came >= 0
                nodes, came, above = nodes[going], came[going], above[going]
                going = above >= 0
                nodes, came, above = nodes[going], came[going], above[going]
            frontier = np.concatenate([self.true[frontier], self.false[frontier]])
        asking = inner[threshold]
        low, high, lowest, gaps = low[asking], high[asking], lowest[asking], gaps[asking]
        split, missing = split[asking], missing[asking]
        numbers = (low < high) | lowest
        above_all, below_all = high <= split, np.isnan(split) | ((low >= split) & ~lowest)
        always = (above_all | ~numbers) & (missing | ~gaps)
        never = (below_all | ~numbers) & (~missing | ~gaps)
        return self._led(asking, always, never & ~always)

    def _led(self, nodes: Ints, always: Bools, never: Bools) -> tuple[Ints, Ints]:
        return (
            np.concatenate([nodes[always], nodes[never]]),
            np.concatenate([self.true[nodes[always]], self.false[nodes[never]]]),
        )

    def reached(self) -> Ints:
        """The inner nodes that can be reached, in order."""
        found = np.zeros(len(self.is_leaf), bool)
        frontier = self.roots
        while len(frontier := frontier[~self.is_leaf[frontier]]):
            found[frontier] = True
            frontier = np.concatenate([self.true[frontier], self.false[frontier]])
        return np.flatnonzero(found)
