"""How scikit-learn's k-d tree and ball tree come to the training rows: nearer branches first, far ones not at all
(sklearn.neighbors._binary_tree)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .distances import axis, columns, constant, ordered_sum
from .metrics import SQUARED, from_reduced, named, reduced_distances

__all__ = ["Tree"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


EACH = 40
"""Rows, and centres, of which every three are looked at."""
ROOM = 1e-9
"""How much longer the straight way may be by rounding."""


def _detours(metric: Any, parameters: dict[str, Any], rows: Floats, centres: Floats) -> bool:
    """Whether among some rows and centres of a tree a function is no metric: whether a way over a third is shorter."""
    some = np.concatenate([part[:: -(-len(part) // EACH)] for part in (rows, centres)])
    distances = np.array([[metric(one, other, **parameters) for other in some] for one in some], np.float64)
    over = (distances[:, :, np.newaxis] + distances[np.newaxis]).min(axis=1)
    return not (distances <= over * (1 + ROOM)).all()


@dataclass(frozen=True)
class Tree:
    """A fitted tree, complete in all its levels, as its search walks it.

    ball: whether it is a BallTree. metric, parameters: as ``named`` gives them.
    slots: the training rows as the leaves hold them, one leaf after the other, [n].
    sizes, radii: by node. bounds: a BallTree's centres, [1, nodes, features]; a KDTree's boxes, [2, nodes, features].
    path: by leaf its ancestors below the root, and itself: [levels, leaves].
    detours: of a metric that is a Python function, whether the way over a third row may be shorter.
    """

    ball: bool
    metric: Any
    parameters: dict[str, Any]
    slots: Indices
    sizes: Indices
    radii: Floats
    bounds: Floats
    path: Indices
    detours: bool = False

    @classmethod
    def of(cls, model: Any) -> "Tree":
        _, slots, nodes, bounds = (np.asarray(part) for part in model._tree.get_arrays())
        metric, parameters = named(model.effective_metric_, model.effective_metric_params_)
        leaves = np.arange(len(nodes) // 2, len(nodes))
        path: list[Indices] = []
        while leaves[0] > 0:
            path.insert(0, leaves)
            leaves = (leaves - 1) // 2
        return cls(
            ball=model._fit_method == "ball_tree",
            metric=metric,
            parameters=parameters,
            slots=slots.astype(np.int64),
            sizes=(nodes["idx_end"] - nodes["idx_start"]).astype(np.int64),
            radii=nodes["radius"].astype(np.float64),
            bounds=bounds.astype(np.float64),
            path=np.array(path, np.int64).reshape(-1, len(nodes) // 2 + 1),
            detours=callable(metric) and _detours(metric, parameters, np.asarray(model._fit_X), bounds[0]),
        )

    @property
    def overlooks(self) -> bool:
        """Whether the search leaves out nodes that hold nearer rows, for the way over a third row may be shorter."""
        # Of two rows of zeros the last two make NaN, which a heap takes in as if it were near.
        return self.detours or (self.ball and self.metric in ("braycurtis", "dice", "sokalsneath"))

    @cached_property
    def leaf_of_slot(self) -> Indices:
        sizes = self.sizes[len(self.sizes) // 2 :]
        return np.repeat(np.arange(len(sizes)), sizes)

    def order(self, rows: Var) -> tuple[Var, tuple[Var, Var] | None]:
        """The order in which the search comes to the training rows, int64 [N, n]; where it overlooks some also, as
        ``heap.pushed`` takes them, when it enters nodes and how near they are."""
        own = np.arange(len(self.slots)) - np.flatnonzero(np.diff(self.leaf_of_slot, prepend=-1))[self.leaf_of_slot]
        if not len(self.path):
            first = op.mul(columns(rows, 0, 1), constant(0))
            return op.gather(
                op.const(self.slots), self._sequence(op.add(first, constant(own[np.newaxis]))), axis=0
            ), None
        lower = self._nearest(rows)
        later = self._later(lower)
        entries, entered = [], None
        for level in self.path:
            more = op.gather(later, op.const(level - 1), axis=1)
            entered = more if entered is None else op.add(entered, more)
            entries.append(entered)
        positions = op.add(op.gather(entries[-1], op.const(self.leaf_of_slot), axis=1), constant(own[np.newaxis]))
        sequence = self._sequence(positions)
        places = op.gather(op.const(self.slots), sequence, axis=0)
        if not self.overlooks:
            return places, None
        leaf = op.gather(op.const(self.leaf_of_slot), sequence, axis=0)

        def by_place(of_leaves: list[Var]) -> Var:
            found = [op.unsqueeze(op.gather_elements(part, leaf, axis=1), axis(1)) for part in of_leaves]
            return op.concat(found, axis=1)

        near = by_place([op.gather(lower, op.const(level), axis=1) for level in self.path])
        return places, (op.cast(by_place(entries), to=np.int64), near)

    def _later(self, lower: Var) -> Var:
        """By node below the root, how many rows of its sibling come first: [N, nodes - 1]."""
        left, right = np.arange(1, len(self.sizes), 2), np.arange(2, len(self.sizes), 2)
        left_first = op.less_or_equal(
            op.gather(lower, op.const(left), axis=1), op.gather(lower, op.const(right), axis=1)
        )
        zero = constant(0)
        of_left = op.where(left_first, zero, constant(self.sizes[right][np.newaxis]))
        of_right = op.where(left_first, constant(self.sizes[left][np.newaxis]), zero)
        both = op.concat([op.unsqueeze(of_left, axis(2)), op.unsqueeze(of_right, axis(2))], axis=2)
        return op.reshape(both, op.const(np.array([-1, len(self.sizes) - 1])))

    def within(self, rows: Var, near: Var, radius: float) -> Var:
        """Which training rows query_radius finds: of nodes that lie wholly within the radius or outside by their bounds
        no row is looked at. near: which rows are within it, [N, n]."""
        least, most = self._bounds(rows)
        outside, inside = op.greater(least, constant(radius)), op.less_or_equal(most, constant(radius))
        leaf = np.empty_like(self.leaf_of_slot)
        leaf[self.slots] = self.leaf_of_slot
        # From the leaf up, for what an ancestor decides is not asked below.
        for level in [*self.path[::-1], np.zeros(len(self.slots), np.int64)]:
            nodes = op.const(level[leaf])
            near = op.or_(op.gather(inside, nodes, axis=1), near)
            near = op.and_(near, op.not_(op.gather(outside, nodes, axis=1)))
        return near

    def _bounds(self, rows: Var) -> tuple[Var, Var]:
        """min_max_dist: how near the rows of a node are at least, and how far at most, [N, nodes] each."""
        zero, column = constant(0), op.unsqueeze(rows, axis(2))
        if self.ball:
            centre, radii = self._centre(rows), constant(self.radii[np.newaxis])
            least = op.sub(centre, radii)
            return op.where(op.greater(least, zero), least, zero), op.add(centre, radii)
        lower, upper = (constant(part.T[np.newaxis]) for part in self.bounds)
        farthest = self._added(op.max([op.abs(op.sub(lower, column)), op.abs(op.sub(column, upper))]))
        return self._real(self._boxes(rows)), self._real(farthest)

    def _real(self, reduced: Var) -> Var:
        return from_reduced(reduced, self.metric, self.parameters)

    def _nearest(self, rows: Var) -> Var:
        """min_rdist: from a row to the ball or box of each node, [N, nodes]."""
        if not self.ball:
            return self._boxes(rows)
        outside = op.sub(self._centre(rows), constant(self.radii))
        outside = op.where(op.greater(outside, constant(0)), outside, constant(0))  # C's fmax leaves NaN out
        if self.metric == "minkowski":
            return op.pow(outside, constant(self.parameters["p"]))
        return op.mul(outside, outside) if self.metric in SQUARED else outside

    def _centre(self, rows: Var) -> Var:
        reduced = reduced_distances(rows, self.bounds[0], self.metric, self.parameters, blocks=False)
        return self._real(reduced)

    def _boxes(self, rows: Var) -> Var:
        zero, column = constant(0), op.unsqueeze(rows, axis(2))
        lower, upper = (constant(part.T[np.newaxis]) for part in self.bounds)
        outside = op.add(op.max([op.sub(lower, column), zero]), op.max([op.sub(column, upper), zero]))
        return self._added(outside)

    def _added(self, differences: Var) -> Var:
        """Of differences [N, features, nodes] the reduced distances."""
        match self.metric:
            case "chebyshev" | "infinity":
                return op.reduce_max(differences, axis(1), keepdims=0)
            case "manhattan" | "cityblock" | "l1":
                return ordered_sum(differences)
            case "minkowski":
                return ordered_sum(op.pow(differences, constant(self.parameters["p"])))
        return ordered_sum(op.pow(differences, constant(2)))

    def _sequence(self, positions: Var) -> Var:
        """The places of a row's numbers in ascending order."""
        return op.top_k(positions, op.const(np.array([len(self.slots)])), axis=1, largest=0, sorted=1)[1]
