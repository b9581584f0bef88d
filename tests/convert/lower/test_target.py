"""Regressors whose target was transformed: every inverse that is known."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import scipy.special
import spox
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

from convert.errors import UnsupportedError
from convert.lower.special import ndtr
from tests.convert.lower.samples import BINARY, NUMBER, TWO_NUMBERS, X
from tests.convert.lower.twins import levels, twin_of

TREE = DecisionTreeRegressor(max_depth=5, random_state=0)
POSITIVE = np.exp(NUMBER / 4) + 0.01


@pytest.mark.parametrize(
    "transformer",
    [
        None,
        StandardScaler(),
        StandardScaler(with_mean=False),
        RobustScaler(),
        MinMaxScaler((-1, 2)),
        MaxAbsScaler(),
        make_pipeline(MinMaxScaler(), "passthrough", StandardScaler()),
    ],
    ids=str,
)
@pytest.mark.parametrize("target", [NUMBER, TWO_NUMBERS], ids=["one", "two"])
def test_scaled_targets_have_the_same_bits(transformer: Any, target: Any) -> None:
    """One target or two."""
    model = TransformedTargetRegressor(TREE, transformer=transformer).fit(X, target)
    assert levels(twin_of(model, X)) == {"predict": "bit"}


@pytest.mark.parametrize(
    ("function", "inverse"),
    [
        (np.log, np.exp),
        (np.log1p, np.expm1),
        (np.expm1, np.log1p),
        (np.exp, np.log),
        (np.square, np.sqrt),
        (np.sqrt, np.square),
        (np.log2, np.exp2),
        (np.exp2, np.log2),
        (np.negative, np.negative),
        (np.reciprocal, np.reciprocal),
        (np.arctanh, np.tanh),
    ],
)
def test_functions_of_numpy(function: Any, inverse: Any) -> None:
    """At level ulp or better, with trees."""
    target = BINARY * 0.3 + 0.1 if function is np.arctanh else POSITIVE
    model = TransformedTargetRegressor(TREE, func=function, inverse_func=inverse).fit(X, target)
    assert twin_of(model, X).proof.level in ("bit", "ulp")


@pytest.mark.parametrize("inverse", [np.expm1, np.exp])
def test_functions_behind_a_linear_model(inverse: Any) -> None:
    """The model's own last bits grow with the exponential: rows near the sample only."""
    function = np.log1p if inverse is np.expm1 else np.log
    model = TransformedTargetRegressor(Ridge(), func=function, inverse_func=inverse).fit(X, POSITIVE)
    assert twin_of(model, X).proof.level == "ulp"


@pytest.mark.parametrize(
    "transformer",
    [
        PowerTransformer(),
        PowerTransformer(standardize=False),
        PowerTransformer(method="box-cox"),
        QuantileTransformer(n_quantiles=20),
        QuantileTransformer(n_quantiles=7),
        QuantileTransformer(n_quantiles=20, output_distribution="normal"),
    ],
    ids=str,
)
def test_power_and_quantile_transformers(transformer: Any) -> None:
    """At level ulp."""
    model = TransformedTargetRegressor(TREE, transformer=transformer, check_inverse=False).fit(X, POSITIVE)
    assert twin_of(model, X).proof.level in ("bit", "ulp")
    linear = TransformedTargetRegressor(LinearRegression(), transformer=transformer, check_inverse=False)
    if isinstance(transformer, QuantileTransformer):  # far out a power's inverse is no number
        assert twin_of(linear.fit(X, POSITIVE), X).proof.level in ("bit", "ulp")


def test_the_normal_distribution_is_scipys() -> None:
    """To within a few ulp, tails included."""
    x = np.linspace(-9, 9, 20_001)
    value = spox.argument(spox.Tensor(np.float64, ("N",)))
    graph = spox.build({"x": value}, {"y": ndtr(value)})
    (found,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(found, scipy.special.ndtr(x), rtol=2e-15, atol=0)


def test_what_is_not_known_is_refused() -> None:
    """With the path of the transformer."""
    model = TransformedTargetRegressor(TREE, transformer=PCA(1), check_inverse=False).fit(X, TWO_NUMBERS)
    with pytest.raises(UnsupportedError, match=r"pipeline\.transformer_: .* found PCA"):
        twin_of(model, X)
