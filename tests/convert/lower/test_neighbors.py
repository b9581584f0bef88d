"""Neighbours: every metric, weight and way of searching, and ties."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.neighbors._base as neighbors
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NeighborhoodComponentsAnalysis,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from convert import ParityError, settled
from convert.lower import nearest

from .test_knn_imputer import LastOfEquals
from .twins import levels, model_of, twin_of

RNG = np.random.default_rng(10)
X = RNG.normal(size=(110, 4)) @ RNG.normal(size=(4, 4))
Y = X @ np.array([1.0, -2.0, 0.5, 3.0]) + RNG.normal(scale=0.1, size=110)
THREE = np.array(["low", "middle", "high"])[np.digitize(Y, [-1.0, 1.0])]
WHOLE = RNG.integers(0, 4, size=(60, 4)).astype(float)
EXACT = ("bit", "ulp")


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 9])
def test_classifier(algorithm: Any, weights: Any, k: int) -> None:
    model = KNeighborsClassifier(k, weights=weights, algorithm=algorithm, leaf_size=10).fit(X[:80], THREE[:80])
    assert set(levels(twin_of(model, X[80:]))) == {"predict", "predict_proba"}


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize("k", [1, 3, 4, 9])
def test_ties_are_resolved_as_the_search_does(algorithm: Any, k: int) -> None:
    """Whole numbers: nearly every row has several training rows at the border's distance."""
    model = KNeighborsRegressor(k, algorithm=algorithm, leaf_size=5).fit(WHOLE, Y[:60])
    assert levels(twin_of(model, WHOLE))["predict"] in EXACT


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "minkowski"])
@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_ties_in_other_metrics(metric: str, algorithm: Any) -> None:
    model = KNeighborsRegressor(4, algorithm=algorithm, metric=metric, p=3, leaf_size=7).fit(WHOLE, Y[:60])
    assert levels(twin_of(model, WHOLE))["predict"] in EXACT


@pytest.mark.parametrize("algorithm", ["ball_tree", "brute"])
def test_weighted_powers(algorithm: Any) -> None:
    model = KNeighborsRegressor(4, weights="distance", algorithm=algorithm, metric_params={"w": [1.0, 2.0, 0.5, 3.0]})
    assert levels(twin_of(model.fit(X[:80], Y[:80]), X[80:]))["predict"] in EXACT


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_great_circles(weights: Any) -> None:
    places = RNG.uniform([-1.5, -3.0], [1.5, 3.0], size=(110, 2))
    model = KNeighborsRegressor(3, weights=weights, algorithm="ball_tree", metric="haversine")
    pipeline = model.fit(places[:80], Y[:80])
    assert levels(twin_of(pipeline, places[80:]))["predict"] in EXACT


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_several_outputs(weights: Any) -> None:
    labels = np.column_stack([THREE, np.where(X[:, 1] > 0, "yes", "no")])
    model = KNeighborsClassifier(4, weights=weights).fit(X[:80], labels[:80])
    assert set(levels(twin_of(model, X[80:]))) == {"predict", "predict_proba"}
    regressor = KNeighborsRegressor(9, weights=weights).fit(X[:80], np.column_stack([Y, -Y])[:80])
    assert levels(twin_of(regressor, X[80:]))["predict"] in EXACT


def test_wide_rows_by_brute_force_and_one_class_pair() -> None:
    wide = RNG.normal(size=(60, 16))
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier())
    twin = twin_of(pipeline.fit(wide, wide[:, 0] > 0), wide)
    assert set(levels(twin)) == {"predict", "predict_proba"}


def test_precomputed_distances() -> None:
    model = KNeighborsRegressor(3, metric="precomputed", weights="distance")
    model.fit(np.abs(WHOLE[:12, np.newaxis] - WHOLE[np.newaxis, :12]).sum(axis=2), Y[:12])
    distances = np.abs(X[:40, np.newaxis] - X[np.newaxis, 40:52]).sum(axis=2)
    assert levels(twin_of(model, distances))["predict"] in EXACT


def test_every_training_row_is_a_neighbour() -> None:
    frame = pd.DataFrame({"größe": X[:, 0]})
    model = KNeighborsRegressor(20, weights="distance").fit(frame[:20], Y[:20])
    assert levels(twin_of(model, frame))["predict"] in EXACT


def test_many_training_rows_are_compared_in_blocks() -> None:
    many = RNG.normal(size=(9000, 6))
    model = KNeighborsClassifier(3, algorithm="kd_tree").fit(many, many[:, 0] > 0)
    assert levels(twin_of(model, many[:40]))["predict"] == "bit"


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
@pytest.mark.parametrize("make", [KNeighborsTransformer, RadiusNeighborsTransformer])
def test_graphs(mode: str, make: Any) -> None:
    options = {"radius": 2.0} if make is RadiusNeighborsTransformer else {"n_neighbors": 3}
    model = make(mode=mode, algorithm="kd_tree", **options).fit(X[:60])
    assert levels(twin_of(model, X[60:]))["transform"] == "bit"


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_radius_classifier(algorithm: Any, weights: Any) -> None:
    outlier = "low" if weights == "uniform" else "most_frequent"
    model = RadiusNeighborsClassifier(1.5, weights=weights, algorithm=algorithm, outlier_label=outlier)
    twin = twin_of(model.fit(X[:80], THREE[:80]), X[80:])
    assert set(levels(twin)) == {"predict", "predict_proba"}


