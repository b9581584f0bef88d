"""Exact folding: a comparison after preprocessing becomes a comparison of the request's own value.

A tree asks ``g(x) <= t`` where g is what scalers, imputers and the cast to float32 make of the request's value x.
Each of these steps is monotone in floating point, so exactly one float64 parts the x that satisfy it from those that
do not; bisection over the ordered bits of float64 finds it. Computing ``t * scale + mean`` instead is wrong next to
the threshold. Where g is a table (an encoder's), the comparison becomes membership in a set of codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .lower.matrix import Lookup, Raw

__all__ = [
    "Mode",
    "Test",
    "Tests",
    "Unfoldable",
    "last_satisfying",
    "number_of",
    "of_lookup",
    "of_raw",
    "order_of",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Mode(IntEnum):
    """The node modes of ai.onnx.ml 5 that are used."""

    LEQ = 0
    EQ = 4
    MEMBER = 6


class Unfoldable(Exception):  # noqa: N818 (no error: the caller computes the column instead)
    """No single node decides as the steps and the threshold do."""


@dataclass(frozen=True)
class Test:
    """One node's question about a column's value.

    split: for LEQ and EQ; NaN in LEQ is satisfied by no number.
    members: for MEMBER.
    left: whether the tree goes left where the answer is yes (else it goes right).
    missing: whether a missing value is answered yes.
    constant: where every value that can come is answered alike, that answer.
    """

    mode: Mode
    split: float = 0.0
    members: tuple[float, ...] = ()
    left: bool = True
    missing: bool = False
    constant: bool | None = None


@dataclass(frozen=True)
class Tests:
    """Many tests, as vectors: a large forest has a million of them.

    mode, split, left, missing: as in Test. constant: 1, 0, or -1 for neither.
    members: by place.
    """

    mode: Ints
    split: Floats
    left: Bools
    missing: Bools
    constant: Ints
    members: dict[int, tuple[float, ...]] = field(default_factory=dict)

    @staticmethod
    def of(tests: Sequence[Test]) -> Tests:
        return Tests(
            np.array([test.mode for test in tests], np.int64),
            np.array([test.split for test in tests], np.float64),
            np.array([test.left for test in tests], bool),
            np.array([test.missing for test in tests], bool),
            np.array([-1 if test.constant is None else int(test.constant) for test in tests], np.int64),
            {place: test.members for place, test in enumerate(tests) if test.mode is Mode.MEMBER},
        )

    @staticmethod
    def join(parts: Sequence[Tests]) -> Tests:
        """All of them, one after the other; at least one part."""
        starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
        shifted = list(zip(parts, starts, strict=False))
        return Tests(
            np.concatenate([part.mode for part in parts]),
            np.concatenate([part.split for part in parts]),
            np.concatenate([part.left for part in parts]),
            np.concatenate([part.missing for part in parts]),
            np.concatenate([part.constant for part in parts]),
            {start + place: found for part, start in shifted for place, found in part.members.items()},
        )

    def __len__(self) -> int:
        return len(self.mode)

    def __getitem__(self, place: int) -> Test:
        constant = int(self.constant[place])
        return Test(
            Mode(int(self.mode[place])),
            float(self.split[place]),
            self.members.get(place, ()),
            bool(self.left[place]),
            bool(self.missing[place]),
            None if constant < 0 else bool(constant),
        )


def of_raw(origin: Raw, thresholds: Floats, missing_left: Bools, may_be_missing: bool) -> Tests:
    """The tests that decide as ``origin(x) <= threshold`` for every float64 x, infinities and NaN included.

    missing_left: where a node sends what is still NaN after the steps.
    """
    splits = last_satisfying(origin, thresholds) if origin.rising else last_refused(origin, thresholds)
    at_missing = float(np.asarray(origin(np.array([np.nan])), np.float64)[0])
    missing_goes_left = missing_left if np.isnan(at_missing) else at_missing <= thresholds
    yes_for_missing = missing_goes_left if origin.rising else ~missing_goes_left
    constant = np.full(len(splits), -1)
    constant[np.isnan(splits) & ~(may_be_missing & yes_for_missing)] = 0
    constant[(splits == np.inf) & (yes_for_missing | (not may_be_missing))] = 1
    return Tests(
        np.full(len(splits), int(Mode.LEQ)),
        splits,
        np.full(len(splits), origin.rising),
        yes_for_missing & may_be_missing,
        constant,
    )


def of_lookup(left: Bools, missing_left: bool, origin: Lookup, size: int | None, may_be_missing: bool) -> Test:
    """The test that decides as a table and a threshold (or a set) do.

    left: for each of the origin's keys, and last for the default, whether it goes left.
    size: for a category, how many codes its table has; None where the keys are numbers.
    Raises Unfoldable where the keys are numbers and more than one of them differs from the default.
    """
    default = bool(left[-1])
    differ = origin.keys[left[:-1] != default]
    if not len(differ):
        if may_be_missing and missing_left != default:
            return Test(Mode.LEQ, np.inf, left=default, missing=False)
        return Test(Mode.LEQ, np.inf, left=default, missing=True, constant=True)
    if len(differ) == 1:
        yes = missing_left != default
        return Test(Mode.EQ, float(differ[0]), left=not default, missing=yes and may_be_missing)
    if size is None:
        raise Unfoldable
    codes = np.full(size + 1, default)  # the unseen code -1 first
    codes[differ.astype(np.int64) + 1] = not default
    (turns,) = np.nonzero(codes[1:] != codes[:-1])
    if len(turns) == 1:
        first = bool(codes[0])
        return Test(Mode.LEQ, float(turns[0]) - 1.0, left=first, missing=missing_left == first and may_be_missing)
    chosen = np.flatnonzero(codes == (codes.sum() * 2 <= len(codes)))
    answer_left = bool(codes[chosen[0]])
    if len(chosen) == 1:
        mode, split, members = Mode.EQ, float(chosen[0]) - 1.0, ()
    else:
        mode, split, members = Mode.MEMBER, 0.0, tuple((chosen - 1.0).tolist())
    return Test(mode, split, members, left=answer_left, missing=missing_left == answer_left and may_be_missing)


def last_satisfying(g: Raw, thresholds: Floats) -> Floats:
    """For a rising g, the largest float64 x with ``g(x) <= threshold``, infinity if all have; NaN if none has."""
    return _bisect(lambda x: g(x) <= thresholds, len(thresholds))


def last_refused(g: Raw, thresholds: Floats) -> Floats:
    """For a falling g, the largest x without ``g(x) <= threshold``."""
    return _bisect(lambda x: ~(g(x) <= thresholds), len(thresholds))


def _bisect(holds: Callable[[Floats], Bools], count: int) -> Floats:
    low = np.full(count, order_of(np.array([-np.inf]))[0])
    high = np.full(count, order_of(np.array([np.inf]))[0])
    none = ~holds(number_of(low))
    whole = holds(number_of(high))
    # Invariant: low holds and high does not, but where one end decides alone.
    for _ in range(64):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        yes = holds(number_of(middle))
        low, high = np.where(yes, middle, low), np.where(yes, high, middle)
    return np.where(none, np.nan, np.where(whole, np.inf, number_of(low)))


def order_of(x: Floats) -> NDArray[np.int64]:
    """Integers in the order of the numbers: the bits, mirrored for negative numbers."""
    bits = x.view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits - 1, bits)


def number_of(order: NDArray[np.int64]) -> Floats:
    """The numbers at such places."""
    return np.where(order < 0, np.int64(-(2**63)) - order - 1, order).view(np.float64)
