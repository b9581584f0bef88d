"""Sums and distances have the bits of NumPy's and scikit-learn's, for one row and for many."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import spox
from numpy.typing import NDArray
from scipy import special as reference
from sklearn.metrics import DistanceMetric
from sklearn.utils.extmath import row_norms
from spox import Var

from convert.errors import UnsupportedError
from convert.lower import distances, metrics, special

RNG = np.random.default_rng(19)
Floats = NDArray[np.float64]


def run(function: Callable[[Var], Var], rows: Floats, tolerance: float = 0.0) -> Any:
    """What a graph of the function answers for rows [N, k], and for each alone within a tolerance."""
    argument = spox.argument(spox.Tensor(np.float64, ("N", rows.shape[1])))
    model = spox.build({"X": argument}, {"Y": function(argument)})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    found = session.run(None, {"X": rows})[0]
    one_by_one = [session.run(None, {"X": row[np.newaxis]})[0] for row in rows[:5]]
    np.testing.assert_allclose(found[:5], np.concatenate(one_by_one), rtol=tolerance, atol=tolerance)
    return found


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 16, 20, 100, 128, 130, 300])
def test_a_row_is_added_as_numpy_adds_it(width: int) -> None:
    rows = RNG.normal(size=(40, width))
    assert np.array_equal(run(lambda x: distances.row_sum(x, width), rows), rows.sum(axis=1))


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 9, 15, 16, 20, 100])
def test_norms_are_added_as_einsum_adds_them(width: int) -> None:
    rows = RNG.normal(size=(40, width))
    expected = row_norms(rows, squared=True)
    assert np.array_equal(run(lambda x: distances.squared_norms(x, width), rows)[:, 0], expected)


@pytest.mark.parametrize(
    ("metric", "parameters"),
    [
        ("euclidean", {}),
        ("manhattan", {}),
        ("chebyshev", {}),
        ("minkowski", {"p": 3}),
        ("minkowski", {"p": 1.5, "w": np.array([1.0, 2.0, 0.5, 3.0, 0.0])}),
        ("seuclidean", {"V": np.array([1.0, 2.0, 0.5, 3.0, 1.0])}),
        ("mahalanobis", {"VI": np.diag([1.0, 2.0, 3.0, 4.0, 5.0]) + 0.1}),
        ("canberra", {}),
        ("braycurtis", {}),
        ("hamming", {}),
        ("jaccard", {}),
        ("rogerstanimoto", {}),
        ("russellrao", {}),
        ("sokalmichener", {}),
        ("sokalsneath", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_metrics(metric: str, parameters: Any) -> None:
    rows, points = RNG.integers(-3, 4, size=(30, 5)) / 3.0, RNG.integers(-3, 4, size=(20, 5)) / 3.0

    def graph(x: Var) -> Var:
        reduced = metrics.reduced_distances(x, points, metric, parameters)
        return metrics.from_reduced(reduced, metric, parameters)

    assert np.array_equal(run(graph, rows), DistanceMetric.get_metric(metric, **parameters).pairwise(rows, points))


def test_great_circles() -> None:
    random = np.random.default_rng(19)
    rows, points = (random.uniform([-1.5, -3.1], [1.5, 3.1], size=(count, 2)) for count in (50, 30))
    points[:5] = rows[:5]
    points[5:8] = np.column_stack([-rows[5:8, 0], rows[5:8, 1] + np.pi])

    def graph(x: Var) -> Var:
        return metrics.from_reduced(metrics.reduced_distances(x, points, "haversine", {}), "haversine", {})

    expected = DistanceMetric.get_metric("haversine").pairwise(rows, points)
    # Near the other end of the world the arcsine of almost one is off by the root of a rounding.
    opposite = expected > 3.14
    assert opposite.sum() >= 3
    # onnxruntime's sine is one function for four numbers at a time, and another for what is left over.
    found = run(graph, rows, 1e-13)
    np.testing.assert_allclose(found[~opposite], expected[~opposite], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(found[opposite], expected[opposite], rtol=1e-7)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"closed form .*: use one of those"):
        run(lambda x: metrics.reduced_distances(x, np.ones((2, 2)), "yule", {}), np.ones((1, 2)))


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 200])
def test_blocks_give_every_row_once(rows: int) -> None:
    numbers = RNG.normal(size=(rows, 3))

    def graph(x: Var) -> Var:
        (found,) = distances.in_blocks(x, 2**15, lambda part: [distances.squared_norms(part, 3)])
        return found

    assert np.array_equal(run(graph, numbers)[:, 0], row_norms(numbers, squared=True))


def test_error_function() -> None:
    numbers = np.concatenate([np.linspace(-9, 9, 20001), np.logspace(-300, 2, 500), [-0.0, 0.0, np.inf, -np.inf]])
    found = run(special.erf, numbers[:, np.newaxis])[:, 0]
    np.testing.assert_allclose(found, reference.erf(numbers), rtol=1e-15)


def test_digamma() -> None:
    """To the accuracy of scikit-learn's own short series."""
    numbers = np.logspace(-8, 5, 1000)
    found = run(special.digamma, numbers[:, np.newaxis])[:, 0]
    np.testing.assert_allclose(found, reference.digamma(numbers), atol=2e-6, rtol=1e-8)
