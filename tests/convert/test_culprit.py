"""An error says which step it is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

from convert import ParityError, SampleError, UnsupportedError
from convert.culprit import culprit
from tests.convert.lower.twins import twin_of

RNG = np.random.default_rng(4)
FRAME = pd.DataFrame({"a": RNG.normal(size=40), "b": RNG.normal(size=40), "c": RNG.choice(list("xyz"), 40)})


def pipeline(last: Any = None) -> Any:
    union = FeatureUnion([("min", MinMaxScaler()), ("pca", last or PCA(1))])
    numbers = Pipeline([("std", StandardScaler()), ("both", union)])
    encode = ColumnTransformer([("num", numbers, ["a", "b"]), ("cat", OneHotEncoder(), ["c"])])
    return Pipeline([("prep", encode), ("model", LinearRegression())]).fit(FRAME, FRAME["a"])


@pytest.mark.parametrize(
    ("cls", "path"),
    [
        (StandardScaler, "['prep']['num']['std']"),
        (PCA, "['prep']['num']['both']['pca']"),
        (OneHotEncoder, "['prep']['cat']"),
        (LinearRegression, "['model']"),
        (dict, ""),
    ],
)
def test_the_innermost_step_is_named(cls: type, path: str) -> None:
    def holds(step: Any) -> bool:
        inner = step.get_params(deep=True).values()
        return isinstance(step, cls) or any(isinstance(value, cls) for value in inner)

    assert culprit(pipeline(), FRAME, lambda step, X: holds(step)) == path


def test_a_missing_value_where_scikit_learn_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the first row; the step that raises is named."""
    sample = FRAME.copy()
    sample.loc[7, "b"] = np.nan
    with pytest.raises(SampleError) as caught:
        twin_of(pipeline(), sample)
    assert str(caught.value) == (
        "expected rows that the pipeline takes, found that pipeline['prep']['num']['both']['pca'] raises on the "
        "sample: Input X contains NaN: give rows it was trained on, of the same types, which .parquet keeps and .csv "
        "does not"
    )


def test_an_estimator_that_fails_parity_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step by itself is put beside its twin."""
    import convert.lower.decomposition as decomposition
    from convert.lower import _TABLE

    right = _TABLE[PCA, "transform"]
    assert right.__module__ == decomposition.__name__
    monkeypatch.setitem(_TABLE, (PCA, "transform"), lambda pca, x: right(_nudged(pca), x))
    with pytest.raises(ParityError, match=r"^pipeline\['prep'\]\['num'\]\['both'\]\['pca'\]: expected the twin"):
        twin_of(pipeline(), FRAME)


def _nudged(pca: PCA) -> PCA:
    import copy

    other = copy.deepcopy(pca)
    other.components_ = pca.components_ * (1 + 1e-9)
    return other


def test_a_lambda_that_cannot_be_traced_is_named() -> None:
    """With what to do instead."""
    sort = FunctionTransformer(lambda X: np.array([sorted(row) for row in np.asarray(X)]))
    with pytest.raises(UnsupportedError) as caught:
        twin_of(pipeline(sort), FRAME)
    assert str(caught.value).startswith(
        "pipeline['prep']['num']['both']['pca']: expected a function that can be traced"
    )
