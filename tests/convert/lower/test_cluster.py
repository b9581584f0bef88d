"""Clusterers that assign new rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import spox.opset.ai.onnx.v21 as op
from sklearn.base import clone
from sklearn.cluster import (
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert import ParityError, UnsupportedError
from convert.lower.distances import euclidean

from .twins import levels, twin_of

RNG = np.random.default_rng(8)
X = np.concatenate([RNG.normal(loc=centre, size=(50, 4)) for centre in (-3.0, 0.0, 4.0)])


@pytest.mark.parametrize(
    "model",
    [
        KMeans(4, n_init=1, random_state=0),
        KMeans(1, n_init=1, random_state=0),
        KMeans(9, n_init=1, algorithm="elkan", random_state=0),
        MiniBatchKMeans(3, n_init=1, random_state=0),
        BisectingKMeans(5, random_state=0),
        BisectingKMeans(1, random_state=0),
        Birch(n_clusters=None, threshold=1.0),
        Birch(n_clusters=3, threshold=0.8),
        AffinityPropagation(random_state=0, max_iter=500),
        MeanShift(bandwidth=3.0),
    ],
    ids=repr,
)
def test_clusters(model: Any) -> None:
    found = levels(twin_of(model.fit(X), X))
    assert found["predict"] == "bit"
    assert ("transform" in found) == hasattr(model, "transform")


@pytest.mark.parametrize(
    "model", [KMeans(3, n_init=1, random_state=0), BisectingKMeans(3, random_state=0), Birch(threshold=1.0)], ids=repr
)
def test_distances_are_held_to_their_squares(model: Any) -> None:
    """Years, say: of a row near a centre and far from the origin scikit-learn keeps few digits of a distance itself."""
    years = X + 2000
    proof = twin_of(model.fit(years), years).proof
    assert (proof.level, proof.outputs["transform"].terms > 0) == ("ulp", True)


def test_a_wrong_distance_far_from_the_origin_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is off by more than the squares are."""
    off = op.const(1 + 1e-7)
    monkeypatch.setattr("convert.lower.cluster.euclidean", lambda *given: op.mul(euclidean(*given), off))
    years = X + 2000
    with pytest.raises(ParityError, match="within 1e-12 of the pipeline's"):
        twin_of(KMeans(3, n_init=1, random_state=0).fit(years), years)


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("model", [Birch(threshold=0.3), KMeans(80, n_init=1, random_state=0)], ids=repr)
def test_distances_of_rows_that_are_centres(model: Any, framed: bool) -> None:
    """They are what a rounding leaves, which differs with the memory's order; so does what is made of them."""
    rows = pd.DataFrame(X, columns=list("abcd")) if framed else X
    for pipeline in (model, make_pipeline(StandardScaler(), model), make_pipeline(model, Ridge())):
        assert twin_of(clone(pipeline).fit(rows, X[:, 0]), rows).proof.level == "ulp"


@pytest.mark.parametrize("pool", [np.mean, np.max, np.min])
def test_agglomerated_features(pool: Any) -> None:
    wide = np.repeat(X, 3, axis=1) + RNG.normal(scale=0.1, size=(150, 12))
    model = FeatureAgglomeration(3, pooling_func=pool)
    assert levels(twin_of(model.fit(wide), wide)) == {"transform": "bit"}


def test_an_unknown_pool_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="choose one of them"):
        twin_of(FeatureAgglomeration(2, pooling_func=np.median).fit(X), X)


def test_exemplars_among_sparse_rows() -> None:
    rows = np.where(X < 0, 0.0, X)
    model = AffinityPropagation(damping=0.9, max_iter=1000, random_state=0).fit(scipy.sparse.csr_matrix(rows))
    assert levels(twin_of(model, rows))["predict"] == "bit"


def test_a_precomputed_affinity_is_refused() -> None:
    similarity = -((X[:20, np.newaxis] - X[np.newaxis, :20]) ** 2).sum(axis=2)
    model = AffinityPropagation(affinity="precomputed", random_state=0).fit(similarity)
    with pytest.raises(Exception, match="precomputed"):
        twin_of(model, similarity)


def test_one_column_of_a_frame() -> None:
    frame = pd.DataFrame({"a/b": X[:, 0]})
    assert levels(twin_of(KMeans(3, n_init=1, random_state=0).fit(frame), frame))["predict"] == "bit"


def test_as_a_step_behind_a_scaler() -> None:
    pipeline = make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=0), LogisticRegression())
    twin = twin_of(pipeline.fit(X, np.repeat(["a", "b", "c"], 50)), X)
    assert twin.proof.level == "ulp"
