"""Isomap and locally linear embedding of new rows."""

import numpy as np
import pytest
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from convert import UnsupportedError

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


def test_a_radius_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="fit it with n_neighbors"):
        twin_of(Isomap(n_neighbors=None, radius=5.0).fit(X), X)
