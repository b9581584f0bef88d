"""Metrics and weights that are Python functions, and precomputed distances, beside their twins."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.spatial.distance import euclidean
from sklearn.impute import KNNImputer
from sklearn.manifold import Isomap
from sklearn.metrics.pairwise import pairwise_distances
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)

from convert import ParityError, UnsupportedError
from convert.lower import visits
from convert.lower.rebound import traced

from .samples import GAPS, NUMBER, THREE, X
from .twins import levels, twin_of

WHOLE = np.random.default_rng(10).integers(0, 4, size=(60, 4)).astype(float)
EXACT = ("bit", "ulp")
WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "inverse": lambda d: 1 / (d + 1),
    "sharp": lambda d: 1 / (d + 1e-6),
    "gauss": lambda d: np.exp(-(d**2)),
    "scaled": lambda d: 1 - d / (d.max(axis=1, keepdims=True) + 1),
    "cut": lambda d: np.where(d < 2, 1.0, 0.1),
    "by place": lambda d: np.ones_like(d) / np.arange(1, 6),
    "masked": lambda d: _masked(d),
    "array": lambda d: math.pi * np.asarray(d, dtype=float).clip(0.5),
}
METRICS: dict[str, Callable[..., Any]] = {
    "manhattan": lambda a, b: np.abs(a - b).sum(),
    "euclidean": lambda a, b: float(np.sqrt(np.sum((a - b) ** 2))),
    "largest": lambda a, b: max(abs(a - b)),
    "math": lambda a, b: math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True))),
    "cosine": lambda a, b: 1 - np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)),
    "wrapped": lambda a, b: 2 * distance.minkowski(a, b, p=3) + euclidean(a, b),
}
SCIPY = [
    distance.euclidean, distance.sqeuclidean, distance.cityblock, distance.chebyshev, distance.canberra,
    distance.braycurtis, distance.cosine, distance.correlation,
]  # fmt: skip


def _masked(d: Any) -> Any:
    d = d.copy()
    d[d < 1] = 1
    return 1 / d


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name: str) -> None:
    """By brute force a training row's distance to itself is what rounding leaves of it."""
    regressor = KNeighborsRegressor(weights=WEIGHTS[name], algorithm="brute").fit(X[:60], NUMBER[:60])
    classifier = KNeighborsClassifier(weights=WEIGHTS[name]).fit(X[:60], THREE[:60])
    for model in (regressor, classifier):
        assert set(levels(twin_of(model, X[:80])).values()) <= set(EXACT)


@pytest.mark.parametrize("algorithm", ["auto", "brute"])
def test_weights_within_a_radius(algorithm: Any) -> None:
    """scikit-learn gives all rows' distances as objects, which can be computed with but not handed to NumPy."""
    for kind, target in ((RadiusNeighborsClassifier, THREE), (RadiusNeighborsRegressor, NUMBER)):
        for weights in (lambda d: 1 / (d + 1), lambda d: abs(d - 3.5) ** 2 + 0.1):
            model = kind(3.0, weights=weights, algorithm=algorithm).fit(X[:60], target[:60])
            assert set(levels(twin_of(model, X[:80])).values()) <= set(EXACT)


@pytest.mark.parametrize("name", ["sharp", "gauss"])
def test_weights_of_an_imputer(name: str) -> None:
    assert twin_of(KNNImputer(weights=WEIGHTS[name]).fit(GAPS[:40]), GAPS[:60]).proof.level in EXACT


def test_a_weight_that_is_off_by_a_billionth_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rounding is allowed to make of weights by brute force excuses no fault."""

    def wrong(function: Any, d: Any) -> Any:
        return traced(function, d) * np.array([1, 1, 1, 1, 1 + 1e-9])

    monkeypatch.setattr("convert.lower.callables.traced", wrong)
    model = KNeighborsRegressor(weights=WEIGHTS["inverse"], algorithm="brute").fit(X[:80], NUMBER[:80])
    with pytest.raises(ParityError):
        twin_of(model, X)


@pytest.mark.parametrize("algorithm", ["auto", "brute"])
@pytest.mark.parametrize("name", METRICS)
def test_metrics(name: str, algorithm: Any) -> None:
    model = KNeighborsRegressor(metric=METRICS[name], algorithm=algorithm, leaf_size=5).fit(X[:40], NUMBER[:40])
    assert levels(twin_of(model, X[:60])) == {"predict": "bit"}


@pytest.mark.parametrize("function", SCIPY, ids=lambda function: function.__name__)
def test_metrics_of_scipy(function: Any) -> None:
    """Their own lines are traced, not what cdist has in their place."""
    model = KNeighborsRegressor(metric=function, algorithm="brute").fit(X[:40], NUMBER[:40])
    assert levels(twin_of(model, X[:60])) == {"predict": "bit"}


@pytest.mark.parametrize("algorithm", ["ball_tree", "brute"])
@pytest.mark.parametrize("name", ["manhattan", "euclidean", "largest"])
def test_ties_are_resolved_as_the_search_does(name: str, algorithm: Any) -> None:
    """Whole numbers: nearly every row has several training rows at the border's distance."""
    model = KNeighborsRegressor(4, algorithm=algorithm, metric=METRICS[name], leaf_size=5).fit(WHOLE, NUMBER[:60])
    assert levels(twin_of(model, WHOLE))["predict"] in EXACT


