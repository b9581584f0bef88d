"""Every metric that scikit-learn's neighbours know, by every algorithm that takes it: proven, or refused by name."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import distance_metrics
from sklearn.neighbors import (
    VALID_METRICS,
    BallTree,
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)

from convert import ParityError, UnsupportedError
from convert.lower import metrics
from convert.lower.visits import Tree

from .test_distances import run
from .twins import levels, model_of, twin_of

RNG = np.random.default_rng(23)
ROWS = 26
NUMBERS = RNG.normal(size=(ROWS, 3))
FLAGS = (RNG.random((ROWS, 9)) < 0.5).astype(float)
GAPS = np.where(RNG.random((ROWS, 3)) < 0.1, np.nan, NUMBERS)
PLACES = RNG.uniform([-1.5, -3.0], [1.5, 3.0], size=(ROWS, 2))
Y = RNG.normal(size=ROWS)
THREE = RNG.integers(0, 3, size=ROWS)
OF_FLAGS = ("jaccard", "dice", "rogerstanimoto", "russellrao", "sokalmichener", "sokalsneath", "yule")
PARAMETERS = {
    "seuclidean": {"V": np.array([1.0, 2.0, 0.5])},
    "mahalanobis": {"VI": np.linalg.inv(np.cov(NUMBERS.T))},
}
TABLE = [(algorithm, metric) for algorithm, known in sorted(VALID_METRICS.items()) for metric in sorted(known)]


def rows_of(metric: str) -> NDArray[np.float64]:
    if metric == "precomputed":
        return np.asarray(cdist(NUMBERS, NUMBERS, "cityblock"))
    if metric == "nan_euclidean":
        return GAPS
    return FLAGS if metric in OF_FLAGS else PLACES if metric == "haversine" else NUMBERS


def options(algorithm: str, metric: str) -> dict[str, Any]:
    return {"algorithm": algorithm, "metric": metric, "metric_params": PARAMETERS.get(metric), "leaf_size": 5}


def check(model: Any, metric: str, *target: Any) -> None:
    rows = rows_of(metric)
    proof = twin_of(model.fit(rows, *target), rows).proof
    assert proof.level in ("bit", "ulp")
    assert not any(output.label_mismatches for output in proof.outputs.values())
    # Where no two distances are equal nothing is left to the processor.
    if metric not in (*OF_FLAGS, "hamming", "nan_euclidean"):
        assert not any(output.ties for output in proof.outputs.values())


def test_the_table_has_every_metric_of_scikit_learn() -> None:
    assert set(distance_metrics()) <= {metric for _, metric in TABLE}
    assert len(TABLE) > 50


@pytest.mark.parametrize(("place", "algorithm", "metric"), [(place, *pair) for place, pair in enumerate(TABLE)])
def test_nearest(place: int, algorithm: str, metric: str) -> None:
    """One model of each; all of each are slow."""
    if metric == "pyfunc":
        model = KNeighborsRegressor(3, algorithm="ball_tree", metric=lambda a, b: float(np.abs(a - b).sum()))
        assert levels(twin_of(model.fit(NUMBERS, Y), NUMBERS)) == {"predict": "bit"}
    elif place % 2:
        check(KNeighborsClassifier(3, **options(algorithm, metric)), metric, THREE)
    else:
        check(KNeighborsRegressor(3, weights="distance", **options(algorithm, metric)), metric, Y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Data was converted to boolean")  # scikit-learn's, at each question
@pytest.mark.parametrize(("algorithm", "metric"), [pair for pair in TABLE if pair[1] != "pyfunc"])
def test_every_model(algorithm: str, metric: str) -> None:
    given = options(algorithm, metric)
    middle = float(np.median(BallTree(FLAGS, metric=metric).query(FLAGS, 8)[0])) if metric in OF_FLAGS[:-1] else 0.7
    if metric != "nan_euclidean":  # which that does not take
        check(LocalOutlierFactor(4, novelty=True, **given), metric)
    for weights in ("uniform", "distance"):
        check(KNeighborsClassifier(3, weights=weights, **given), metric, THREE)
        check(KNeighborsRegressor(4, weights=weights, **given), metric, Y)
        classifier = RadiusNeighborsClassifier(middle, weights=weights, outlier_label="most_frequent", **given)
        check(classifier, metric, THREE)
        check(RadiusNeighborsRegressor(middle, weights=weights, **given), metric, Y)


@pytest.mark.parametrize("metric", ["jaccard", "dice", "rogerstanimoto", "russellrao", "sokalsneath", "yule"])
def test_weighted_flags(metric: str) -> None:
    given = {"w": np.array([0.3, 1.0, 2.5, 0.7, 0.1, 3.0, 0.9, 1.1, 0.2])}
    expected = cdist(FLAGS[:13] != 0, FLAGS[13:] != 0, metric, **given)
    assert np.array_equal(run(lambda x: metrics.scipy_distances(x, FLAGS[13:], metric, given), FLAGS[:13]), expected)


@pytest.mark.parametrize("metric", ["correlation", "mahalanobis"])
@pytest.mark.parametrize("width", [1, 2, 3, 8, 13])
def test_metrics_of_scipy(metric: str, width: int) -> None:
    random = np.random.default_rng(width)
    rows, points = random.normal(size=(40, width)), random.normal(size=(30, width))
    given = {"VI": np.eye(width) + 0.1} if metric == "mahalanobis" else {}
    expected = cdist(rows, points, metric, **given)
    found = run(lambda x: metrics.scipy_distances(x, points, metric, given), rows)
    assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("metric", "given"),
    [("minkowski", {"p": 3.0, "w": np.arange(1.0, 10.0)}), ("chebyshev", {}), ("canberra", {})],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_many_features_are_added_one_by_one(metric: str, given: Any) -> None:
    random = np.random.default_rng(0)
    rows, points = random.normal(size=(3, 9)), random.normal(size=(6000, 9))
    few = run(lambda x: metrics.reduced_distances(x, points[:50], metric, given), rows)
    many = run(lambda x: metrics.reduced_distances(x, points, metric, given), rows)
    assert np.array_equal(few, many[:, :50])


def test_unknown_parameters_are_refused() -> None:
    model = KNeighborsRegressor(3, algorithm="brute", metric="jaccard", metric_params={"w": np.ones(9)})
    twin_of(model.fit(FLAGS, Y), FLAGS)
    with pytest.raises(UnsupportedError, match=r"no other parameters than \['w'\], found \['q'\]"):
        run(lambda x: metrics.scipy_distances(x, FLAGS, "jaccard", {"q": 1}), FLAGS)


POSITIVE = np.abs(np.random.default_rng(3).normal(size=(300, 4)))
SOME = (POSITIVE > 0.9).astype(float)


@pytest.mark.parametrize("metric", ["dice", "sokalsneath", "braycurtis"])
def test_what_a_ball_tree_overlooks_the_twin_overlooks(metric: str) -> None:
    """Over a third row the way may be shorter; and of two rows of zeros there is no distance."""
    rows = POSITIVE if metric == "braycurtis" else SOME
    tree = KNeighborsTransformer(n_neighbors=3, metric=metric, algorithm="ball_tree", leaf_size=4, mode="connectivity")
    assert levels(twin_of(tree.fit(rows), rows[:60]))["transform"] == "bit"
    within = RadiusNeighborsTransformer(radius=0.3, metric=metric, algorithm="ball_tree", leaf_size=4)
    assert levels(twin_of(within.fit(rows), rows[:60]))["transform"] == "bit"


def test_a_search_that_overlooks_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).integers(0, 4, size=(300, 4)).astype(float)
    tree = KNeighborsTransformer(
        n_neighbors=3, metric="braycurtis", algorithm="ball_tree", leaf_size=4, mode="connectivity"
    ).fit(rows)
    twin_of(tree, rows[:100])
    monkeypatch.setattr(Tree, "overlooks", False)
    with pytest.raises(ParityError):
        twin_of(tree, rows[:100])


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize(("metric", "radius"), [("manhattan", 2.0), ("euclidean", 2**0.5), ("chebyshev", 1.0)])
def test_rows_on_the_radius(algorithm: Any, metric: str, radius: float) -> None:
    """Of a ball's bounds a rounding may leave out what lies on the radius."""
    whole = np.random.default_rng(5).integers(0, 4, size=(120, 4)).astype(float)
    model = RadiusNeighborsTransformer(
        radius=radius, metric=metric, algorithm=algorithm, leaf_size=5, mode="connectivity"
    )
    assert levels(twin_of(model.fit(whole), whole[:50])) == {"transform": "bit"}


@pytest.mark.parametrize("metric", ["minkowski", "chebyshev", "canberra", "hamming", "haversine", "jaccard"])
@pytest.mark.parametrize("kernel", ["gaussian", "tophat", "epanechnikov"])
def test_densities(metric: str, kernel: Any) -> None:
    given = {"p": 3} if metric == "minkowski" else None
    rows = rows_of(metric)
    model = KernelDensity(bandwidth=0.9, metric=metric, kernel=kernel, metric_params=given, algorithm="ball_tree")
    assert levels(twin_of(model.fit(rows), rows))["score_samples"] in ("bit", "ulp")


def test_the_power_of_a_tree_is_its_own() -> None:
    """With metric='p' scikit-learn does not pass p on."""
    model = KNeighborsRegressor(3, metric="p", p=3, algorithm="ball_tree").fit(NUMBERS, Y)
    twin = twin_of(model, NUMBERS)
    assert np.array_equal(model_of(twin).predict(NUMBERS), model.predict(NUMBERS))
