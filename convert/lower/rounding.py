"""How far distances that are made by multiplying matrices may be off, and what that makes of a choice or a mean.

scikit-learn's have the bits of the processor's own multiplication, the twin's those of onnxruntime's. Of rows that are
equal, or differ by little, such a rounding is all that is left of the distance.
"""

from collections.abc import Callable, Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .distances import axis, constant
from .metrics import nan_terms

__all__ = [
    "EXACT",
    "LARGEST",
    "LOOSE",
    "ROUNDING",
    "choice_hangs",
    "of_gaps",
    "of_root",
    "of_whole",
    "weighed",
    "weighed_by",
]

ROUNDING = 1e-15
"""A few roundings: how far a sum may be off, of the magnitudes of its terms; what level ulp allows (``adds_up``)."""
LARGEST = float(np.finfo(np.float64).max)
LOOSE = 1e-3
"""How far an answer may be off, of its magnitude (a mean: of its largest vote), before nothing is left to hold to."""
EXACT = 2.0**53
"""Whole numbers up to here are float64s, and so are their sums in any order."""


def of_root(rounding: Var, root: Var) -> Var:
    """How far a root may be off where its square may by so much."""
    return op.div(rounding, op.add(root, op.add(op.sqrt(rounding), constant(np.finfo(np.float64).tiny))))


def of_gaps(rows: Var, mask: Var, points: NDArray[np.float64], absent: NDArray[np.bool_], distances: Var) -> Var:
    """How far the distances of nan_euclidean may be off, [N, n]; NaN where there is no distance.

    rows, mask, points, absent: as ``nan_euclidean`` takes them.
    """
    terms = nan_terms(rows, mask, points, absent)
    return of_whole(rows, points, terms, of_root(op.mul(terms, constant(ROUNDING)), distances))


def of_whole(rows: Var, points: NDArray[np.float64], terms: Var, off: Var) -> Var:
    """How far distances may be off, [N, n]: nothing between whole numbers, which are multiplied and added exactly.

    rows, points: [N, features] and [n, features], without NaN. terms: how large the sums are, [N, n]. off: how far
    they may be off otherwise, [N, n].
    """
    if (points != np.floor(points)).any():
        return off
    whole = op.cast(op.equal(rows, op.floor(rows)), to=np.int64)
    exact = op.and_(op.cast(op.reduce_min(whole, axis(1)), to=np.bool_), op.less(terms, constant(EXACT)))
    return op.where(exact, op.mul(off, constant(0)), off)


def choice_hangs(compared: Var, off: Var, k: int) -> Var:
    """Rows of which another rounding might choose others among the k nearest, [N, 1].

    compared: what is compared, [N, n]; NaN comes last. off: how far each may be off.
    """
    unknown = op.isnan(compared)
    known = op.where(unknown, constant(np.inf), op.min([compared, constant(LARGEST)]))
    off = op.where(unknown, constant(0), off)
    _, places = op.top_k(known, axis(k), axis=1, largest=0, sorted=1)
    most = op.reduce_max(op.gather_elements(op.add(known, off), places, axis=1), axis(1), keepdims=1)
    nobody = op.max([op.gather_elements(known, places, axis=1), constant(np.inf)])
    others = op.scatter_elements(op.sub(known, off), places, nobody, axis=1)
    # Equals without a rounding are equals everywhere: which of them are taken is settled otherwise.
    return op.less(op.reduce_min(others, axis(1), keepdims=1), most)


def weighed(distances: Var, off: Var, votes: Sequence[Var]) -> tuple[Var, Var]:
    """How far means weighted by inverse distances may be off, at most, [N, 1], and whether that is more than a
    thousandth of the largest vote, as between two equal training rows, [N, 1].

    Of a training row itself a rounding is all that is left of the distance, and its inverse is weighed against the
    others': each vote's share of the mean changes by what its distance may be off, of the distance.

    distances: infinite where a row has no vote. off: how far they may be off. votes: what is to be averaged, [N, k]
    or [1, k] each.
    """
    blurred = op.add(distances, off)
    inverse = op.div(constant(1), blurred)
    shares = op.div(inverse, op.reduce_sum(inverse, axis(1), keepdims=1))
    return _moved(shares, op.mul(shares, op.div(off, blurred)), votes)


def weighed_by(weigh: Callable[[Var], Var], distances: Var, off: Var, votes: Sequence[Var]) -> tuple[Var, Var]:
    """The same of means weighted by a function of distances, [N, k] both, which is asked for both ends of what each
    distance may be."""
    none = op.isinf(distances)
    known = op.where(none, constant(0), distances)

    def weights(of: Var) -> Var:
        return op.where(none, constant(0), weigh(op.max([of, constant(0)])))

    own = weights(known)
    ends = [op.abs(op.sub(weights(end), own)) for end in (op.add(known, off), op.sub(known, off))]
    total = op.reduce_sum(own, axis(1), keepdims=1)
    return _moved(op.div(own, total), op.div(op.max(ends), op.abs(total)), votes)


def _moved(shares: Var, moved: Var, votes: Sequence[Var]) -> tuple[Var, Var]:
    """What the shares of votes, [N, k], may be off makes of their means: as ``weighed`` says it."""
    changes, largest = [], []
    for vote in votes:
        mean = op.reduce_sum(op.mul(shares, vote), axis(1), keepdims=1)
        changes.append(op.reduce_sum(op.mul(moved, op.abs(op.sub(vote, mean))), axis(1), keepdims=1))
        largest.append(op.reduce_max(op.abs(vote), axis(1), keepdims=1))
    change = op.max(changes)
    return change, op.greater(change, op.mul(op.max(largest), constant(LOOSE)))
