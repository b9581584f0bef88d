"""Which numbers the columns of a matrix may hold, and that they hold no others."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cells import UNKNOWN
from .dates import span
from .errors import InputError
from .manifest import Feature

__all__ = ["Ranges", "between", "bounds"]

Matrix = NDArray[np.float64]

SIGN = 2**63
"""The bit of a float64 that negative numbers have."""


class Ranges:
    """What the pipeline takes in each column. Both checks raise InputError with the place of the first other number."""

    def __init__(self, columns: Sequence[Feature]) -> None:
        self._columns = columns
        # Limits are wide open where the pipeline takes anything, so that one comparison serves every column.
        self._low = np.array([bounds(feature)[0] for feature in columns])
        self._high = np.array([bounds(feature)[1] for feature in columns])
        self._narrowest = float(self._low.max(initial=-np.inf)), float(self._high.min(initial=np.inf))
        self._missing = np.array([feature.missing for feature in columns], bool)
        self._strict = np.array(
            [
                index
                for index, feature in enumerate(columns)
                if not feature.unknown and feature.kind != "date" and (feature.kind == "category" or feature.categories)
            ],
            np.intp,
        )

    def check(self, matrix: Matrix) -> None:
        """That a matrix [N, columns] has no number outside, none missing where it must not, and no unseen category."""
        if not (self._within_all(matrix) or ((matrix >= self._low) & (matrix <= self._high)).all()):  # NaN is not
            missing = np.isnan(matrix)
            self._refuse(missing & ~self._missing, lambda _: "expected a value, got a missing one", "range")
            outside = (matrix < self._low) | (matrix > self._high)
            self._refuse(outside, lambda feature: f"expected number {between(feature)}, got one outside", "range")
        self.check_known(matrix)

    def check_known(self, matrix: Matrix) -> None:
        """That there is no unseen category where the pipeline takes none."""
        if not self._strict.size:
            return
        unknown = matrix[:, self._strict] == UNKNOWN
        if np.count_nonzero(unknown):  # for one row sooner than any()
            place, row = map(int, np.argwhere(unknown.T)[0])
            index = int(self._strict[place])
            raise InputError(
                self._path(row, index, len(matrix)),
                f"expected one of the {len(self._columns[index].categories)} categories seen in training, got another",
            )

    def _within_all(self, matrix: Matrix) -> bool:
        """Whether all numbers are within the narrowest limits of any column, as far as that is told soon; NaN is not.

        As integers without a sign floats stand in the order of their magnitude, all negative ones behind the others,
        and NaN behind either infinity; so that the largest tells enough where none is negative. Of 10,000 rows of 30
        numbers it takes 28 µs, else 56; the smallest and the largest float take 61, each column's own limits 300.
        """
        low, high = self._narrowest
        if not matrix.size or not low <= 0 <= high:
            return not matrix.size
        largest = matrix.view(np.uint64).max()
        if largest < SIGN:
            return bool(largest.view(np.float64) <= high)
        return bool(largest.view(np.float64) >= low and matrix.view(np.int64).max().view(np.float64) <= high)

    def _refuse(self, bad: NDArray[np.bool_], sentence: Callable[[Feature], str], fault: Any) -> None:
        if bad.any():
            row, column = map(int, np.argwhere(bad)[0])
            raise InputError(self._path(row, column, len(bad)), sentence(self._columns[column]), fault=fault)

    def _path(self, row: int, column: int, length: int) -> str:
        name = self._columns[column].name
        return f"$[{row}].{name}" if length > 1 else f"$.{name}"


def between(feature: Feature) -> str:
    """The words for the numbers that a feature takes."""
    low, high = bounds(feature)
    if feature.range is None:
        return "that is finite" if np.isinf([low, high]).any() or high >= np.finfo(float).max else f"within ±{high:.9g}"
    return f"from {low:.9g} to {high:.9g}"


def bounds(feature: Feature) -> tuple[float, float]:
    """The smallest and the largest number that a feature takes; infinities where there are none."""
    if feature.range is not None:
        return feature.range
    if feature.kind == "date":
        return span(feature)
    if feature.kind in ("category", "text") or feature.infinite:
        return -np.inf, np.inf
    limit = feature.limit if feature.limit is not None else float(np.finfo(float).max)
    return -limit, limit
