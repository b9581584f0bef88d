"""scikit-learn's answers beside the twin's: a pure comparer, which knows neither of them."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.proof import OutputProof

__all__ = ["ULP", "Comparison", "Ledger", "compare_labels", "compare_logarithms", "compare_numbers"]

ULP = 1e-12
"""The relative difference that level ulp allows."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One block of rows compared for one method.

    identical: [rows], whether every number of the row has the same bits (or every label is the same).
    excess: [rows], the largest difference of the row over max(expected, floor) in magnitude; infinity where a
        label differs and it is no tie, or where only one of the two is a finite number.
    max_ulp, max_abs: over all numbers that are finite in both.
    mismatches: rows with another label that is no tie. ties: rows with another label that is one.
    saturated: rows of logarithms that are within the bound as probabilities only.
    hanging: [rows], those that count as ties because roundings on their way move them from one answer to another.
    loose: [rows], how far those are off that count as ties because roundings on their way move them as far; zero of all
        others. Of both there are none where nobody has asked for them.
    unexplained: rows beyond the bound that differ by more than roundings on their way come to.
    """

    identical: NDArray[np.bool_]
    excess: Floats
    max_ulp: int = 0
    max_abs: float = 0.0
    mismatches: int = 0
    ties: int = 0
    saturated: int = 0
    hanging: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    loose: Floats = field(default_factory=lambda: np.zeros(0))
    unexplained: int = 0


def compare_numbers(expected: Any, found: Any, floor: float | Floats) -> Comparison:
    """Numbers of shape [N], [N, k], or lists of such arrays; NaN equals NaN, and 0.0 is not -0.0.

    floor: one for all rows, or each row's, [N, 1].
    Raises ValueError where the shapes differ.
    """
    wanted, got = _flat(expected), _flat(found)
    if wanted.shape != got.shape:
        raise ValueError(f"expected answers of shape {wanted.shape}, found {got.shape}")
    both_nan = np.isnan(wanted) & np.isnan(got)
    same = (wanted.view(np.int64) == got.view(np.int64)) | both_nan
    finite = np.isfinite(wanted) & np.isfinite(got)
    with np.errstate(all="ignore"):
        distance = np.where(finite, np.abs(wanted - got), 0.0)
        # A floor of zero means that every expected number is zero: then any difference is infinitely large.
        scale = np.maximum(np.abs(wanted), floor)
        relative = np.where(distance > 0, distance / scale, 0.0)
    odd = ~finite & ~both_nan & (wanted != got)
    excess = np.where(odd, np.inf, np.where(finite, relative, 0.0))
    off = finite & ~same
    # Python's integers, for the distance between numbers of opposite signs passes int64.
    ulps = np.abs(_order(wanted[off]).astype(object) - _order(got[off]).astype(object))
    max_ulp = int(max(ulps, default=0))
    return Comparison(
        same.all(axis=1),
        excess.max(axis=1, initial=0.0),
        max_ulp,
        float(distance.max(initial=0.0)),
    )


def compare_logarithms(expected: Any, found: Any, floor: float | Floats, least: float) -> Comparison:
    """As ``compare_numbers``, of logarithms of probabilities or densities: a row may be within the bound as logarithms
    or as what they are of, for what is nearly one or zero has lost its digits before the logarithm shows it.

    least: the floor of what they are of.
    """
    logs = compare_numbers(expected, found, floor)
    powers = compare_numbers(_exp(expected), _exp(found), least)
    saturated = (logs.excess > ULP) & (powers.excess <= ULP)
    return replace(logs, excess=np.minimum(logs.excess, powers.excess), saturated=int(saturated.sum()))


def _exp(answers: Any) -> Any:
    return [np.exp(part) for part in answers] if isinstance(answers, list) else np.exp(answers)


def compare_labels(expected: Any, found: Any, tied: NDArray[np.bool_] | None = None) -> Comparison:
    """Labels of shape [N] or [N, outputs].

    tied: rows whose two best scores are too near to tell apart; None at level bit, where there is no such excuse.
    """
    wanted, got = np.asarray(expected), np.asarray(found)
    if wanted.shape != got.shape:
        raise ValueError(f"expected labels of shape {wanted.shape}, found {got.shape}")
    same = (wanted == got) | (_nan(wanted) & _nan(got))
    identical = same.reshape(len(same), -1).all(axis=1)
    excused = ~identical & tied if tied is not None else np.zeros(len(identical), bool)
    return Comparison(
        identical,
        np.where(identical | excused, 0.0, np.inf),
        mismatches=int((~identical & ~excused).sum()),
        ties=int(excused.sum()),
    )


def near_ties(scores: Any, floor: float | Floats, bound: float = ULP) -> NDArray[np.bool_]:
    """Rows whose two best scores lie within the bound of each other.

    floor: one for all rows, or each row's, [N].
    scores: [N, classes] (of several outputs, a list of those), or [N], a binary decision that is compared with zero.
    """
    if isinstance(scores, list):
        return np.asarray(np.any([near_ties(score, floor, bound) for score in scores], axis=0), bool)
    scores = np.asarray(scores, np.float64)
    if scores.ndim == 1:
        scores = np.stack([np.zeros(len(scores)), scores], axis=1)
    if scores.shape[1] < 2:
        return np.zeros(len(scores), bool)
    best = np.sort(scores, axis=1)[:, -2:]
    near: NDArray[np.bool_] = np.abs(best[:, 1] - best[:, 0]) <= 2 * bound * np.maximum(np.abs(best[:, 1]), floor)
    return near


class Ledger:
    """Adds up comparisons of one method."""

    def __init__(self, floor: float, terms: float = 0.0) -> None:
        self.floor = floor
        self.terms = terms
        self.rows = 0
        self.identical = 0
        self.max_ulp = 0
        self.max_abs = 0.0
        self.mismatches = 0
        self.ties = 0
        self.saturated = 0
        self.unexplained = 0
        self.excess = 0.0

    def add(self, comparison: Comparison) -> None:
        self.rows += len(comparison.identical)
        self.identical += int(comparison.identical.sum())
        self.max_ulp = max(self.max_ulp, comparison.max_ulp)
        self.max_abs = max(self.max_abs, comparison.max_abs)
        self.mismatches += comparison.mismatches
        self.ties += comparison.ties
        self.saturated += comparison.saturated
        self.unexplained += comparison.unexplained
        self.excess = max(self.excess, float(comparison.excess.max(initial=0.0)))

    def proof(self) -> OutputProof:
        return OutputProof(
            rows=self.rows,
            identical=self.identical,
            max_ulp=self.max_ulp,
            max_abs=self.max_abs,
            floor=self.floor,
            terms=self.terms,
            label_mismatches=self.mismatches,
            ties=self.ties,
            saturated=self.saturated,
        )


def floor_of(answers: Any) -> float:
    """A thousandth of the largest finite magnitude; below it a difference is measured against this."""
    numbers = _flat(answers)
    finite = np.abs(numbers[np.isfinite(numbers)])
    return float(finite.max(initial=0.0)) / 1000


def _flat(answers: Any) -> Floats:
    """[N, everything else]."""
    parts = answers if isinstance(answers, list) else [answers]
    arrays = [np.asarray(part, np.float64) for part in parts]
    flat = [
        np.ascontiguousarray(array.reshape(len(array), -1) if array.size else array.reshape(len(array), 0))
        for array in arrays
    ]
    return np.ascontiguousarray(np.concatenate(flat, axis=1))


def _order(x: Floats) -> NDArray[np.int64]:
    bits = x.view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _nan(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
