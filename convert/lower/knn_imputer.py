"""KNNImputer: a missing value becomes the mean of the nearest training rows that have one there."""

from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.impute import KNNImputer
from sklearn.utils._mask import _get_mask
from spox import Var

from . import lower, lowers
from .callables import of_pairs, weights_of
from .distances import axis, constant, in_blocks, row_sum
from .impute import missing_mask
from .matrix import Matrix
from .metrics import nan_euclidean
from .rounding import LARGEST, ROUNDING, choice_hangs, of_gaps, weighed, weighed_by

TINY = float(np.finfo(np.float64).tiny)


@lowers(KNNImputer, method="transform")
def knn_imputer(imputer: KNNImputer, x: Matrix) -> Matrix:
    x.scope.among_equals = True
    valid = np.asarray(imputer._valid_mask, bool)
    given = x.tensor
    if imputer.keep_empty_features and not valid.all():
        empty = op.const(~valid[np.newaxis])
        given = op.where(empty, constant(0), given)
    kept = np.arange(x.width) if imputer.keep_empty_features else np.flatnonzero(valid)
    mask = missing_mask(x.tensor, imputer.missing_values)
    gaps = op.gather(mask, op.const(np.flatnonzero(valid)), axis=1)
    # Distances are only worked out where a row needs them.
    (tensor,) = op.if_(
        _some(gaps),
        then_branch=lambda: [_imputed(imputer, x, kept)],
        else_branch=lambda: [op.gather(given, op.const(kept), axis=1)],
    )
    filled = x.new(op.reshape(tensor, op.const(np.array([-1, len(kept)]))))
    if imputer.add_indicator:
        filled = filled.beside(lower(imputer.indicator_, "transform", x))
    return _held_to_rounding(imputer, x, filled)


def _some(mask: Var) -> Var:
    """Whether any is true; a scalar."""
    return op.greater(op.reduce_max(op.cast(mask, to=np.int64), keepdims=0), op.const(np.int64(0)))


def _imputed(imputer: KNNImputer, x: Matrix, kept: NDArray[np.int64]) -> Var:
    absent = np.asarray(imputer._mask_fit_X, bool)

    def block(rows: Var) -> list[Var]:
        mask, distances, _ = _compared(imputer, rows)
        columns = []
        for column in kept.tolist():
            own = op.gather(rows, axis(column), axis=1)
            if absent[:, column].all():
                columns.append(op.mul(op.cast(op.isnan(own), to=np.float64), constant(0)))
                continue
            gap = op.gather(mask, axis(column), axis=1)
            fill = _fill(imputer, x, distances, column)
            (value,) = op.if_(
                _some(gap),
                then_branch=lambda fill=fill, gap=gap, own=own: [op.where(gap, fill(), own)],
                else_branch=lambda own=own: [op.identity(own)],
            )
            columns.append(op.reshape(value, op.const(np.array([-1, 1]))))
        return [op.concat(columns, axis=1)]

    return in_blocks(x.tensor, len(absent), block)[0]


def _compared(imputer: KNNImputer, rows: Var) -> tuple[Var, Var, Callable[[], Var] | None]:
    """Where the rows have gaps, their distances to the training rows, [N, n], and how far these may be off; None of
    those that a Python function makes."""
    # Of float32 as well: beside a request of float64 scikit-learn has them in float64, and looks there for what is
    # missing.
    fitted = np.asarray(imputer._fit_X, np.float64)
    absent = _get_mask(fitted, imputer.missing_values)
    points = np.where(absent, 0.0, fitted)
    mask = missing_mask(rows, imputer.missing_values)
    if callable(imputer.metric):
        given = {"missing_values": imputer.missing_values}
        return mask, of_pairs(imputer.metric, rows, fitted, given, "metric", blocks=False), None
    known = op.where(mask, constant(0), rows)
    distances = nan_euclidean(known, mask, points, absent)
    return mask, distances, lambda: of_gaps(known, mask, points, absent, distances)


def _held_to_rounding(imputer: KNNImputer, x: Matrix, answer: Matrix) -> Matrix:
    """The answer, and the proof told what hangs on the rounding of its rows' distances: which donors are taken, and
    by which weights."""
    counts = (~np.asarray(imputer._mask_fit_X, bool)).sum(axis=0)
    weighted = not _alike(imputer)
    chosen_from = np.flatnonzero(counts > (1 if weighted else imputer.n_neighbors))

    def block(rows: Var) -> list[Var]:
        mask, distances, rounding = _compared(imputer, rows)
        assert rounding is not None
        off = rounding()
        changes: list[Var] = []
        opens: list[Var] = []
        for column in chosen_from.tolist():
            gap = op.gather(mask, axis(column), axis=1)
            nothing = op.mul(op.cast(gap, to=np.float64), constant(0))
            change, open_ = op.if_(
                _some(gap),
                then_branch=lambda column=column: list(_hanging(imputer, x, distances, off, column)),
                else_branch=lambda nothing=nothing: [nothing, nothing],
            )
            for parts, part in ((changes, change), (opens, open_)):
                upright = op.reshape(part, op.const(np.array([-1, 1])))
                parts.append(op.where(gap, upright, constant(0)))
        return [op.max(changes), op.max(opens)]

    if not len(chosen_from) or callable(imputer.metric):
        return answer
    change, open_ = in_blocks(x.tensor, len(imputer._fit_X), block)
    hangs = op.greater(open_, constant(0))
    x.scope.undecided.append(hangs)
    if not weighted:
        return answer
    tensor = answer.tensor
    x.scope.adds_up(tensor, op.where(hangs, constant(0), op.div(change, constant(ROUNDING))), alone=True)
    return x.new(tensor, [number.origin for number in answer.numbers()])


