"""Triangular systems by blocks, beside the exact solution and beside LAPACK's."""

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import onnxruntime
import pytest
import spox
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from sklearn.gaussian_process.kernels import RBF

from convert.lower.triangular import BLOCK, forward_substitution

RNG = np.random.default_rng(3)


def solved(lower: NDArray[np.float64], right: NDArray[np.float64]) -> Any:
    """By onnxruntime, [N, n]."""
    argument = spox.argument(spox.Tensor(np.float64, ("N", right.shape[1])))
    graph = spox.build({"k": argument}, {"v": forward_substitution(lower, argument)})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, {"k": right})[0]


def exactly(lower: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[Any]:
    """Substitution with forty digits and more, as Decimals, [n]."""
    with localcontext(prec=60):
        rows = [[Decimal(value) for value in row] for row in lower.tolist()]
        found: list[Decimal] = []
        for index, value in enumerate(right.tolist()):
            known = sum((a * b for a, b in zip(rows[index], found, strict=False)), Decimal(0))
            found.append((Decimal(value) - known) / rows[index][index])
    return np.array(found)


def ill_conditioned(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A kernel's factor with a condition of nearly 1e6, and kernels of rows near its points."""
    points = RNG.normal(size=(n, 2))
    kernel = RBF(0.8)
    matrix = kernel(points)
    matrix[np.diag_indices(n)] += 1e-10
    return cholesky(matrix, lower=True), kernel(points[:5] + 0.01 * RNG.normal(size=(5, 2)), points)


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_every_number_of_blocks(n: int) -> None:
    lower = np.tril(RNG.normal(size=(n, n))) + 2 * n * np.eye(n)
    right = RNG.normal(size=(4, n))
    np.testing.assert_allclose(solved(lower, right) @ lower.T, right, rtol=1e-13, atol=1e-13)


def test_as_near_to_the_exact_variance_as_lapack() -> None:
    """What a Gaussian process takes from its prior, v^T v: the blocks lose no more than LAPACK does, and a product with
    the whole inverse loses more."""
    lower, right = ill_conditioned(150)
    exact = [float(sum(v * v for v in exactly(lower, row))) for row in right]
    blocks = np.square(solved(lower, right)).sum(axis=1)
    lapack = np.square(solve_triangular(lower, right.T, lower=True)).sum(axis=0)
    inverse = np.square(right @ solve_triangular(lower, np.eye(150), lower=True).T).sum(axis=1)
    off = {
        name: float(np.abs(found - exact).max())
        for name, found in {"blocks": blocks, "lapack": lapack, "inverse": inverse}.items()
    }
    assert off["blocks"] <= 4 * max(off["lapack"], np.finfo(float).eps)
    assert off["inverse"] > 4 * off["blocks"]
