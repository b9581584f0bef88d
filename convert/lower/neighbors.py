"""Estimators that ask training rows: k nearest neighbours, neighbours within a radius, centroids."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
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
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .distances import constant, ordered_sum, row_sum
from .labels import Labels, argmax, scalar
from .matrix import Matrix
from .nearest import all_distances, nearest
from .outliers import inliers


def _axis(index: int) -> Var:
    return op.const(np.array([index]))


def _column(vector: Var) -> Var:
    """[N] as [N, 1]."""
    return op.reshape(vector, op.const(np.array([-1, 1])))


def _weights(model: Any, distances: Var) -> Var | None:
    """1 / distance, or where a distance is zero one for those and none for the others; None for all alike."""
    if model.weights in (None, "uniform"):
        return None
    if model.weights != "distance":
        raise UnsupportedError(
            f"expected weights 'uniform' or 'distance', found {model.weights!r}: "
            "a Python function cannot become a graph"
        )
    inverse = op.div(constant(1), distances)
    infinite = op.cast(op.isinf(inverse), to=np.float64)
    some = op.greater(op.reduce_max(infinite, _axis(1), keepdims=1), constant(0))
    return op.where(some, infinite, inverse)


def _classes(model: Any) -> tuple[list[Any], Any]:
    """A table of classes an output, and the training rows' places in them, [n, outputs]."""
    if model.outputs_2d_:
        return list(model.classes_), np.asarray(model._y)
    return [model.classes_], np.reshape(model._y, (-1, 1))


def _votes(model: Any, x: Matrix) -> list[Var]:
    """What each neighbour gives to each class, of each output: [N, k, classes]."""

    def make() -> list[Var]:
        distances, places = nearest(model, x, model.n_neighbors)
        weights = _weights(model, distances)
        votes = []
        for classes, targets in zip(*_classes(model)[:1], _classes(model)[1].T, strict=True):
            chosen = op.gather(op.const(np.asarray(targets, np.int64)), places, axis=0)
            own = op.equal(op.unsqueeze(chosen, _axis(2)), op.const(np.arange(len(classes))))
            vote = op.cast(own, to=np.float64)
            votes.append(vote if weights is None else op.mul(vote, op.unsqueeze(weights, _axis(2))))
        return votes

    votes: list[Var] = x.once(model, "votes", make)
    return votes


@lowers(KNeighborsClassifier, method="predict_proba")
def neighbour_probabilities(model: KNeighborsClassifier, x: Matrix) -> Var | list[Var]:
    probabilities = []
    for votes, classes in zip(_votes(model, x), _classes(model)[0], strict=True):
        counts = ordered_sum(votes)
        probabilities.append(op.div(counts, _column(row_sum(counts, len(classes)))))
    return probabilities if model.outputs_2d_ else probabilities[0]


@lowers(KNeighborsClassifier, method="predict")
def neighbour_labels(model: KNeighborsClassifier, x: Matrix) -> Labels:
    """The class of most votes, added as weighted_mode adds them; the first of equals."""
    counts = []
    for votes, classes in zip(_votes(model, x), _classes(model)[0], strict=True):
        by_class = op.reshape(op.transpose(votes, perm=[0, 2, 1]), op.const(np.array([-1, model.n_neighbors])))
        total = row_sum(by_class, model.n_neighbors)
        counts.append(op.reshape(total, op.const(np.array([-1, len(classes)]))))
    return argmax(counts, model.classes_) if model.outputs_2d_ else argmax(counts[0], model.classes_)


def _targets(model: Any) -> Any:
    """[n, outputs] of float64."""
    if np.asarray(model._y).dtype == np.float32:
        raise UnsupportedError("expected float64 targets, found float32, whose mean has their rounding: fit on float64")
    return np.asarray(model._y, np.float64).reshape(len(model._y), -1)


@lowers(KNeighborsRegressor, method="predict")
def neighbour_mean(model: KNeighborsRegressor, x: Matrix) -> Var:
    targets, k = _targets(model), int(model.n_neighbors)
    distances, places = nearest(model, x, k)
    weights = _weights(model, distances)
    if weights is None and targets.shape[1] > 1:
        # Several targets are added side by side, one neighbour after the other; a single one pairwise.
        return op.div(ordered_sum(op.gather(constant(targets), places, axis=0)), constant(k))
    means = []
    for target in targets.T:
        chosen = op.gather(constant(target), places, axis=0)
        if weights is None:
            means.append(op.div(row_sum(chosen, k), constant(k)))
        else:
            means.append(op.div(row_sum(op.mul(chosen, weights), k), row_sum(weights, k)))
    return means[0] if np.ndim(model._y) == 1 else op.concat([_column(mean) for mean in means], axis=1)


@lowers(KNeighborsTransformer, method="transform")
def neighbour_graph(model: KNeighborsTransformer, x: Matrix) -> Matrix:
    k = model.n_neighbors + (model.mode == "distance")
    distances, places = nearest(model, x, k)
    if model.mode == "connectivity":
        distances = op.add(op.mul(op.cast(places, to=np.float64), constant(0)), constant(1))
    empty = op.mul(op.slice(x.tensor, _axis(0), _axis(1), _axis(1)), constant(0))
    empty = op.add(empty, constant(np.zeros((1, model.n_samples_fit_))))
    return x.new(op.scatter_elements(empty, places, distances, axis=1))


