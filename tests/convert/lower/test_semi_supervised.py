"""Label propagation and spreading."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances, rbf_kernel
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from convert import UnsupportedError

from .twins import levels, twin_of

RNG = np.random.default_rng(14)
X = RNG.normal(size=(120, 4))
Y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])
PARTLY = np.where(RNG.random(120) < 0.4, -1, Y)


@pytest.mark.parametrize("make", [LabelPropagation, LabelSpreading])
@pytest.mark.parametrize("options", [{"kernel": "rbf", "gamma": 0.5}, {"kernel": "knn", "n_neighbors": 4}], ids=str)
def test_propagation(make: Any, options: Any) -> None:
    model = make(**options, max_iter=5000).fit(X, PARTLY)
    assert set(levels(twin_of(model, X))) == {"predict", "predict_proba"}


def test_a_pair_of_classes() -> None:
    model = LabelSpreading(gamma=2.0).fit(X, np.where(PARTLY < 0, -1, PARTLY > 1))
    assert set(levels(twin_of(model, X))) == {"predict", "predict_proba"}


@pytest.mark.parametrize(
    "kernel",
    [rbf_kernel, lambda a, b: np.exp(-np.abs(a[:, None] - b[None]).sum(axis=2)), lambda a, b: (1 + 0.1 * a @ b.T) ** 2],
    ids=["named", "broadcast", "product"],
)
def test_a_function_as_kernel(kernel: Any) -> None:
    """It is given the training rows first."""
    model = LabelSpreading(kernel=kernel).fit(X, PARTLY)
    assert set(levels(twin_of(model, X))) == {"predict", "predict_proba"}


def test_a_function_that_cannot_be_traced_is_refused() -> None:
    model = LabelSpreading(kernel=lambda a, b: np.exp(-cosine_distances(a, b) / len(b))).fit(X, PARTLY)
    with pytest.raises(UnsupportedError, match="it asks for the number of rows"):
        twin_of(model, X)
