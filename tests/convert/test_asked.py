"""What a pipeline is asked together: some take rows in one company that they refuse in another."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from convert import canaries, reference
from tests.convert.lower.twins import model_of, twin_of

FRAME = pd.DataFrame({"when": pd.Series(pd.date_range("2020-01-03", periods=60, freq="35D"))})
FRAME.loc[:2, "when"] = pd.NaT


def years(X: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"year": X["when"].dt.year})


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Of rows without a gap the years are integers, which the imputer was not fitted to."""
    model = make_pipeline(FunctionTransformer(years), SimpleImputer(strategy="constant"), LinearRegression())
    model.fit(FRAME, np.arange(60.0))
    with pytest.raises(ValueError, match="cannot be cast"):
        model.predict(FRAME[3:])
    return model


def test_the_sample_is_proven_in_the_company_in_which_it_is_taken(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked so many at a time some of it is refused, and that is no error of the conversion's."""
    monkeypatch.setattr(reference, "ROWS", 16)
    twin = twin_of(pipeline, FRAME)
    assert twin.proof.rows >= len(FRAME)
    np.testing.assert_allclose(model_of(twin).predict(FRAME), pipeline.predict(FRAME), rtol=1e-12)


def test_the_synthetic_rows_are_asked_in_the_company_that_they_keep(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the first gap comes behind as many as are kept."""
    counts = list[int]()

    def drawn(features: Any, tables: Any, count: int) -> tuple[tuple[Any, ...], ...]:
        counts.append(count)
        return tuple((None if len(counts) > 1 and row == count - 1 else "2021-03-04",) for row in range(count))

    monkeypatch.setattr(canaries, "canary_rows", drawn)
    twin = twin_of(pipeline, FRAME)
    assert counts == [counts[0], counts[0] * canaries.MORE]
    assert (None,) in twin.proof.canary.rows
    model_of(twin)