def _within(model: Any, x: Matrix) -> tuple[Var, Var]:
    """The distances to all training rows and which of them are within the radius: [N, n] each."""

    def make() -> tuple[Var, Var]:
        reduced, real = all_distances(model, x)
        limit = _reduced_radius(model)
        return real(reduced), op.less_or_equal(reduced, constant(limit))

    found: tuple[Var, Var] = x.once(model, "within", make)
    return found


def _reduced_radius(model: Any) -> float:
    metric, radius = model.effective_metric_, float(model.radius)
    if metric in ("euclidean", "l2", "seuclidean", "mahalanobis"):
        return radius * radius
    if metric in ("minkowski", "p"):
        return float(np.power(radius, model.effective_metric_params_.get("p", model.p)))
    if metric == "haversine":
        return float(np.sin(0.5 * radius) ** 2)
    return radius


def _shares(model: Any, x: Matrix) -> tuple[Var, Var]:
    """What each training row gives, [N, n], and whether a row has none within the radius, [N, 1]."""
    distances, within = _within(model, x)
    mask = op.cast(within, to=np.float64)
    alone = op.equal(op.reduce_max(mask, _axis(1), keepdims=1), constant(0))
    if model.weights in (None, "uniform"):
        return mask, alone
    masked = op.where(within, distances, constant(np.inf))
    weights = _weights(model, masked)
    return (mask if weights is None else weights), alone


@lowers(RadiusNeighborsClassifier, method="predict_proba")
def radius_probabilities(model: RadiusNeighborsClassifier, x: Matrix) -> Var | list[Var]:
    shares, alone = _shares(model, x)
    probabilities = []
    for output, (classes, targets) in enumerate(zip(*_classes(model)[:1], _classes(model)[1].T, strict=True)):
        votes = op.matmul(shares, constant(targets[:, np.newaxis] == np.arange(len(classes))))
        if model.outlier_label_ is not None:
            own = np.asarray(classes) == model.outlier_label_[output]
            if not own.any():
                raise UnsupportedError(
                    f"expected an outlier_label among the classes, found {model.outlier_label_[output]!r}, "
                    "which has no probability: use one of them or 'most_frequent'"
                )
            votes = op.where(alone, constant(own.astype(np.float64)[np.newaxis]), votes)
        total = _column(row_sum(votes, len(classes)))
        probabilities.append(op.div(votes, op.where(op.equal(total, constant(0)), constant(1), total)))
    return probabilities if model.outputs_2d_ else probabilities[0]


@lowers(RadiusNeighborsClassifier, method="predict")
def radius_labels(model: RadiusNeighborsClassifier, x: Matrix) -> Labels:
    found = lower(model, "predict_proba", x)
    parts = found if isinstance(found, list) else [found]
    places = []
    for output, (part, classes) in enumerate(zip(parts, _classes(model)[0], strict=True)):
        place = op.arg_max(part, axis=1, keepdims=1)
        if model.outlier_label_ is not None:
            # Where all probabilities are zero the label is the outliers'.
            (own,) = np.flatnonzero(np.asarray(classes) == model.outlier_label_[output])
            nothing = op.equal(op.reduce_max(part, _axis(1), keepdims=1), constant(0))
            place = op.where(nothing, op.const(np.int64(own)), place)
        places.append(place)
    if model.outputs_2d_:
        return Labels(op.concat(places, axis=1), tuple(model.classes_))
    return Labels(op.reshape(places[0], _axis(-1)), (model.classes_,))


@lowers(RadiusNeighborsRegressor, method="predict")
def radius_mean(model: RadiusNeighborsRegressor, x: Matrix) -> Var:
    targets = _targets(model)
    shares, _ = _shares(model, x)
    # Nobody within the radius: zero by zero, the NaN that scikit-learn answers.
    total = op.reduce_sum(shares, _axis(1), keepdims=1)
    mean = op.div(op.matmul(shares, constant(targets)), total)
    return scalar(mean) if np.ndim(model._y) == 1 else mean


@lowers(RadiusNeighborsTransformer, method="transform")
def radius_graph(model: RadiusNeighborsTransformer, x: Matrix) -> Matrix:
    distances, within = _within(model, x)
    kept = distances if model.mode == "distance" else constant(1)
    return x.new(op.where(within, kept, constant(0)))


@lowers(LocalOutlierFactor, method="score_samples")
def outlier_factor(model: LocalOutlierFactor, x: Matrix) -> Var:
    k = model.n_neighbors_
    distances, places = nearest(model, x, k)
    reach = op.max([distances, op.gather(constant(model._distances_fit_X_[:, k - 1]), places, axis=0)])
    density = op.div(constant(1), op.add(op.div(row_sum(reach, k), constant(k)), constant(1e-10)))
    ratios = op.div(op.gather(constant(model._lrd), places, axis=0), _column(density))
    return op.neg(op.div(row_sum(ratios, k), constant(k)))


@lowers(LocalOutlierFactor, method="decision_function")
def shifted_factor(model: LocalOutlierFactor, x: Matrix) -> Var:
    return op.sub(lower(model, "score_samples", x), constant(model.offset_))


@lowers(LocalOutlierFactor, method="predict")
def factor_labels(model: LocalOutlierFactor, x: Matrix) -> Var:
    return inliers(op.not_(op.less(lower(model, "decision_function", x), constant(0))))


@lowers(NeighborhoodComponentsAnalysis, method="transform")
def neighbourhood_components(model: NeighborhoodComponentsAnalysis, x: Matrix) -> Matrix:
    return x.new(op.matmul(x.tensor, constant(model.components_.T)))
