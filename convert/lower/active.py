"""The atoms that are active, for each row its own, and least squares among them while one comes in or goes out.

What is held is the inverse of their gram matrix, which takes one product to make and one to use where a Cholesky factor
would take a step for each atom. What it gives is refined once by what its system leaves over, so that the errors are of
the size that a factor's have (Higham, Accuracy and Stability of Numerical Algorithms, chapter 12).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .distances import added, axis, columns, constant

__all__ = ["Active", "Atoms", "closed"]

DEGENERATE = 1e-7
"""Atoms of which less than this is new are left out."""
NOISE = 16 * float(np.finfo(np.float64).eps)
"""What of a sum is a rounding."""


class Active(NamedTuple):
    """order: the atoms, the active ones first, as they came in, int64 [N, atoms].
    count: how many are, int64 [N, 1].
    inverse: of their gram matrix, by place in the order, [N, places, places], zero where none is.
    lost: where what was new of an atom is nothing but a rounding, so that refining would make it worse, [N, 1].
    """

    order: Var
    count: Var
    inverse: Var
    lost: Var


@dataclass(frozen=True)
class Atoms:
    """gram: their products. places: how many may be active at a time."""

    gram: NDArray[np.float64]
    places: int

    def __len__(self) -> int:
        return len(self.gram)

    def start(self, zeros: Var) -> Active:
        """None is active. zeros: [N, atoms]."""
        row = columns(zeros, 0, self.places)
        count = op.cast(columns(zeros, 0, 1), to=np.int64)
        order = op.add(count, op.const(np.arange(len(self))[np.newaxis]))
        return Active(order, count, _square(row), op.less(count, op.const(np.int64(0))))

    def mask(self, active: Active) -> Var:
        """[N, places]: one where an atom is active, else zero."""
        return op.cast(op.less(op.const(np.arange(self.places)[np.newaxis]), active.count), to=np.float64)

    def placed(self, active: Active, by_atom: Var) -> Var:
        """By place, [N, places], what is known by atom."""
        return op.gather_elements(by_atom, columns(active.order, 0, self.places), axis=1)

    def by_atom(self, active: Active, placed: Var) -> Var:
        """By atom, [N, atoms], what is known by place; zero where there is none."""
        nothing = op.mul(op.cast(active.order, to=np.float64), constant(0))
        return op.scatter_elements(nothing, columns(active.order, 0, self.places), placed, axis=1)

    def solved(self, active: Active, right: Var) -> Var:
        """By place, the weights of active atoms whose products with these are the right side: [N, places].

        right: [N, places], zero where no atom is active.
        """
        weights = _applied(active.inverse, right)
        explained = self.placed(active, op.matmul(self.by_atom(active, weights), constant(self.gram)))
        left = op.sub(right, op.mul(explained, self.mask(active)))
        return op.add(weights, _applied(active.inverse, op.where(active.lost, constant(0), left)))

    def joined(self, active: Active, place: Var, taking: Var) -> tuple[Active, Var]:
        """With another atom, in the rows that take one; and those in which it is all but a sum of the others, so that
        it is left out, [N, 1]. In these too it changes places with the first that is not active.

        place: where it is, [N, 1]. taking: [N, 1].
        """
        first = op.min([active.count, op.const(np.int64(len(self) - 1))])
        place = op.where(taking, place, first)
        atom, other = (op.gather_elements(active.order, at, axis=1) for at in (place, first))
        order = op.scatter_elements(op.scatter_elements(active.order, first, atom, axis=1), place, other, axis=1)
        active = active._replace(order=order)
        products = op.gather(constant(self.gram), op.reshape(atom, axis(-1)), axis=0)
        known = op.mul(self.placed(active, products), self.mask(active))
        parts, whole = self.solved(active, known), op.gather_elements(products, atom, axis=1)
        explained = op.mul(known, parts)
        new = op.sub(whole, added(explained))
        pivot = op.max([op.sqrt(op.abs(new)), constant(np.finfo(np.float64).eps)])
        left_out = op.and_(taking, op.less(pivot, constant(DEGENERATE)))
        joins = op.and_(taking, op.not_(left_out))
        noise = op.mul(constant(NOISE), op.add(whole, added(op.abs(explained))))
        own = op.cast(op.equal(op.const(np.arange(self.places)[np.newaxis]), active.count), to=np.float64)
        line = op.where(joins, op.div(op.sub(parts, own), pivot), constant(0))
        larger = Active(
            order,
            op.add(active.count, op.cast(joins, to=np.int64)),
            op.add(active.inverse, _square(line)),
            op.or_(active.lost, op.and_(joins, op.less(new, noise))),
        )
        return larger, left_out

    def without(self, active: Active, out: Var) -> tuple[Active, Var]:
        """With one atom less, which is the first one then that is not active; and by how much the sums of the inverse's
        rows were larger with it, at most, [N, 1].

        out: its place, [N, 1].

        Where it was nearly like another most digits of the inverse are lost; a step of Newton's method has twice as
        many right.
        """
        own = op.cast(op.equal(op.const(np.arange(self.places)[np.newaxis]), out), to=np.float64)
        line = _applied(active.inverse, own)
        pivot = op.unsqueeze(op.gather_elements(line, out, axis=1), axis(2))
        inverse, shape = op.sub(active.inverse, op.div(_square(line), pivot)), op.shape(active.inverse)
        count = op.sub(active.count, op.const(np.int64(1)))
        kept = closed(self.places, out, count)
        inverse = op.gather_elements(inverse, op.expand(op.unsqueeze(kept, axis(2)), shape), axis=1)
        inverse = op.gather_elements(inverse, op.expand(op.unsqueeze(kept, axis(1)), shape), axis=2)
        order = op.gather_elements(active.order, closed(len(self), out, count), axis=1)
        smaller = Active(order, count, inverse, active.lost)
        mask = self.mask(smaller)
        inverse = op.mul(inverse, _square(mask))
        places = columns(order, 0, self.places)
        rows = op.gather(constant(self.gram), places, axis=0)
        gram = op.gather_elements(rows, op.expand(op.unsqueeze(places, axis(1)), shape), axis=2)
        one = op.mul(constant(np.eye(self.places)[np.newaxis]), op.unsqueeze(mask, axis(2)))
        left = op.sub(one, op.matmul(op.mul(gram, _square(mask)), inverse))
        left = op.where(op.unsqueeze(active.lost, axis(2)), constant(0), left)
        size = op.abs(line)
        more = op.div(op.mul(op.reduce_max(size, axis(1), keepdims=1), added(size)), op.squeeze(pivot, axis(2)))
        return smaller._replace(inverse=op.add(inverse, op.matmul(inverse, left))), more


def closed(count: int, out: Var, active: Var) -> Var:
    """[N, count]: by place the place before, where the one that goes out is behind those that are active then."""
    place = op.const(np.arange(count)[np.newaxis])
    moved = op.where(op.less(place, active), op.add(place, op.const(np.int64(1))), out)
    return op.where(op.or_(op.less(place, out), op.greater(place, active)), place, moved)


def _applied(inverse: Var, vector: Var) -> Var:
    """The product of [N, k, k] and [N, k]."""
    return op.squeeze(op.matmul(inverse, op.unsqueeze(vector, axis(2))), axis(2))


def _square(vector: Var) -> Var:
    """The products of a vector's numbers: [N, k, k]."""
    return op.mul(op.unsqueeze(vector, axis(2)), op.unsqueeze(vector, axis(1)))
