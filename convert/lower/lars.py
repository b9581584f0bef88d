"""Least angle regression for each row: the atoms that explain it best come in one after the other, and where the path
is a lasso's, those whose weight would change its sign go out again.

Source: _lars_path_solver of scikit-learn 1.9 (sklearn/linear_model/_least_angle.py) with a precomputed gram matrix and
without the path, its oddities too.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .active import Active, Atoms, closed
from .distances import added, axis, columns, constant, in_blocks
from .rounding import LOOSE, ROUNDING

__all__ = ["least_angles"]

TINY = float(np.finfo(np.float32).tiny)
"""What scikit-learn adds to what it divides by."""
NEAR = np.finfo(np.float32).eps
"""How near to its end a path stops."""
DECIMALS = 10.0 ** np.finfo(np.float64).precision
"""To whose reciprocal the atoms' products with a direction are rounded."""
LARGEST = float(np.finfo(np.float64).max)
TRUE = np.array([True])


class _State(NamedTuple):
    """How far the rows are.

    order, count, inverse, lost: of ``Active``.
    gains: by atom, the products with what is left of a row, of those that are not active, [N, atoms].
    signs: of the active atoms, by place, [N, places].
    weights, before: by atom, now and a step before.
    level: the largest gain a step before, a feature's share of it, [N, 1].
    steps: how many, int64 [N, 1].
    held: whether the next step takes no atom in, [N, 1].
    terms: how large those of the gains are that were added by now, [N, 1].
    blurred: how far the weights move where steps end a little later, of what the gains are off, [N, 1].
    gone: how much larger the inverse's rows were with the atom that went out after the last step, [N, 1].
    going: [N, 1].
    """

    order: Var
    count: Var
    inverse: Var
    lost: Var
    gains: Var
    signs: Var
    weights: Var
    before: Var
    level: Var
    steps: Var
    held: Var
    terms: Var
    blurred: Var
    gone: Var
    going: Var

    @property
    def active(self) -> Active:
        return Active(self.order, self.count, self.inverse, self.lost)


