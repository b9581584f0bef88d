"""A column's values, as callers hand them over, become codes."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from runtime import InputError
from runtime.cells import UNKNOWN, codes_in, codes_of
from runtime.manifest import Feature

NUMBERS = Feature("f", "category", position=0, categories=(3, 7))
WORDS = Feature("f", "category", position=0, categories=("a", "b"))


@pytest.mark.parametrize(
    ("feature", "values", "expected"),
    [
        (WORDS, ["b", "a", "b", "c", None, ""], [1, 0, 1, UNKNOWN, np.nan, UNKNOWN]),
        (WORDS, [float("nan"), "a", float("nan"), pd.NA, pd.NaT, np.nan], [np.nan, 0, *[np.nan] * 4]),
        (NUMBERS, [7, 7.0, True, Decimal(3), np.int64(3), "3"], [1, 1, UNKNOWN, 0, 0, UNKNOWN]),
        (WORDS, [], []),
    ],
)
def test_each_value_has_its_own_code_however_many_are_alike(feature: Feature, values: Any, expected: Any) -> None:
    code = codes_of(feature)
    np.testing.assert_array_equal(codes_in(values, code), expected)
    np.testing.assert_array_equal([code(value) for value in values], expected)


def test_a_value_that_no_table_could_have_is_refused() -> None:
    with pytest.raises(InputError, match="expected string, number or boolean, got list"):
        codes_in(["a", ["a"], "b"], codes_of(WORDS))
