"""NumPy's inverse functions beside their twins: everywhere, at the ends of their domains and with each sign of zero."""

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer

from .twins import model_of, twin_of

RNG = np.random.default_rng(1)
ENDS = [
    [0.0, -0.0],
    [-0.0, 0.0],
    [-0.0, -0.0],
    [0, -1],
    [1, 0],
    [-1, 0],
    [1, 1],
    [-1, -1],
    [1e300, -1e300],
    [5e-324, 1],
]
WIDE = np.concatenate(
    [RNG.normal(size=(100, 2)), RNG.normal(size=(30, 2)) * 1e3, RNG.normal(size=(20, 2)) * 1e-8, ENDS]
)
ODD = [[np.inf, 1], [np.inf, -np.inf], [-np.inf, np.inf], [np.nan, 0], [0, np.nan], [0.6875, 1.1875], [2.4375, -0.4375]]


@pytest.mark.parametrize(
    ("function", "rows"),
    [
        (np.arctan, WIDE),
        (np.arcsinh, WIDE),
        (np.arcsin, np.sin(WIDE)),
        (np.arccos, np.sin(WIDE)),
        (np.arctanh, np.sin(WIDE)),
        (np.arccosh, np.abs(WIDE) + 1),
        (lambda x: np.arctan2(x[:, [0]], x[:, [1]]), WIDE),
    ],
)
def test_within_an_ulp_or_two(function: Any, rows: Any) -> None:
    transformer = FunctionTransformer(function).fit(rows)
    model = model_of(twin_of(transformer, rows))
    given = np.concatenate([rows, np.nextafter(rows, 9), np.array(ODD)])
    with np.errstate(all="ignore"):
        expected = transformer.transform(given)
    found = model.transform(given)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=0)
    np.testing.assert_array_equal(np.signbit(found[expected == 0]), np.signbit(expected[expected == 0]))