@dataclass(frozen=True)
class _Paths:
    """features: of a row. end: the level at which a path ends. most: the steps that it may have. drops: whether an atom
    whose weight is zero again goes out. positive: whether no weight may be negative.
    """

    atoms: Atoms
    features: int
    end: float
    most: int
    drops: bool
    positive: bool

    def followed(self, gains: Var, terms: Var) -> tuple[Var, Var]:
        """The weights at the end of each row's path, [N, atoms], and how large the terms are that they are made of,
        [N, 1], zero where their roundings are as large as the weights.

        gains: the rows' products with the atoms. terms: how large those of the products are at most, [N, 1].
        """

        def turn(_: Var, __: Var, *state: Var) -> list[Var]:
            now = self._stepped(*self._taken(*self._looked(_State(*state))), gains)
            return [_any(now.going), *now]

        # An atom that is left out counts as no step, and has no gain any more.
        trips = op.const(np.array([(self.most + 1) * (len(self.atoms) + 1)]))
        state = _State(*op.loop(trips, op.const(TRUE), list(self._start(gains)), body=turn))
        places = self.atoms.places
        spread = op.reduce_sum(op.abs(_shaped(state.inverse, [-1, places, places])), axis(2), keepdims=0)
        # A path that ends between two points ends where the atom that went out at the second was active.
        moved = op.add(_most(spread), _shaped(op.add(state.blurred, state.gone), [-1, 1]))
        terms = op.mul(op.add(terms, _shaped(state.terms, [-1, 1])), moved)
        weights = _shaped(state.weights, [-1, len(self.atoms)])
        something = op.less_or_equal(op.mul(terms, constant(ROUNDING)), op.mul(_most(op.abs(weights)), constant(LOOSE)))
        return weights, op.where(something, terms, constant(0))

    def _start(self, gains: Var) -> _State:
        zeros = op.cast(op.less(gains, constant(-np.inf)), to=np.float64)  # also where the gains are infinite
        zero, signs = columns(zeros, 0, 1), columns(zeros, 0, self.atoms.places)
        none = op.cast(zero, to=np.int64)
        on = op.equal(none, none)
        held = op.not_(on)
        active = self.atoms.start(zeros)
        return _State(*active, gains, signs, zeros, zeros, zero, none, held, zero, zero, zero, going=on)

    def _looked(self, state: _State) -> tuple[_State, Var, Var]:
        """The rows that are at their end are done; also the next atom's place, and its gain, [N, 1] each."""
        by_place = op.gather_elements(state.gains, state.order, axis=1)
        free = op.greater_or_equal(op.const(np.arange(len(self.atoms))[np.newaxis]), state.count)
        ranked = op.where(free, self._size(by_place), constant(-np.inf))
        place = op.arg_max(ranked, axis=1, keepdims=1)
        full = op.greater_or_equal(state.count, op.const(np.int64(len(self.atoms))))
        gain = op.where(full, constant(0), op.gather_elements(by_place, place, axis=1))
        level = self._level(gain)
        # NEAR is a float32, and so is the sum.
        last = op.less_or_equal(level, constant(float(self.end + NEAR)))
        beyond = op.greater(op.abs(op.sub(level, constant(self.end))), constant(float(NEAR)))
        beyond = op.and_(op.and_(last, beyond), op.greater(state.steps, op.const(np.int64(0))))
        share = op.div(op.sub(state.level, constant(self.end)), op.sub(state.level, level))
        between = op.add(state.before, op.mul(share, op.sub(state.weights, state.before)))
        beyond = op.and_(state.going, beyond)
        enough = op.greater_or_equal(state.steps, op.const(np.int64(self.most)))
        state = state._replace(
            weights=op.where(beyond, between, state.weights),
            blurred=op.where(beyond, constant(0), state.blurred),
            going=op.and_(state.going, op.not_(op.or_(last, op.or_(enough, full)))),
        )
        return state, place, gain

    def _size(self, gains: Var) -> Var:
        return gains if self.positive else op.abs(gains)

    def _level(self, gain: Var) -> Var:
        return op.div(self._size(gain), constant(self.features))

    def _taken(self, state: _State, place: Var, gain: Var) -> tuple[_State, Var, Var]:
        """The best atom is active, but for rows that hold; also which rows make a step, [N, 1], and the best gain.

        Where an atom is left out scikit-learn has it change places with another, and the gains stay where they are.
        """
        taking = op.and_(state.going, op.not_(state.held))
        active, left_out = self.atoms.joined(state.active, place, taking)
        moving = op.and_(state.going, op.not_(left_out))
        if self.drops:
            rising = op.and_(op.greater(state.steps, op.const(np.int64(0))), op.less(state.level, self._level(gain)))
            moving = op.and_(moving, op.not_(rising))
        first = op.min([state.count, op.const(np.int64(len(self.atoms) - 1))])
        other = op.gather_elements(state.order, first, axis=1)
        atom = op.gather_elements(active.order, first, axis=1)
        mixed = op.scatter_elements(state.gains, atom, op.gather_elements(state.gains, other, axis=1), axis=1)
        mixed = op.scatter_elements(mixed, other, op.cast(op.less(first, first), to=np.float64), axis=1)
        own = op.equal(op.const(np.arange(self.atoms.places)[np.newaxis]), state.count)
        state = state._replace(
            **active._asdict(),
            gains=op.where(left_out, mixed, state.gains),
            signs=op.where(op.and_(taking, own), op.sign(gain), state.signs),
            going=op.and_(state.going, op.or_(moving, left_out)),
        )
        return state, moving, gain

    def _stepped(self, state: _State, moving: Var, gain: Var, gains: Var) -> _State:
        """A step along the direction that is at the same angle to all active atoms, until another is as near."""
        best, mask = self._size(gain), self.atoms.mask(state.active)
        signs = op.mul(state.signs, mask)
        direction = self.atoms.solved(state.active, signs)
        square = added(op.mul(direction, signs))
        square = op.where(op.greater(square, constant(0)), square, constant(np.finfo(np.float64).eps))
        finite = op.less(square, constant(np.inf))  # not so where roundings have made all of the inverse
        moving = op.and_(moving, finite)
        scale = op.div(constant(1), op.sqrt(square))
        direction = op.mul(direction, scale)
        slopes = op.matmul(self.atoms.by_atom(state.active, direction), constant(self.atoms.gram))
        slopes = op.div(op.round(op.mul(slopes, constant(DECIMALS))), constant(DECIMALS))
        free = op.equal(self.atoms.by_atom(state.active, mask), constant(0))
        ends = [(op.div(best, scale), scale), _meets(op.sub(best, state.gains), op.sub(scale, slopes), free)]
        if not self.positive:
            ends.append(_meets(op.add(best, state.gains), op.add(scale, slopes), free))
        length = op.min([end for end, _ in ends])
        slow = op.min([op.where(op.equal(end, length), closing, constant(np.inf)) for end, closing in ends])
        own = self.atoms.placed(state.active, state.weights)
        zeros = op.div(op.neg(own), op.add(direction, constant(TINY)))
        zero = _least_positive(zeros, op.greater(mask, constant(0)))
        crossing = op.less(zero, length)
        turned = op.and_(op.and_(crossing, op.greater(mask, constant(0))), op.equal(zeros, zero))
        steepest = _most(op.abs(direction))
        if self.drops:
            length = op.where(crossing, zero, length)
            slope = op.reduce_min(op.where(turned, op.abs(direction), constant(np.inf)), axis(1), keepdims=1)
            slow = op.where(crossing, op.div(op.mul(slope, scale), steepest), slow)
        weights = self.atoms.by_atom(state.active, op.mul(op.add(own, op.mul(length, direction)), mask))
        blurred = op.div(steepest, slow)
        if not self.drops:
            # Where a sign has turned the atoms are no longer at one angle, and nothing makes up for a step too long.
            blurred = op.add(state.blurred, blurred)
        # What the direction explains has the roundings of its terms, and is rounded to so many decimals.
        terms = op.add(op.mul(added(op.abs(direction)), constant(np.diag(self.atoms.gram).max())), constant(1))
        state = state._replace(
            gains=op.where(moving, op.sub(state.gains, op.mul(length, slopes)), state.gains),
            signs=op.where(op.and_(moving, turned), op.neg(state.signs), state.signs),
            before=op.where(moving, state.weights, state.before),
            weights=op.where(moving, weights, state.weights),
            level=op.where(moving, self._level(gain), state.level),
            steps=op.add(state.steps, op.cast(moving, to=np.int64)),
            held=op.or_(op.and_(moving, crossing), op.and_(op.not_(moving), state.held)),
            terms=op.where(moving, op.add(state.terms, op.mul(length, terms)), state.terms),
            blurred=op.where(moving, blurred, state.blurred),
            gone=op.where(moving, constant(0), state.gone),
            going=op.and_(state.going, finite),
        )
        return self._dropped(state, turned, op.and_(moving, crossing), gains) if self.drops else state

    def _dropped(self, state: _State, turned: Var, dropping: Var, gains: Var) -> _State:
        """Without the atoms whose weight has come to zero."""
        number = op.transpose(op.non_zero(op.reshape(dropping, axis(-1))))

        def of(tensor: Var) -> Var:
            return op.gather(tensor, op.reshape(number, axis(-1)), axis=0)

        def without() -> list[Var]:
            out = op.arg_max(op.cast(of(turned), to=np.int64), axis=1, keepdims=1)
            atom = op.gather_elements(of(state.order), out, axis=1)
            products = op.gather(constant(self.atoms.gram), op.reshape(atom, axis(-1)), axis=0)
            again = op.sub(op.gather_elements(of(gains), atom, axis=1), added(op.mul(products, of(state.weights))))
            active, gone = self.atoms.without(Active(*map(of, state.active)), out)
            left = op.scatter_elements(of(state.gains), atom, again, axis=1)
            signs = op.gather_elements(of(state.signs), closed(self.atoms.places, out, active.count), axis=1)
            parts = [active.order, active.count, active.inverse, left, signs, gone]
            return [op.scatter_nd(old, number, new) for old, new in zip(changing, parts, strict=True)]

        changing = [state.order, state.count, state.inverse, state.gains, state.signs, state.gone]
        order, count, inverse, left, signs, gone = op.if_(
            _any(dropping), then_branch=without, else_branch=lambda: [op.identity(part) for part in changing]
        )
        return state._replace(order=order, count=count, inverse=inverse, gains=left, signs=signs, gone=gone)


