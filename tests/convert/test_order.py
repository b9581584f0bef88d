"""A graph with many trees says by which of their tests the rows of a batch are to be ordered."""

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert.graph import build_graph
from convert.lower import layout
from convert.signature import sign
from runtime.order import FEWEST, MOST_TESTS, ORDER
from runtime.session import Session
from tests.convert.lower.samples import X


def order_of(graph: bytes) -> list[tuple[int, float]]:
    said = {entry.key: entry.value for entry in onnx.load_from_string(graph).metadata_props}.get(ORDER, "")
    pairs = [part.split(":") for part in said.split(",") if part]
    return [(int(column), float(split)) for column, split in pairs]


def graph_of(model: Any, y: Any) -> bytes:
    model.fit(X, y)
    return build_graph(model, sign(model, X))[0]


def target() -> Any:
    """Two columns decide."""
    return np.where(X[:, 2] > np.median(X[:, 2]), 10.0, 0.0) + np.where(X[:, 0] > np.median(X[:, 0]), 3.0, 0.0)


@pytest.mark.parametrize("turned", [False, True])
def test_what_most_trees_ask_first_comes_first(turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the request's own numbers, whether scalers come between or questions are turned around."""
    if turned:
        monkeypatch.setattr(layout, "TURNED", 1)
    forest = make_pipeline(StandardScaler(), RandomForestRegressor(60, max_depth=5, max_features=None, random_state=0))
    graph = graph_of(forest, target())
    tests = order_of(graph)
    assert {column for column, _ in tests[:2]} == {0, 2}
    for column, split in tests[:2]:
        assert 0.3 < (X[:, column] <= split).mean() < 0.7
    assert len(tests) == len(set(tests)) <= MOST_TESTS
    rows = np.random.default_rng(0).permutation(np.resize(X, (2 * FEWEST, X.shape[1])))
    np.testing.assert_array_equal(Session(graph).run(rows, ["predict"])[0], forest.predict(rows))


def test_few_trees_say_nothing() -> None:
    """And neither do trees that ask for what is computed."""
    assert order_of(graph_of(GradientBoostingRegressor(n_estimators=40, random_state=0), target())) == []
    assert order_of(graph_of(GradientBoostingRegressor(n_estimators=49, random_state=0), target()))  # and the start
    computed = make_pipeline(PCA(3), RandomForestClassifier(60, max_depth=3, random_state=0))
    assert order_of(graph_of(computed, target() > 5)) == []