def test_numbers_with_nobody_within_the_radius_are_numbers() -> None:
    """Without an outlier label the model refuses most rows; what it refuses is no category that it has not seen."""
    twin = twin_of(RadiusNeighborsClassifier().fit(X, THREE[:110]), X)
    assert {feature.kind for feature in twin.manifest.inputs} == {"number"}
    assert set(levels(twin)) == {"predict", "predict_proba"}


@pytest.mark.filterwarnings("ignore:Outlier label")
@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
@pytest.mark.parametrize(
    ("target", "outlier"),
    [
        (THREE, "far"),
        (np.digitize(Y, [0.0]), -1),
        (np.column_stack([np.digitize(Y, [0.0]), np.ones(len(Y), int)]), [-1, 1]),
    ],
    ids=["words", "numbers", "several"],
)
def test_an_outlier_label_that_is_no_class_has_no_probability(algorithm: Any, target: Any, outlier: Any) -> None:
    model = RadiusNeighborsClassifier(1.5, algorithm=algorithm, outlier_label=outlier).fit(X[:80], target[:80])
    twin = twin_of(model, X[80:])
    assert set(levels(twin)) == {"predict"}
    assert "outlier_label among the classes" in twin.proof.left_out["predict_proba"]
    rows = np.vstack([X[80:], np.full((1, X.shape[1]), 99.0)])
    found, wanted = model_of(twin).predict(rows), model.predict(rows)
    assert found.tolist() == wanted.tolist()
    assert np.all(found[-1] == outlier)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_radius_regressor(weights: Any) -> None:
    model = RadiusNeighborsRegressor(1.5, weights=weights).fit(X[:80], Y[:80])
    assert levels(twin_of(model, X[80:]))["predict"] in EXACT
    several = RadiusNeighborsRegressor(1.5, weights=weights, metric="manhattan").fit(
        X[:80], np.column_stack([Y, -Y])[:80]
    )
    assert levels(twin_of(several, X[80:]))["predict"] in EXACT


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
def test_local_outlier_factor(algorithm: Any) -> None:
    model = LocalOutlierFactor(7, novelty=True, algorithm=algorithm, contamination=0.1).fit(X[:80])
    assert set(levels(twin_of(model, X[80:]))) == {"predict", "decision_function", "score_samples"}


def test_neighbourhood_components() -> None:
    model = NeighborhoodComponentsAnalysis(2, random_state=0, max_iter=10)
    assert levels(twin_of(model.fit(X, THREE), X))["transform"] in EXACT


def test_one_thread_is_asked() -> None:
    """With two, scikit-learn shares out the training rows, and takes others of equally near ones."""
    rows = np.random.default_rng(8).integers(0, 12, size=(1200, 4)).astype(float)
    model = KNeighborsTransformer(n_neighbors=5, algorithm="brute", metric="manhattan").fit(rows)

    def chosen(threads: int) -> Any:
        with threadpool_limits(threads, "openmp"):
            return np.sort(model.kneighbors(rows[:40], return_distance=False))

    assert (chosen(1) != chosen(2)).any()
    with threadpool_limits(2, "openmp"):
        regressor = KNeighborsRegressor(5, algorithm="brute", metric="manhattan").fit(rows, np.arange(1200.0))
        assert levels(twin_of(regressor, rows[:40]))["predict"] in EXACT


FLAGS = (RNG.random((60, 8)) < 0.5).astype(float)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_rows_that_this_processor_answers_otherwise_are_counted(monkeypatch: pytest.MonkeyPatch, weights: Any) -> None:
    """Brute force with such a metric partitions the distances, of which many are equal."""
    monkeypatch.setattr(neighbors, "np", LastOfEquals())
    proof = twin_of(
        KNeighborsClassifier(3, weights=weights, metric="jaccard", algorithm="brute").fit(FLAGS, THREE[:60]), FLAGS
    ).proof
    assert proof.level == "ulp"
    for output in proof.outputs.values():
        assert 0 < output.ties <= output.rows - output.identical
        assert output.label_mismatches == 0


def test_in_those_rows_too_the_twin_is_held_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "_Stable", LastOfEquals)
    with pytest.raises(ParityError):
        twin_of(KNeighborsRegressor(3, metric="jaccard", algorithm="brute").fit(FLAGS, Y[:60]), FLAGS)


def test_without_equal_distances_there_are_no_ties() -> None:
    model = KNeighborsClassifier(3, metric="correlation").fit(X[:80], THREE[:80])
    proof = twin_of(model, X[80:]).proof
    assert proof.level == "bit"


