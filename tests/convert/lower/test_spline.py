"""SplineTransformer beside its twin: every extrapolation and degree."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from convert.errors import UnsupportedError

from .samples import GAPS, NUMBER, X
from .twins import levels, model_of, twin_of

EXTRAPOLATIONS = ["constant", "linear", "continue", "error", "periodic"]


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("extrapolation", EXTRAPOLATIONS)
def test_extrapolations(extrapolation: str, degree: int) -> None:
    """Of a degree below 2 the straight line goes by other knots in each column, as in scikit-learn."""
    spline = SplineTransformer(6, degree, extrapolation=extrapolation).fit(X)
    assert levels(twin_of(spline, X)) == {"transform": "bit"}


PARAMETERS: dict[str, dict[str, Any]] = {
    "quantile": {"knots": "quantile"},
    "no bias": {"include_bias": False},
    "sparse": {"sparse_output": True},
    "given": {"knots": np.tile([[-4.0], [-0.5], [0.0], [1.5], [4.0]], 5)},
    "missing": {"handle_missing": "zeros", "order": "F"},
}
PAIRS = [
    pytest.param(name, extrapolation, marks=[pytest.mark.slow] if (place - turn) % 5 > 1 else [])
    for place, name in enumerate(PARAMETERS)
    for turn, extrapolation in enumerate(EXTRAPOLATIONS)
]


@pytest.mark.parametrize(("name", "extrapolation"), PAIRS)
def test_parameters(name: str, extrapolation: str) -> None:
    """Each with two ways of extrapolating, each of which is with two; all pairs are slow."""
    data = GAPS if name == "missing" else X
    spline = SplineTransformer(extrapolation=extrapolation, **PARAMETERS[name]).fit(data)
    assert levels(twin_of(spline, data)) == {"transform": "bit"}


def test_repeated_knots() -> None:
    """A column with few different numbers has equal quantiles."""
    coarse = np.column_stack([np.round(X[:, 0]), np.where(X[:, 1] > 1, 1.0, 0.0)])
    for extrapolation in ("constant", "continue"):
        spline = SplineTransformer(6, knots="quantile", extrapolation=extrapolation).fit(coarse)
        assert levels(twin_of(spline, coarse)) == {"transform": "bit"}


def test_one_row_of_a_frame() -> None:
    frame = pd.DataFrame({"hour of day": np.arange(100) % 24.0})
    spline = SplineTransformer(knots=np.linspace(0, 24, 7)[:, np.newaxis], extrapolation="periodic").fit(frame)
    found = model_of(twin_of(spline, frame)).transform({"hour of day": 23.5})
    assert found.tolist() == spline.transform(pd.DataFrame({"hour of day": [23.5]})).tolist()


def test_before_a_linear_model() -> None:
    assert twin_of(make_pipeline(SplineTransformer(), Ridge()).fit(X, NUMBER), X).proof.level == "ulp"


@pytest.mark.parametrize("extrapolation", EXTRAPOLATIONS)
def test_missing_values_and_sparse_output(extrapolation: str) -> None:
    """scikit-learn 1.9 zeroes the first column alone, where it does not look for what lies outside."""
    spline = SplineTransformer(extrapolation=extrapolation, handle_missing="zeros", sparse_output=True)
    if extrapolation in ("constant", "linear"):
        assert levels(twin_of(spline.fit(GAPS), GAPS)) == {"transform": "bit"}
        return
    assert levels(twin_of(spline.fit(GAPS[:, :1]), GAPS[:, :1])) == {"transform": "bit"}
    with pytest.raises(UnsupportedError, match="sparse_output=False"):
        twin_of(spline.fit(GAPS), GAPS)