def _squares(a: Any, b: Any, power: float = 2.0) -> Any:
    return (np.abs(a - b) ** power).sum()


def test_a_tree_overlooks_rows_where_the_function_is_no_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of squares the way over a third row may be shorter, and the search leaves out nodes that hold nearer rows."""
    model = KNeighborsRegressor(3, metric=_squares, metric_params={"power": 4.0}, leaf_size=2).fit(X[:80], NUMBER[:80])
    assert visits.Tree.of(model).overlooks
    assert levels(twin_of(model, X))["predict"] in EXACT
    monkeypatch.setattr(visits, "_detours", lambda *_: False)
    with pytest.raises(ParityError):
        twin_of(model, X)


def test_of_a_metric_the_search_overlooks_nothing() -> None:
    model = KNeighborsRegressor(metric=METRICS["euclidean"], leaf_size=2).fit(X[:80], NUMBER[:80])
    assert not visits.Tree.of(model).overlooks


@pytest.mark.parametrize(
    "model",
    [
        RadiusNeighborsRegressor(3.0, metric=METRICS["largest"]),
        RadiusNeighborsClassifier(3.0, metric=METRICS["largest"], weights=lambda d: 1 / (1 + d)),
        RadiusNeighborsTransformer(radius=2.0, metric=METRICS["manhattan"]),
        KNeighborsTransformer(metric=METRICS["manhattan"]),
        LocalOutlierFactor(metric=METRICS["manhattan"], novelty=True),
        Isomap(metric=METRICS["manhattan"]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_other_models_of_a_metric(model: Any) -> None:
    target = THREE if isinstance(model, RadiusNeighborsClassifier) else NUMBER
    assert set(levels(twin_of(model.fit(X[:60], target[:60]), X[:80])).values()) <= set(EXACT)


def test_a_metric_of_an_imputer() -> None:
    """It is told what stands for a missing number."""

    def metric(a: Any, b: Any, missing_values: float) -> Any:
        assert np.isnan(missing_values)
        return np.nansum(np.abs(a - b)) + np.isnan(a - b).sum()

    assert twin_of(KNNImputer(metric=metric).fit(GAPS[:40]), GAPS[:60]).proof.level in EXACT


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(metric="precomputed", weights="distance"),
        KNeighborsClassifier(metric="precomputed", weights=lambda d: 1 / (1 + d)),
        KNeighborsRegressor(metric="precomputed"),
        RadiusNeighborsClassifier(3.0, metric="precomputed", outlier_label="most_frequent"),
        RadiusNeighborsRegressor(3.0, metric="precomputed", weights="distance"),
        KNeighborsTransformer(metric="precomputed"),
        RadiusNeighborsTransformer(radius=2.0, metric="precomputed"),
        LocalOutlierFactor(metric="precomputed", novelty=True),
        Isomap(metric="precomputed"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_precomputed_distances(model: Any) -> None:
    """A row holds its distances to all training rows."""
    distances = pairwise_distances(X, X[:60])
    target = NUMBER if isinstance(model, KNeighborsRegressor | RadiusNeighborsRegressor) else THREE
    twin = twin_of(model.fit(distances[:60], target[:60]), distances)
    assert set(levels(twin).values()) <= set(EXACT)
    assert len(twin.manifest.inputs) == 60


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "branch": (
        {"metric": lambda a, b: 0.0 if (a == b).all() else 1.0},
        "function as metric .* decides by the numbers'",
    ),
    "matrices": (
        {"metric": lambda a, b: pairwise_distances(a[None], b[None])[0, 0]},
        "function of matrices with one row each",
    ),
    "rows together": ({"weights": lambda d: d / d.max()}, "function as weights .* reduces over rows"),
    "one weight": (
        {"weights": lambda d: 1 / d.sum(axis=1, keepdims=True)},
        "other shape than that of the distances",
    ),
    "rows": ({"weights": lambda d: np.array([1 / (1 + row) for row in d])}, "goes through rows one by one"),
    "number of rows": ({"weights": lambda d: d * 0 + (1 if d.shape[0] == 1 else 2)}, "decides by the number of rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_traced_is_told(name: str) -> None:
    """With the reason, and with how to register a lowering."""
    options, words = REFUSED[name]
    model = KNeighborsRegressor(**options, algorithm="brute")
    model.fit(X[:30], NUMBER[:30])
    with pytest.raises(UnsupportedError, match=words) as caught:
        twin_of(model, X)
    assert "from convert.extension import lowering" in str(caught.value)
