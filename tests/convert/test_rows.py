"""A graph says how many rows it may answer in one run, and the runtime takes its word within reason."""

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert import rows
from convert.graph import build_graph
from convert.signature import sign
from runtime.session import BLOCK, MOST_ROWS, ROWS, Session
from tests.convert.lower.samples import THREE, YES_NO, X


def rows_of(graph: bytes) -> str | None:
    """What the metadata says."""
    return {entry.key: entry.value for entry in onnx.load_from_string(graph).metadata_props}.get(ROWS)


def graph_of(model: Any) -> bytes:
    return build_graph(model, sign(model, X))[0]


def test_a_large_forest_may_have_more_rows_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many as its values leave room for; more than any other graph."""
    forest = RandomForestClassifier(30, min_samples_leaf=4, random_state=0).fit(X, THREE)
    small = rows_of(graph_of(forest))
    # 30 leaf numbers as float64 and as integers, 30 times three fractions, and a few more.
    assert small is not None
    assert 0.8 < int(small) * 8 * (30 + 30 + 30 * 3) / rows.FEW_BYTES < 1
    monkeypatch.setattr(rows, "LARGE", 1)
    assert rows_of(graph_of(forest)) == str(MOST_ROWS)
    monkeypatch.setattr(rows, "BYTES", 2000 * 8 * (30 + 30 + 30 * 3))
    found = rows_of(graph_of(forest))
    assert found is not None
    assert 1500 < int(found) < 2000
    monkeypatch.setattr(rows, "BYTES", 1000 * 8 * (30 + 30 + 30 * 3))
    assert rows_of(graph_of(forest)) is None


def test_a_linear_model_may_have_10_000_rows_in_one_run() -> None:
    """A run more would be a tenth of its time."""
    assert int(rows_of(graph_of(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, YES_NO))) or 0) >= 10_000


def test_a_graph_whose_values_are_of_unknown_size_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours are found in a loop."""
    monkeypatch.setattr(rows, "LARGE", 0)
    assert rows_of(graph_of(KNeighborsClassifier(metric="l1").fit(X, YES_NO))) is None


@pytest.mark.parametrize(
    ("said", "most"), [("3000", 3000), (str(10**6), MOST_ROWS), ("5", BLOCK), ("-1", BLOCK), ("9" * 40, BLOCK)]
)
def test_the_runtime_takes_it_within_reason(said: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And answers alike on either side of a cut."""
    model = onnx.load_from_string(graph_of(RandomForestClassifier(5, random_state=0).fit(X, YES_NO)))
    model.metadata_props.add(key=ROWS, value=said)
    session = Session(model.SerializeToString())
    sizes = []
    run = session._run

    def noted(matrix: Any, outputs: Any) -> Any:
        sizes.append(len(matrix))
        return run(matrix, outputs)

    monkeypatch.setattr(session, "_run", noted)
    matrix = np.resize(X, (most + 1, X.shape[1])).astype(np.float64)
    (found,) = session.run(matrix, ["predict_proba"])
    assert sizes == [most // 2 + 1, most // 2 + most % 2]
    np.testing.assert_array_equal(found, np.resize(found[: len(X)], found.shape))
