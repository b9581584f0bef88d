"""Isomap and locally linear embedding of new rows."""

import numpy as np
import pytest
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from .twins import levels, twin_of

RNG = np.random.default_rng(18)
X = RNG.normal(size=(100, 3))


@pytest.mark.parametrize("k", [4, 7])
def test_isomap(k: int) -> None:
    """Of rows far out, too: all their ways are long, and what they have in common is taken off."""
    twin = twin_of(Isomap(n_neighbors=k, n_components=2).fit(X[:50]), X[50:])
    assert twin.proof.outputs["transform"].terms > 1


@pytest.mark.parametrize("k", [3, 5])
def test_locally_linear_embedding(k: int) -> None:
    pipeline = make_pipeline(MinMaxScaler(clip=True), LocallyLinearEmbedding(n_neighbors=k, random_state=0))
    assert levels(twin_of(pipeline.fit(X[:50]), X[50:]))["transform"] in ("bit", "ulp")


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_isomap_of_a_radius(algorithm: str) -> None:
    model = Isomap(n_neighbors=None, radius=2.0, neighbors_algorithm=algorithm).fit(X[:50])
    twin = twin_of(model, X[50:])
    assert levels(twin)["transform"] == "ulp"
    # Of rows with nobody within the radius scikit-learn raises, and they are no probes.
    assert twin.proof.probes["sample"] == 50