def least_angles(
    targets: Var,
    atoms: NDArray[np.float64],
    gram: NDArray[np.float64],
    *,
    penalty: float | None,
    most: int,
    positive: bool = False,
) -> tuple[Var, Var]:
    """[N, atoms]: for each row the weights of the atoms that its path comes to; and the size of the terms that are
    added to get them, [N, 1], zero where roundings leave nothing of the weights.

    targets: [N, features]; atoms: [atoms, features]; gram: their products. penalty: of a lasso's weights, for their
    magnitudes; None where no atom goes out again. most: the steps there may be.
    """
    count, features = atoms.shape
    if most == 0:
        none = op.matmul(targets, constant(np.zeros((features, count))))
        return none, columns(none, 0, 1)
    end = 0.0 if penalty is None else penalty / features
    known = Atoms(gram, min(most, count))
    paths = _Paths(known, features, end, most, penalty is not None, positive)

    def rows(block: Var) -> list[Var]:
        terms = _most(op.matmul(op.abs(block), constant(np.abs(atoms.T))))
        return list(paths.followed(op.matmul(block, constant(atoms.T)), terms))

    weights, terms = in_blocks(targets, known.places**2, rows)
    return weights, terms


def _shaped(tensor: Var, shape: list[int]) -> Var:
    return op.reshape(tensor, op.const(np.array(shape)))


def _most(tensor: Var) -> Var:
    return op.reduce_max(tensor, axis(1), keepdims=1)


def _any(rows: Var) -> Var:
    """Whether it is so of any row, [1]."""
    some = op.reduce_max(op.reshape(op.cast(rows, to=np.int64), axis(-1)), keepdims=1)
    return op.cast(some, to=np.bool_)


def _least_positive(numbers: Var, allowed: Var) -> Var:
    """[N, 1]: the least of a row's numbers above zero; float64's largest where there is none."""
    positive = op.and_(allowed, op.greater(numbers, constant(0)))
    return op.reduce_min(op.where(positive, numbers, constant(LARGEST)), axis(1), keepdims=1)


def _meets(gap: Var, closing: Var, free: Var) -> tuple[Var, Var]:
    """How far it is until the first of the atoms is as near as the active ones, and how fast that one comes near: [N,
    1] each."""
    ends = op.div(gap, op.add(closing, constant(TINY)))
    end = _least_positive(ends, free)
    first = op.and_(free, op.equal(ends, end))
    return end, op.reduce_min(op.where(first, op.abs(closing), constant(np.inf)), axis(1), keepdims=1)