WIDE = np.random.default_rng(4).normal(size=(90, 20))
"""So many features that the norms are added in an order of BLAS's own."""


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "sqeuclidean"])
@pytest.mark.parametrize("make", [KNeighborsClassifier, KNeighborsRegressor])
def test_of_its_own_training_rows_a_rounding_is_all_that_is_weighed(make: Any, metric: str) -> None:
    model = make(5, weights="distance", metric=metric, algorithm="brute")
    proof = twin_of(model.fit(WIDE, THREE[:90] if make is KNeighborsClassifier else Y[:90]), WIDE).proof
    assert proof.level in ("bit", "ulp")
    assert all(output.ties == 0 for output in proof.outputs.values())


def test_between_equal_training_rows_with_other_targets_nothing_decides() -> None:
    twice = np.vstack([WIDE, WIDE[:30]])
    proof = twin_of(
        KNeighborsRegressor(2, weights="distance", algorithm="brute").fit(twice, np.r_[Y[:90], -Y[:30]]), twice
    ).proof
    assert proof.level == "ulp"
    assert proof.outputs["predict"].ties <= 5 * 30 * 2


def test_scikit_learn_itself_is_off_by_more_than_the_bound() -> None:
    """A training row is at no distance of itself; by brute force scikit-learn finds a rounding there."""
    model = KNeighborsTransformer(n_neighbors=1, algorithm="brute").fit(WIDE * 1000)
    theirs = model.kneighbors(WIDE * 1000)[0]
    assert 0 < theirs.max() < (1e-15 * 2 * (WIDE**2).sum(axis=1).max()) ** 0.5 * 1000
    proof = twin_of(model, WIDE * 1000).proof
    assert proof.outputs["transform"].terms > 1e6


@pytest.mark.parametrize("radius", [None, 5.5])
def test_a_wrong_neighbour_fails(monkeypatch: pytest.MonkeyPatch, radius: float | None) -> None:
    """Rounding excuses no fault: the twin of a model of other training rows."""
    if radius is None:
        model = KNeighborsRegressor(3, weights="distance", algorithm="brute").fit(WIDE, Y[:90])
    else:
        model = RadiusNeighborsRegressor(radius, weights="distance", algorithm="brute").fit(WIDE, Y[:90])
    right = nearest._points
    monkeypatch.setattr(nearest, "_points", lambda model: right(model) * (1 + 1e-7))
    with pytest.raises(ParityError):
        twin_of(model, WIDE)


def test_scaled_categories_by_brute_force() -> None:
    """Many distances are equal but for their rounding."""
    pipeline = make_pipeline(OneHotEncoder(sparse_output=False), StandardScaler(), KNeighborsClassifier())
    rows = np.random.default_rng(2).integers(0, 4, size=(120, 6)).astype(float)
    proof = twin_of(pipeline.fit(rows, THREE[:110].tolist() + THREE[:10].tolist()), rows).proof
    assert all(output.label_mismatches == 0 for output in proof.outputs.values())


def test_missing_values_have_no_distance() -> None:
    gaps = np.where(RNG.random((60, 4)) < 0.2, np.nan, X[:60])
    model = KNeighborsRegressor(3, metric="nan_euclidean").fit(gaps, Y[:60])
    twin = twin_of(model, gaps)
    answers = model_of(twin).predict(gaps)
    assert np.allclose(answers, model.predict(gaps))
    for graph in (
        KNeighborsTransformer(n_neighbors=3, metric="nan_euclidean"),
        KNeighborsTransformer(mode="connectivity", n_neighbors=3, metric="nan_euclidean"),
    ):
        first = gaps[np.isnan(gaps[:, 0])]  # of these the graph once had nothing but NaN
        answers = model_of(twin_of(graph.fit(gaps), gaps)).transform(first)
        np.testing.assert_allclose(answers, graph.transform(first).toarray(), atol=1e-12)
    marked = KNeighborsRegressor(3, metric="nan_euclidean", metric_params={"missing_values": -9.0})
    levels(twin_of(marked.fit(np.nan_to_num(gaps, nan=-9.0), Y[:60]), np.nan_to_num(gaps, nan=-9.0)))


def test_an_outlier_label_is_taken_for_a_place() -> None:
    """Where scikit-learn counts classes in its own loop, class 1 of 1, 2 and 3 gets no probability, but 2 does."""
    classes = np.digitize(Y, [-1.0, 1.0]) + 1
    for label in (1, 2):
        model = RadiusNeighborsClassifier(1.0, metric="manhattan", algorithm="brute", outlier_label=label)
        twin = twin_of(model.fit(X[:80], classes[:80]), X[80:])
        assert set(levels(twin)) == {"predict", "predict_proba"}


def test_roots_of_distances_have_bits_of_their_own() -> None:
    """NumPy's, though none are to be seen: a training row itself is at no distance, and far out all are alike."""
    rows, fresh = X[:, :1] * 1e30, X[::-1, 1:2] * 1e30
    model = KNeighborsRegressor(3, p=3, weights="distance").fit(rows, Y)
    twin = twin_of(model, rows)
    assert twin.proof.level == "ulp"
    np.testing.assert_allclose(model_of(twin).predict(fresh), model.predict(fresh), rtol=1e-12)
