"""KBinsDiscretizer beside its twin: every encoding and strategy, and trees behind it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from .samples import THREE, X
from .twins import levels, twin_of

SKEWED = np.column_stack([np.exp(X[:, 0]), np.round(X[:, 1]), X[:, 2:]])


def bins(strategy: str = "uniform", **parameters: Any) -> KBinsDiscretizer:
    if strategy == "quantile":
        parameters["quantile_method"] = "averaged_inverted_cdf"
    return KBinsDiscretizer(**{"n_bins": 4, "strategy": strategy, "random_state": 0, **parameters})


@pytest.mark.filterwarnings("ignore:Bins whose width")
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.parametrize("encode", ["onehot", "onehot-dense", "ordinal"])
def test_encodings_and_strategies(encode: str, strategy: str) -> None:
    assert levels(twin_of(bins(strategy, encode=encode).fit(SKEWED), SKEWED)) == {"transform": "bit"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("encode", ["onehot-dense", "ordinal"])
def test_a_dtype_and_a_number_of_bins_for_each_column(encode: str, dtype: Any) -> None:
    """float32 is what is compared with the edges, too."""
    assert levels(twin_of(bins(n_bins=[2, 3, 5, 7, 9], encode=encode, dtype=dtype).fit(X), X)) == {"transform": "bit"}


def test_one_column_of_an_odd_name() -> None:
    frame = pd.DataFrame({" a,b": X[:, 0]})
    assert levels(twin_of(bins(encode="ordinal").fit(frame), frame)) == {"transform": "bit"}


@pytest.mark.filterwarnings("ignore:Feature 1 is constant")
def test_a_constant_column_has_one_bin() -> None:
    flat = np.column_stack([X[:, 0], np.ones(len(X))])
    assert levels(twin_of(bins().fit(flat), flat)) == {"transform": "bit"}


@pytest.mark.parametrize("encode", ["onehot", "ordinal"])
def test_trees_ask_the_requests_own_value(encode: str) -> None:
    """Bins in order fold whole; of single ones the first and the last."""
    pipeline = make_pipeline(StandardScaler(), bins(encode=encode), RandomForestClassifier(5, random_state=0))
    twin = twin_of(pipeline.fit(X, THREE), X)
    assert levels(twin)["predict_proba"] == "bit"
    line = twin.scope.folded[-1]
    assert ("more are computed" in line) == (encode == "onehot")


def test_two_bins_fold_whole() -> None:
    pipeline = make_pipeline(bins(n_bins=2), DecisionTreeClassifier(random_state=0)).fit(X, THREE)
    line = twin_of(pipeline, X).scope.folded[-1]
    assert "computed" not in line
