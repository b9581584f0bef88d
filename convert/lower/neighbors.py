"""Estimators that ask training rows: k nearest neighbours, neighbours within a radius."""

from functools import partial
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.metrics._pairwise_distances_reduction import RadiusNeighborsClassMode
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
from . import lacks, lower, lowers
from .callables import weights_of, weights_of_each
from .distances import axis, constant, ordered_sum, row_sum
from .labels import Labels, argmax, scalar
from .matrix import Matrix
from .nearest import doubt, nearest, within
from .outliers import inliers
from .rounding import ROUNDING, weighed, weighed_by


def _column(vector: Var) -> Var:
    """[N] as [N, 1]."""
    return op.reshape(vector, op.const(np.array([-1, 1])))


def _weights(model: Any, x: Matrix, distances: Var) -> Var | None:
    """Of distances to the nearest, [N, k]: what a function makes of them, or else as ``_inverse``; None for all
    alike."""
    if _alike(model):
        return None
    return _called(model, x, distances) if callable(model.weights) else _inverse(distances)


def _called(model: Any, x: Matrix, distances: Var) -> Var:
    """What a function makes of distances: of those to all rows within the radius each by itself."""
    if isinstance(model, RadiusNeighborsClassifier | RadiusNeighborsRegressor):
        return weights_of_each(model.weights, distances)
    return weights_of(model.weights, distances, x, int(model.n_neighbors))


def _alike(model: Any) -> bool:
    return model.weights is None or (isinstance(model.weights, str) and model.weights == "uniform")


def _inverse(distances: Var, *, zero: bool = False) -> Var:
    """1 / distance, or where that is infinite one for those and none for the others.

    zero: whether only a distance of zero counts as that, and not one so small that its inverse overflows.
    """
    inverse = op.div(constant(1), distances)
    infinite = op.cast(op.equal(distances, constant(0)) if zero else op.isinf(inverse), to=np.float64)
    some = op.greater(op.reduce_max(infinite, axis(1), keepdims=1), constant(0))
    return op.where(some, infinite, inverse)


def _held_to_rounding(model: Any, x: Matrix, answer: Var, distances: Var, off: Var | None, votes: list[Var]) -> None:
    """Where the distances have the processor's rounding, say what that makes of means weighted by them (``weighed``).

    off: how far the distances may be off; None where they have scikit-learn's bits.
    """
    if off is None or _alike(model):
        return
    if callable(model.weights):
        change, loose = weighed_by(partial(_called, model, x), distances, off, votes)
    else:
        change, loose = weighed(distances, off, votes)
    x.scope.undecided.append(loose)
    x.scope.adds_up(answer, op.where(loose, constant(0), op.div(change, constant(ROUNDING))), alone=True)


def _classes(model: Any) -> tuple[list[Any], Any]:
    """A table of classes an output, and the training rows' places in them, [n, outputs]."""
    if model.outputs_2d_:
        return list(model.classes_), np.asarray(model._y)
    return [model.classes_], np.reshape(model._y, (-1, 1))


def _votes(model: Any, x: Matrix) -> list[Var]:
    """What each neighbour gives to each class, of each output: [N, k, classes]."""

    def make() -> list[Var]:
        distances, places = nearest(model, x, model.n_neighbors)
        shares = _weights(model, x, distances)
        votes = []
        for classes, targets in zip(*_classes(model)[:1], _classes(model)[1].T, strict=True):
            chosen = op.gather(op.const(np.asarray(targets, np.int64)), places, axis=0)
            own = op.equal(op.unsqueeze(chosen, axis(2)), op.const(np.arange(len(classes))))
            vote = op.cast(own, to=np.float64)
            votes.append(vote if shares is None else op.mul(vote, op.unsqueeze(shares, axis(2))))
        return votes

    votes: list[Var] = x.once(model, "votes", make)
    return votes


def _own_classes(model: Any) -> list[Any]:
    """One where a training row has a class, for each class of each output: [n]."""
    tables, targets = _classes(model)
    return [
        (column == place).astype(np.float64)
        for classes, column in zip(tables, targets.T, strict=True)
        for place in range(len(classes))
    ]


