"""Exact folding: a comparison after preprocessing becomes a comparison of the request's own value.

A tree asks ``g(x) <= t`` where g is what scalers, imputers and the cast to float32 make of the request's value x.
Each of these steps is monotone in floating point, so exactly one float64 parts the x that satisfy it from those that
do not; bisection over the ordered bits of float64 finds it. Computing ``t * scale + mean`` instead is wrong next to
the threshold. Where g is a table (an encoder's), the comparison becomes membership in a set of codes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .lower.matrix import Lookup, Raw

__all__ = ["Mode", "Test", "Unfoldable", "of_lookup", "of_raw"]

Floats = NDArray[np.float64]
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


def of_raw(origin: Raw, thresholds: Floats, missing_left: Bools, may_be_missing: bool) -> list[Test]:
    """The tests that decide as ``origin(x) <= threshold`` for every float64 x, infinities and NaN included.

    missing_left: where a node sends what is still NaN after the steps.
    """
    splits = last_satisfying(origin, thresholds) if origin.rising else last_refused(origin, thresholds)
    at_missing = float(np.asarray(origin(np.array([np.nan])), np.float64)[0])
    tests = []
    for split, threshold, left_if_nan in zip(splits.tolist(), thresholds.tolist(), missing_left.tolist(), strict=True):
        missing_goes_left = left_if_nan if np.isnan(at_missing) else at_missing <= threshold
        yes_for_missing = missing_goes_left if origin.rising else not missing_goes_left
        constant = None
        if np.isnan(split) and not (may_be_missing and yes_for_missing):
            constant = False
        elif split == np.inf and (yes_for_missing or not may_be_missing):
            constant = True
        tests.append(
            Test(Mode.LEQ, split, left=origin.rising, missing=yes_for_missing and may_be_missing, constant=constant)
        )
    return tests


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
    low = np.full(count, _order(np.array([-np.inf]))[0])
    high = np.full(count, _order(np.array([np.inf]))[0])
    none = ~holds(_float(low))
    whole = holds(_float(high))
    # Invariant: low holds and high does not, but where one end decides alone.
    for _ in range(64):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        yes = holds(_float(middle))
        low, high = np.where(yes, middle, low), np.where(yes, high, middle)
    return np.where(none, np.nan, np.where(whole, np.inf, _float(low)))


def _order(x: Floats) -> NDArray[np.int64]:
    """Integers in the order of the numbers: the bits, mirrored for negative numbers."""
    bits = x.view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits - 1, bits)


def _float(order: NDArray[np.int64]) -> Floats:
    return np.where(order < 0, np.int64(-(2**63)) - order - 1, order).view(np.float64)
