"""What is told of all numbers by the largest one is what each of them says by itself."""

import itertools
from typing import Any

import numpy as np
import pytest

from runtime.errors import InputError
from runtime.manifest import Feature
from runtime.ranges import Ranges

LIMIT = 1e36
BEYOND = float(np.nextafter(LIMIT, np.inf))
TINY = float(np.nextafter(0, 1))


def ranges(*spans: Any, missing: bool = False) -> Ranges:
    return Ranges(
        [
            Feature(name=f"x{index}", kind="number", position=index, missing=missing, range=span, limit=LIMIT)
            for index, span in enumerate(spans or (None, None))
        ]
    )


def refused(checks: Ranges, matrix: Any) -> str | None:
    try:
        checks.check(np.array(matrix, np.float64))
    except InputError as error:
        return error.path
    return None


@pytest.mark.parametrize("others", [(0.0, 1.0, TINY), (-0.0, -1.0, -TINY), (0.0, -2.0, 3.0), (-0.0, LIMIT, -LIMIT)])
@pytest.mark.parametrize(
    ("value", "taken"),
    [
        *[(value, True) for value in (0.0, -0.0, TINY, -TINY, LIMIT, -LIMIT)],
        *[(value, False) for value in (BEYOND, -BEYOND, 1e308, -1e308, np.inf, -np.inf, np.nan)],
        (float(np.copysign(np.nan, -1)), False),
    ],
)
def test_one_number_outside_is_found_among_any(value: float, taken: bool, others: tuple[float, ...]) -> None:
    """Be it among negative ones or not, with a sign or without, and NaN with either."""
    matrix = np.resize(others, (5, 2))
    matrix[3, 1] = value
    assert refused(ranges(), matrix) == (None if taken else "$[3].x1")


def test_columns_have_limits_of_their_own() -> None:
    """Also where those that hold for all of them leave nothing, or no zero."""
    numbers = [-7.0, -6.0, -5.0, -1.0, 0.0, 1.0, 5.0, 6.0, 7.0]
    for spans in (
        [(5.0, 6.0), (-6.0, -5.0)],
        [(5.0, 6.0), (5.0, 7.0)],
        [(-6.0, -5.0), (-7.0, -5.0)],
        [(-5.0, 5.0), (0.0, 6.0)],
    ):
        for row in itertools.product(numbers, numbers):
            inside = [low <= value <= high for value, (low, high) in zip(row, spans, strict=True)]
            wanted = None if all(inside) else f"$[1].x{inside.index(False)}"
            good = [low for low, _ in spans]
            assert refused(ranges(*spans), [good, row]) == wanted


def test_a_missing_number_is_no_number_outside() -> None:
    assert refused(ranges(missing=True), [[np.nan, -np.nan], [1, 2]]) is None
    assert refused(ranges(missing=True), [[np.nan, 0], [1, -np.inf]]) == "$[1].x1"
    assert refused(ranges(), np.empty((0, 2))) is None