@lowers(KNeighborsClassifier, method="predict_proba")
def neighbour_probabilities(model: KNeighborsClassifier, x: Matrix) -> Var | list[Var]:
    probabilities = []
    for votes, classes in zip(_votes(model, x), _classes(model)[0], strict=True):
        counts = ordered_sum(votes)
        probabilities.append(op.div(counts, _column(row_sum(counts, len(classes)))))
    distances, places = nearest(model, x, model.n_neighbors)
    own = [op.gather(constant(votes), places, axis=0) for votes in _own_classes(model)]
    _held_to_rounding(model, x, probabilities[0], distances, doubt(model, x, places), own)
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
    shares = _weights(model, x, distances)
    if shares is None and targets.shape[1] > 1:
        # Several targets are added side by side, one neighbour after the other; a single one pairwise.
        return op.div(ordered_sum(op.gather(constant(targets), places, axis=0)), constant(k))
    means = []
    for target in targets.T:
        chosen = op.gather(constant(target), places, axis=0)
        if shares is None:
            means.append(op.div(row_sum(chosen, k), constant(k)))
        else:
            means.append(op.div(row_sum(op.mul(chosen, shares), k), row_sum(shares, k)))
    mean = means[0] if np.ndim(model._y) == 1 else op.concat([_column(mean) for mean in means], axis=1)
    chosen = [op.gather(constant(target), places, axis=0) for target in targets.T]
    _held_to_rounding(model, x, mean, distances, doubt(model, x, places), chosen)
    return mean


@lowers(KNeighborsTransformer, method="transform")
def neighbour_graph(model: KNeighborsTransformer, x: Matrix) -> Matrix:
    k = model.n_neighbors + (model.mode == "distance")
    distances, places = nearest(model, x, k)
    nothing = op.mul(op.cast(places, to=np.float64), constant(0))  # of the row's own numbers one may be missing
    if model.mode == "connectivity":
        distances = op.add(nothing, constant(1))
    empty = op.add(op.slice(nothing, axis(0), axis(1), axis(1)), constant(np.zeros((1, model.n_samples_fit_))))
    graph = op.scatter_elements(empty, places, distances, axis=1)
    off = doubt(model, x, places) if model.mode == "distance" else None
    if off is not None:
        most = op.reduce_max(off, axis(1), keepdims=1)
        x.scope.adds_up(graph, op.div(most, constant(ROUNDING)), alone=True)
    return x.new(graph)


def _shares(model: Any, x: Matrix) -> tuple[Var, Var]:
    """What each training row gives, [N, n], and whether a row has none within the radius, [N, 1]."""
    distances, near = within(model, x)
    mask = op.cast(near, to=np.float64)
    alone = op.equal(op.reduce_max(mask, axis(1), keepdims=1), constant(0))
    if _alike(model):
        return mask, alone
    if callable(model.weights):
        return op.where(near, _called(model, x, distances), constant(0)), alone
    return _inverse(op.where(near, distances, constant(np.inf)), zero=True), alone


def _added(model: RadiusNeighborsClassifier, shares: Var, own: Var) -> Var:
    """What the classes get together, [N, classes]; an infinite share is nothing to the others. own: [n, classes]."""
    if _alike(model):
        return op.matmul(shares, own)
    infinite = op.isinf(shares)
    endless = op.matmul(op.cast(infinite, to=np.float64), own)
    votes = op.matmul(op.where(infinite, constant(0), shares), own)
    return op.where(op.greater(endless, constant(0)), constant(np.inf), votes)


def _blurred(model: Any, x: Matrix) -> tuple[Var, Var | None]:
    """The distances of the training rows within the radius, infinite for the others, and how far they may be off."""
    distances, near = within(model, x)
    off = doubt(model, x)
    return op.where(near, distances, constant(np.inf)), None if off is None else op.where(near, off, constant(0))


def _by_class(model: RadiusNeighborsClassifier) -> bool:
    """Whether scikit-learn counts classes in its own loop, which takes the outlier label for a place among them."""
    return (
        model.weights == "uniform"
        and model._fit_method == "brute"
        and not model.outputs_2d_
        and not hasattr(model, "feature_names_in_")  # a frame does not get there
        and model.effective_metric_ in RadiusNeighborsClassMode.valid_metrics()
    )


@lowers(RadiusNeighborsClassifier, method="predict_proba")
def radius_probabilities(model: RadiusNeighborsClassifier, x: Matrix) -> Var | list[Var]:
    shares, alone = _shares(model, x)
    probabilities = []
    for output, (classes, targets) in enumerate(zip(*_classes(model)[:1], _classes(model)[1].T, strict=True)):
        votes = _added(model, shares, constant(targets[:, np.newaxis] == np.arange(len(classes))))
        if model.outlier_label_ is not None:
            own = np.asarray(classes) == model.outlier_label_[output]  # none where it is no class
            if _by_class(model):
                own = np.array([place == model.outlier_label for place in range(len(classes))])
            votes = op.where(alone, constant(own.astype(np.float64)[np.newaxis]), votes)
        total = _column(row_sum(votes, len(classes)))
        probabilities.append(op.div(votes, op.where(op.equal(total, constant(0)), constant(1), total)))
    rows = [constant(votes[np.newaxis]) for votes in _own_classes(model)]
    _held_to_rounding(model, x, probabilities[0], *_blurred(model, x), rows)
    return probabilities if model.outputs_2d_ else probabilities[0]


