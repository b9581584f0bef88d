"""What arrays of any rank record, beside NumPy: the answers to the same rows, one trace for all pairs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import spox
from numpy.typing import NDArray
from scipy.spatial import distance
from scipy.spatial.distance import cityblock

from convert.errors import UnsupportedError
from convert.lower import numpy_functions, shaped_functions, shaped_products  # noqa: F401 (they register themselves)
from convert.lower.callables import gram, of_pairs, of_same

Floats = NDArray[np.float64]
RNG = np.random.default_rng(4)
ROWS, POINTS = RNG.normal(size=(7, 11)), RNG.normal(size=(5, 11))
HOLES = np.where(RNG.random(ROWS.shape) < 0.2, np.nan, ROWS)


def answered(make: Callable[[Any], Any], rows: Floats) -> Floats:
    """What the graph that ``make`` builds answers to rows, which come one at a time too."""
    x = spox.argument(spox.Tensor(np.float64, ("N", rows.shape[1])))
    graph = spox.build({"x": x}, {"y": make(x)}).SerializeToString()
    session = onnxruntime.InferenceSession(graph)
    (found,) = session.run(None, {"x": rows})
    alone = np.concatenate([session.run(None, {"x": rows[i : i + 1]})[0] for i in range(len(rows))])
    np.testing.assert_allclose(alone, found, rtol=1e-14, atol=1e-14)
    return np.asarray(found)


EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda a, b: np.abs(a - b).sum(),
    "sum by axis": lambda a, b: np.sum((a - b) ** 2, axis=-1),
    "builtin sum": lambda a, b: sum(p * q for p, q in zip(a, b, strict=True)),
    "root": lambda a, b: np.sqrt(np.sum((a - b) ** 2)),
    "mean": lambda a, b: np.mean(a * b) + (a + b).mean(),
    "largest": lambda a, b: np.max(np.abs(a - b)) - (a * b).min(),
    "places": lambda a, b: a[0] * b[-1] + a[1:4].sum() + b[[2, 5]].sum() + a[..., 3],
    "chosen": lambda a, b: (a - b)[np.arange(11) % 2 == 0].sum(),
    "where": lambda a, b: np.where(a > b, a - b, 0.5).sum(),
    "counted": lambda a, b: np.count_nonzero(a > b) + (a > 0).sum() + np.any(a > b) + np.all(b < 9),
    "clipped": lambda a, b: np.clip(a - b, 0, 1).sum() + (a - b).clip(max=0.1).sum(),
    "weights": lambda a, b: (np.arange(11) * (a - b) ** 2).sum(),
    "differences": lambda a, b: np.abs(np.diff(a) - np.diff(b)).sum(),
    "running": lambda a, b: np.abs(np.cumsum(a) - np.cumsum(b)).sum(),
    "one side": lambda a, b: a.sum(),
    "other side": lambda a, b: (b * b).sum(),
    "matrix": lambda a, b: np.abs(a[:, None] - b[None, :]).sum(axis=1).max(),
    "reshaped": lambda a, b: (a.reshape(1, -1) - b.reshape(1, -1)).ravel()[2:].sum(),
    "in place": lambda a, b: _in_place(a, b),
    "listed": lambda a, b: np.array([p - q for p, q in zip(a, b, strict=True)]).sum() + np.asarray([a[0], 1.0]).max(),
    "compared": lambda a, b: max(abs(a - b)) + min(a[0], b[0], 0.1) + max([a[1], 0.2]),
    "scipy": lambda a, b: distance.hamming(np.round(a), np.round(b)) + distance.chebyshev(a, b) + cityblock(a, b),
    "rounded": lambda a, b: np.round(a - b, 1).sum(),
    "one number": lambda a, b: (a[:1] - b[:1]).item(),
    "size": lambda a, b: (a - b).sum() / a.size / len(b) / a.shape[0],
    "asked": lambda a, b: (a - b).sum() if isinstance(a, np.ndarray) and a.ndim == 1 else 0.0,
    "types": lambda a, b: (
        np.asarray(a, dtype=float).astype(np.float64)[0] - float(b[0]) * np.zeros(3, dtype=float).sum()
    ),
}
NEAR: dict[str, Callable[[Any, Any], Any]] = {
    "dot": lambda a, b: np.dot(a, b) + a @ b + np.inner(a, b) + np.vdot(a, b) + a.dot(b),
    "own dot": lambda a, b: np.dot(a, a) + b @ b,
    "of the difference": lambda a, b: (a - b) @ (a - b),
    "form": lambda a, b: (a - b) @ np.diag(np.arange(11.0)) @ (a - b),
    "vector": lambda a, b: a @ np.arange(11.0) - np.arange(11.0) @ b,
    "norm": lambda a, b: np.linalg.norm(a - b) + np.linalg.norm(a, ord=1) + np.linalg.norm(b, np.inf),
    "other norms": lambda a, b: np.linalg.norm(a - b, 3) + np.linalg.norm(a, axis=0),
    "exponential": lambda a, b: np.exp(-0.5 * ((a - b) ** 2).sum()),
    "spread": lambda a, b: np.std(a) * b.std(ddof=1) + np.var(a - b),
    "average": lambda a, b: np.average(a - b, weights=np.arange(11)) + np.average(a),
    "product": lambda a, b: np.prod(1 + 0.1 * a * b),
    "outer": lambda a, b: np.outer(a, b).sum(axis=0)[3] + np.trace(np.eye(2)),
    "einsum": lambda a, b: np.einsum("i,i->", a, b) + np.einsum("i,ij,j->", a, np.ones((11, 11)), b),
    "stacked": lambda a, b: np.stack([a, b, a - b]).sum(axis=1).max(),
    "tanh": lambda a, b: np.tanh(0.1 * np.dot(a, b) + 1),
}


def _in_place(a: Any, b: Any) -> Any:
    off = a - b
    off *= off
    np.sqrt(off, out=off)
    return off.sum()


def expected(function: Any, rows: Floats, points: Floats) -> Floats:
    return np.array([[float(function(row.copy(), point.copy())) for point in points] for row in rows])


@pytest.mark.parametrize("name", EXACT)
def test_pairs_to_the_last_bit(name: str) -> None:
    found = answered(lambda x: of_pairs(EXACT[name], x, POINTS, {}, "metric", blocks=False), ROWS)
    assert found.tolist() == expected(EXACT[name], ROWS, POINTS).tolist()


@pytest.mark.parametrize("name", NEAR)
def test_pairs_within_roundings(name: str) -> None:
    found = answered(lambda x: of_pairs(NEAR[name], x, POINTS, {}, "metric", blocks=False), ROWS)
    np.testing.assert_allclose(found, expected(NEAR[name], ROWS, POINTS), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["sum", "places", "matrix", *NEAR])
def test_a_row_and_itself(name: str) -> None:
    function = EXACT.get(name) or NEAR[name]
    found = answered(lambda x: of_same(function, x, 11, {}, "kernel"), ROWS)
    np.testing.assert_allclose(found[:, 0], [float(function(row, row)) for row in ROWS], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("function", [
    lambda a, b: np.nansum(np.abs(a - b)), lambda a, b: np.nanmean((a - b) ** 2), lambda a, b: np.max(a - b),
    lambda a, b: max(abs(a - b)) + min(b[0], a[0]), lambda a, b: np.where(np.isnan(a) | np.isnan(b), 3.0, a - b).sum(),
], ids=["nansum", "nanmean", "max", "compared", "where"])  # fmt: skip
def test_missing_numbers(function: Any) -> None:
    found = answered(lambda x: of_pairs(function, x, POINTS, {}, "metric", blocks=False), HOLES)
    np.testing.assert_allclose(found, expected(function, HOLES, POINTS), rtol=1e-14)


def test_many_points_are_taken_in_blocks() -> None:
    points = RNG.normal(size=(2000, 11))
    function = EXACT["sum"]
    found = answered(lambda x: of_pairs(function, x, points, {}, "metric", blocks=True), ROWS)
    assert found.tolist() == expected(function, ROWS, points).tolist()


MATRICES: dict[str, Callable[[Any, Any], Any]] = {
    "product": lambda X, Y: X @ Y.T,
    "dot": lambda X, Y: np.dot(X, Y.T) ** 2,
    "turned": lambda X, Y: (Y @ X.T).T + np.transpose(np.dot(Y, X.T)),
    "broadcast": lambda X, Y: np.exp(-0.1 * ((X[:, None] - Y[None]) ** 2).sum(-1)),
    "broadcast by axis": lambda X, Y: np.abs(X[:, np.newaxis, :] - Y).sum(axis=2),
    "features first": lambda X, Y: np.abs(X[:, :, None] - Y.T[None]).sum(axis=1),
    "norms": lambda X, Y: np.linalg.norm(X[:, None] - Y, axis=2),
    "expanded": lambda X, Y: (X**2).sum(axis=1)[:, None] + (Y**2).sum(axis=1)[None, :] - 2 * X @ Y.T,
    "kept": lambda X, Y: np.sum(X**2, axis=1, keepdims=True) * np.ones(5) + Y.sum(axis=1),
    "columns": lambda X, Y: X[:, :3] @ Y[:, :3].T + np.outer(np.ones(1), Y[:, 4]) * X[:, [4]],
    "mapped": lambda X, Y: np.tanh(X @ np.eye(11)[:, :4]) @ np.tanh(Y @ np.eye(11)[:, :4]).T,
    "in place": lambda X, Y: _exponential(X, Y),
    "loop over points": lambda X, Y: np.array([np.minimum(X, y).sum(axis=1) for y in Y]).T,
    "stacked": lambda X, Y: np.stack([np.abs(X - y).max(axis=1) for y in Y], axis=1),
    "einsum": lambda X, Y: np.einsum("ij,kj->ik", X, Y) + np.einsum("ij,jk,lk->il", X, np.ones((11, 11)), Y),
    "minimum": lambda X, Y: np.minimum(X[:, None, :], Y[None, :, :]).sum(axis=2),
    "shape": lambda X, Y: X @ Y.T / X.shape[1] + Y.shape[0],
    "expanded dimensions": lambda X, Y: np.expand_dims(X, 1).max(axis=2) - np.expand_dims(Y, 0).max(axis=2),
    "swapped": lambda X, Y: (X[:, None] - Y).swapaxes(1, 2).sum(axis=1),
}


def _exponential(X: Any, Y: Any) -> Any:
    K = np.abs(X[:, None] - Y).sum(axis=2)
    K *= -0.5
    return np.exp(K, out=K)


@pytest.mark.parametrize("name", MATRICES)
def test_matrices(name: str) -> None:
    function = MATRICES[name]
    found = answered(lambda x: gram(function, x, POINTS), ROWS)
    np.testing.assert_allclose(found, function(ROWS, POINTS), rtol=1e-13, atol=1e-13)
    turned = answered(lambda x: gram(lambda Y, X: function(X, Y).T, x, POINTS, points_first=True), ROWS)
    assert turned.tolist() == found.tolist()


@pytest.mark.parametrize("name", ["product", "broadcast"])
def test_many_points_of_a_matrix_are_taken_in_blocks(name: str) -> None:
    """The numbers of three dimensions are too many for a batch at once."""
    points = RNG.normal(size=(2000, 11))
    found = answered(lambda x: gram(MATRICES[name], x, points), ROWS)
    np.testing.assert_allclose(found, MATRICES[name](ROWS, points), rtol=1e-13, atol=1e-13)


def _written(a: Any, b: Any) -> Any:
    a -= b
    return a.sum()


def _through_a_view(a: Any, b: Any) -> Any:
    off = a - b
    part = off[1:]
    part *= 2
    return off.sum()


def _behind_a_view(a: Any, b: Any) -> Any:
    off = a - b
    part = off[1:]
    off *= 2
    return part.sum()


def _set(a: Any, b: Any) -> Any:
    off = a - b
    off[off < 0] = 0
    return off.sum()


REFUSED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "branch": (lambda a, b: 0.0 if (a == b).all() else 1.0, "decides by the numbers' values"),
    "comparison": (lambda a, b: a[0] if (a > b)[0] else 0.0, "decides by the numbers' values"),
    "mask": (lambda a, b: (a - b)[a > b].sum(), "chooses by the numbers' values"),
    "writes": (_written, "writes into the array that it was given"),
    "writes through a view": (_through_a_view, "or into a view of one"),
    "writes behind a view": (_behind_a_view, "or into a view of one"),
    "sets": (_set, "writes into an array"),
    "list": (lambda a, b: np.array([a - b, a[0]]).sum(), "stacks arrays of unlike shapes"),
    "matrix": (lambda a, b: max(np.abs(a[:, None] - b)), "compares arrays as a whole"),
    "int": (lambda a, b: int(a[0]), "takes single numbers"),
    "vector": (lambda a, b: a - b, "an array of one dimension where a number was due"),
    "plain": (lambda a, b: 1.0, "float where a number was due"),
    "nothing": (lambda a, b: None, "NoneType"),
    "unknown": (lambda a, b: np.spacing(a).sum(), "numpy.spacing is not known"),
    "unknown function": (lambda a, b: np.median(a - b), "numpy.median is not known"),
    "method": (lambda a, b: (a - b).argsort()[0], "it uses .argsort"),
    "lists": (lambda a, b: sum(a.tolist()), "it uses .tolist"),
    "raises": (lambda a, b: a[20], "IndexError"),
    "arguments": (lambda a, b: np.sum(a, 0, None, b), "TypeError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_pairs_that_cannot_be_traced(name: str) -> None:
    """With the reason, and with how to register a lowering."""
    function, words = REFUSED[name]
    with pytest.raises(UnsupportedError, match=words) as caught:
        answered(lambda x: of_pairs(function, x, POINTS, {}, "metric", blocks=False), ROWS)
    assert "expected a function as metric that can be traced" in str(caught.value)
    assert "from convert.extension import lowering" in str(caught.value)


def _points_written(X: Any, Y: Any) -> Any:
    Y -= Y.mean(axis=0)
    return X @ Y.T


REFUSED_MATRICES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "rows together": (lambda X, Y: (X - X.mean(axis=0)) @ Y.T, "reduces over rows"),
    "all": (lambda X, Y: X @ Y.T / np.max(X), "reduces over rows"),
    "each other": (lambda X, Y: X @ X.T @ X @ Y.T, "compares the request's rows with each other"),
    "each other by axis": (lambda X, Y: np.abs(X[:, None] - X[None]).sum(axis=2), "compares the request's rows"),
    "added up": (lambda X, Y: X.T @ X, "it adds up the request's rows"),
    "number of rows": (lambda X, Y: X @ Y.T / len(X), "asks for the number of rows"),
    "shape": (lambda X, Y: X @ Y.T / X.shape[0], "computes with the number of rows"),
    "same shape": (lambda X, Y: X @ Y.T if X.shape == Y.shape else Y @ Y.T, "decides by the number of rows"),
    "one row": (lambda X, Y: X @ Y.T if X.shape[0] == 1 else 2 * X @ Y.T, "decides by the number of rows"),
    "loop by places": (lambda X, Y: np.array([X[i] @ Y.T for i in range(X.shape[0])]), "asks for the number of rows"),
    "filled": (lambda X, Y: np.zeros((X.shape[0], Y.shape[0])) + X @ Y.T, "asks for the number of rows"),
    "einsum": (lambda X, Y: np.einsum("ij,ik->jk", X, X), "adds up the request's rows"),
    "loop": (lambda X, Y: np.array([[x @ y for y in Y] for x in X]), "goes through rows one by one"),
    "row": (lambda X, Y: X[0] @ Y.T + X @ Y.T, "chooses rows"),
    "turned": (lambda X, Y: Y @ X.T, "a number of each pair of rows was due"),
    "width": (lambda X, Y: X[:, :4], "a number of each pair of rows was due"),
    "as many": (lambda X, Y: X[:, :5] - Y[:, :5], "as many numbers of its own"),
    "reshaped": (lambda X, Y: X.reshape(11, -1).T @ Y.T, "makes other rows"),
    "points": (_points_written, "read-only"),
    "plain": (lambda X, Y: Y @ Y.T, "ndarray"),
}


@pytest.mark.parametrize("name", REFUSED_MATRICES)
def test_matrices_that_cannot_be_traced(name: str) -> None:
    function, words = REFUSED_MATRICES[name]
    with pytest.raises(UnsupportedError, match=words):
        answered(lambda x: gram(function, x, POINTS), ROWS)


def test_the_points_can_still_be_written_to() -> None:
    points = POINTS.copy()
    answered(lambda x: gram(MATRICES["product"], x, points), ROWS)
    points += 1