def _hanging(imputer: KNNImputer, x: Matrix, distances: Var, off: Var, column: int) -> tuple[Var, Var]:
    """How far what a missing value of a column becomes may be off, [N, 1], and one where another rounding might choose
    other donors, or where nothing is left to hold it to, [N, 1]."""
    donors, values = _donors(imputer, column)
    own, doubt = (op.gather(part, op.const(donors), axis=1) for part in (distances, off))
    k = min(int(imputer.n_neighbors), len(donors))
    others = op.const(np.array([[k < len(donors)]]))
    open_ = op.and_(others, choice_hangs(own, doubt, k))
    if _alike(imputer):
        open_ = op.cast(open_, to=np.float64)
        return op.mul(open_, constant(0)), open_
    unknown = op.isnan(own)
    own, doubt = op.where(unknown, constant(np.inf), own), op.where(unknown, constant(0), doubt)
    near, places = op.top_k(own, axis(k), axis=1, largest=0, sorted=1)
    chosen = op.gather(constant(values), places, axis=0)
    doubt = op.gather_elements(doubt, places, axis=1)
    if callable(imputer.weights):
        change, loose = weighed_by(lambda of: _weights(imputer.weights, of, x, k), near, doubt, [chosen])
    else:
        change, loose = weighed(near, doubt, [chosen])
    return op.where(op.isnan(change), constant(0), change), op.cast(op.or_(open_, loose), to=np.float64)


def _alike(imputer: KNNImputer) -> bool:
    """Whether all neighbours have the same weight."""
    return not callable(imputer.weights) and imputer.weights != "distance"


def _donors(imputer: KNNImputer, column: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The training rows that have a value there, and these."""
    donors = np.flatnonzero(~np.asarray(imputer._mask_fit_X, bool)[:, column])
    return donors, np.asarray(imputer._fit_X, np.float64)[donors, column]


def _fill(imputer: KNNImputer, x: Matrix, distances: Var, column: int) -> Callable[[], Var]:
    """What a missing value of a column becomes, [N, 1].

    Of donors equally far the first are taken. scikit-learn leaves that to numpy.argpartition, whose choice depends on
    the processor; the proof settles it (``settled``).
    """
    absent = np.asarray(imputer._mask_fit_X, bool)
    donors, values = _donors(imputer, column)
    # Of float32 numbers it has their rounding.
    mean = float(np.ma.array(imputer._fit_X[:, column], mask=absent[:, column]).mean())
    k = min(int(imputer.n_neighbors), len(donors))

    def fill() -> Var:
        own = op.gather(distances, op.const(donors), axis=1)
        unknown = op.isnan(own)
        # NumPy sorts NaN behind infinity.
        order = op.where(unknown, constant(np.inf), op.min([own, constant(LARGEST)]))
        _, places = op.top_k(order, axis(k), axis=1, largest=0, sorted=1)
        near = op.gather_elements(own, places, axis=1)
        weights = _weights(imputer.weights, near, x, k)
        chosen = op.gather(constant(values), places, axis=0)
        average = _masked_ratio(row_sum(op.mul(chosen, weights), k), row_sum(weights, k))
        alone = op.reduce_min(op.cast(unknown, to=np.int64), axis(1), keepdims=1)
        return op.where(op.cast(alone, to=np.bool_), constant(mean), op.reshape(average, op.const(np.array([-1, 1]))))

    return fill


def _weights(weights: Any, near: Var, x: Matrix, k: int) -> Var:
    """One a neighbour, or one by its distance; where some are at no distance, one for those; zero where there is no
    distance."""
    if callable(weights):
        found = weights_of(weights, near, x, k)
        return op.where(op.isnan(found), constant(0), found)
    unknown = op.isnan(near)
    if weights != "distance":
        return op.sub(constant(1), op.cast(unknown, to=np.float64))
    inverse = op.div(constant(1), near)
    infinite = op.cast(op.isinf(inverse), to=np.float64)
    some = op.greater(op.reduce_max(infinite, axis(1), keepdims=1), constant(0))
    return op.where(some, infinite, op.where(unknown, constant(0), inverse))


def _masked_ratio(over: Var, under: Var) -> Var:
    """numpy.ma's quotient: where it has none, the number to be divided."""
    ratio = op.div(over, under)
    none = op.or_(
        op.greater_or_equal(op.mul(op.abs(over), constant(TINY)), op.abs(under)),
        op.or_(op.isnan(ratio), op.isinf(ratio)),
    )
    return op.where(none, over, ratio)