@lacks(RadiusNeighborsClassifier, method="predict_proba")
def probabilities_of_no_outlier(model: RadiusNeighborsClassifier) -> str | None:
    """A bundle's labels are those of its probabilities, one a column."""
    if model.outlier_label_ is None:
        return None
    odd = [label for label, own in zip(model.outlier_label_, _classes(model)[0], strict=True) if label not in own]
    if not odd:
        return None
    return (
        f"expected an outlier_label among the classes, found {odd[0]!r}, which has no probability: use one of them or "
        "'most_frequent'"
    )


@lowers(RadiusNeighborsClassifier, method="predict")
def radius_labels(model: RadiusNeighborsClassifier, x: Matrix) -> Labels:
    found = lower(model, "predict_proba", x)
    parts = found if isinstance(found, list) else [found]
    places, tables = [], []
    for output, (part, classes) in enumerate(zip(parts, _classes(model)[0], strict=True)):
        place, table = op.arg_max(part, axis=1, keepdims=1), np.asarray(classes)
        if model.outlier_label_ is not None:
            # Where all probabilities are zero the label is the outliers', which may be no class.
            label = model.outlier_label_[output]
            table = table if label in table else np.append(table, label)
            nothing = op.equal(op.reduce_max(part, axis(1), keepdims=1), constant(0))
            place = op.where(nothing, op.const(np.flatnonzero(table == label)), place)
        places.append(place)
        tables.append(table)
    joined = op.concat(places, axis=1) if model.outputs_2d_ else op.reshape(places[0], axis(-1))
    return Labels(joined, tuple(tables))


@lowers(RadiusNeighborsRegressor, method="predict")
def radius_mean(model: RadiusNeighborsRegressor, x: Matrix) -> Var:
    targets = _targets(model)
    shares, _ = _shares(model, x)
    # Nobody within the radius: zero by zero, the NaN that scikit-learn answers.
    total = op.reduce_sum(shares, axis(1), keepdims=1)
    mean = op.div(op.matmul(shares, constant(targets)), total)
    answer = scalar(mean) if np.ndim(model._y) == 1 else mean
    _held_to_rounding(model, x, answer, *_blurred(model, x), [constant(target[np.newaxis]) for target in targets.T])
    return answer


@lowers(RadiusNeighborsTransformer, method="transform")
def radius_graph(model: RadiusNeighborsTransformer, x: Matrix) -> Matrix:
    distances, near = within(model, x)
    kept = distances if model.mode == "distance" else constant(1)
    graph = op.where(near, kept, constant(0))
    off = doubt(model, x) if model.mode == "distance" else None
    if off is not None:
        most = op.reduce_max(op.where(near, off, constant(0)), axis(1), keepdims=1)
        x.scope.adds_up(graph, op.div(most, constant(ROUNDING)), alone=True)
    return x.new(graph)


@lowers(LocalOutlierFactor, method="score_samples")
def outlier_factor(model: LocalOutlierFactor, x: Matrix) -> Var:
    k = model.n_neighbors_
    distances, places = nearest(model, x, k)
    reach = op.max([distances, op.gather(constant(model._distances_fit_X_[:, k - 1]), places, axis=0)])
    density = op.div(constant(1), op.add(op.div(row_sum(reach, k), constant(k)), constant(1e-10)))
    ratios = op.div(op.gather(constant(model._lrd), places, axis=0), _column(density))
    factor = op.neg(op.div(row_sum(ratios, k), constant(k)))
    off = doubt(model, x, places)
    if off is not None:  # the factor is as large as the distances are
        moved, whole = (op.reduce_sum(part, axis(1), keepdims=1) for part in (off, op.add(reach, off)))
        change = op.mul(op.abs(_column(factor)), op.div(moved, whole))
        x.scope.adds_up(factor, op.div(change, constant(ROUNDING)), alone=True)
    return factor


@lowers(LocalOutlierFactor, method="decision_function")
def shifted_factor(model: LocalOutlierFactor, x: Matrix) -> Var:
    factor = lower(model, "score_samples", x)
    shifted, terms = op.sub(factor, constant(model.offset_)), x.scope.terms_of(factor)
    if terms is not None:
        x.scope.adds_up(shifted, terms, alone=True)
    return shifted


@lowers(LocalOutlierFactor, method="predict")
def factor_labels(model: LocalOutlierFactor, x: Matrix) -> Var:
    return inliers(op.not_(op.less(lower(model, "decision_function", x), constant(0))))


@lowers(NeighborhoodComponentsAnalysis, method="transform")
def neighbourhood_components(model: NeighborhoodComponentsAnalysis, x: Matrix) -> Matrix:
    return x.new(op.matmul(x.tensor, constant(model.components_.T)))
