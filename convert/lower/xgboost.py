"""XGBoost's scikit-learn interface: float32 throughout, as XGBoost computes.

Numbers are rounded to float32 and compared with ``<``; leaves, or products with weights, are added to the start one by
one in float32.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .ensemble import FLOAT32, chosen_leaves, distinct, join
from .float32 import expf, softmax
from .labels import Labels, argmax, scalar
from .matrix import Lookup, Matrix, Monotone, width_of
from .meta import column
from .native import placed
from .trees import as_float32
from .xgboost_model import Forest, Linear, read

REGRESSORS = tuple(f"xgboost.sklearn.{name}" for name in ("XGBRegressor", "XGBRFRegressor", "XGBRanker"))
CLASSIFIERS = ("xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRFClassifier")
SIGMOID = ("binary:logistic", "reg:logistic")
EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
IDENTITY = ("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror")


def _seen(model: Forest, x: Matrix) -> Matrix:
    """The columns as nodes see them: of categories the whole part, after rounding to float32."""
    x = placed(x, model.categories) if model.categories else x
    sets = {int(feature) for tree in model.trees for feature in tree.feature[list(tree.members)]}
    columns = [x.select([index]) for index in range(x.width)]
    for index in sets:
        rounded = as_float32(columns[index])
        columns[index] = rounded.map(op.floor(rounded.tensor), [Monotone(np.floor)])
    return columns[0].beside(*columns[1:]) if sets else x


def _present(estimator: Any, x: Matrix, asked: Sequence[int]) -> Matrix:
    """The columns, those that are asked with NaN for what is taken for missing too: a number, compared in float32,
    and what sparse rows do not store."""
    part = x.select(asked)
    if id(estimator) in x.scope.stored:
        absent = op.equal(part.tensor, op.const(np.float64(0)))
        tensor = op.where(absent, op.const(np.float64(np.nan)), part.tensor)
        part = x.new(tensor, [_stored(column.origin) for column in part.numbers()])
    if not np.isnan(estimator.missing):
        rounded = as_float32(part).tensor
        absent = op.equal(rounded, op.const(np.float64(np.float32(estimator.missing))))
        part = x.new(op.where(absent, op.const(np.float64(np.nan)), rounded))
    made = dict(zip(asked, part.columns, strict=True))
    return Matrix(x.scope, tuple(made.get(place, column) for place, column in enumerate(x.columns)))


def _stored(origin: Any) -> Lookup | None:
    """A table's values without its zeros; no other's are made of the request's in rising order any more."""
    if not isinstance(origin, Lookup):
        return None
    return origin.then(Monotone(lambda values: np.where(values == 0, np.nan, values)))


def _raw(estimator: Any, x: Matrix) -> tuple[str, Var]:
    """The objective, and the raw scores: float32 [N, targets]."""

    def make() -> tuple[str, Var]:
        model = read(estimator)
        if isinstance(model, Linear):
            raw = _product(model, _present(estimator, x, range(x.width)))
            if model.objective in SIGMOID + EXPONENTIAL:  # whose exponential is zero or infinite beyond
                raw = op.max([op.min([raw, op.const(np.float32(200))]), op.const(np.float32(-200))])
            return model.objective, raw
        if not model.categories:
            asked = np.unique(np.concatenate([tree.feature[tree.feature >= 0] for tree in model.trees])).tolist()
            present = _present(estimator, x, asked) if asked else x
            return model.objective, _sum(model, _seen(model, present))
        if not np.isnan(estimator.missing):
            raise UnsupportedError(
                f"expected missing categories that are NaN, found missing={estimator.missing}, which XGBoost compares "
                "with the places of pandas' categories: train with missing=np.nan"
            )
        return model.objective, _sum(model, _seen(model, x))

    found: tuple[str, Var] = x.once(estimator, "raw", make)
    return found


def _product(model: Linear, x: Matrix) -> Var:
    """The start, and number by number its product with the weight; of a missing one none."""
    tensor = as_float32(x).tensor
    present = op.not_(op.isnan(tensor))
    rounded = op.cast(op.where(present, tensor, op.const(np.float64(0))), to=np.float32)
    first = op.expand(op.const(np.zeros((1, 1), np.float32)), op.shape(op.gather(rounded, op.const([0]), axis=1)))
    sums = []
    for start, weights in zip(model.start, model.weights.T, strict=True):
        # What is added for a missing one leaves even a sum of -0.0 as it is.
        terms = op.where(present, op.mul(rounded, op.const(weights)), op.const(np.float32(-0.0)))
        running = op.cumsum(op.concat([op.add(first, op.const(start)), terms], axis=1), op.const(np.int64(1)))
        sums.append(column(running, len(weights)))
    return op.concat(sums, axis=1) if len(sums) > 1 else sums[0]


def _sum(model: Forest, x: Matrix) -> Var:
    """The start, and tree by tree its leaf."""
    values = np.concatenate(model.values)
    table = values.reshape(len(values), -1)
    first, places = distinct(list(np.ascontiguousarray(table.T).view(np.int32).astype(np.int64)))
    chosen = chosen_leaves(x, join(model.trees), places, FLOAT32)
    leaves = op.gather(op.const(np.ascontiguousarray(values[first])), chosen, axis=0)
    if values.ndim == 2:  # each tree adds to every target
        steps = [op.gather(leaves, op.const(target), axis=2) for target in range(len(model.start))]
    elif len(model.start) > 1:
        steps = [
            op.gather(leaves, op.const(np.flatnonzero(model.target == target)), axis=1)
            for target in range(len(model.start))
        ]
    else:
        steps = [leaves]
    sums = []
    for start, own in zip(model.start, steps, strict=True):
        first_term = op.add(op.mul(column(own, 0), op.const(np.float32(0))), op.const(start))
        running = op.cumsum(op.concat([first_term, own], axis=1), op.const(np.int64(1)))
        sums.append(column(running, width_of(own)))
    return op.concat(sums, axis=1) if len(sums) > 1 else sums[0]


def _answer(objective: str, raw: Var) -> Var:
    """What the objective makes of the scores, in float32."""
    one = op.const(np.float32(1))
    if objective in SIGMOID:
        power = expf(op.min([op.neg(raw), op.const(np.float32(88.7))]))
        return op.div(one, op.add(op.add(power, one), op.const(np.float32(1e-16))))
    if objective in EXPONENTIAL:
        return expf(raw)
    if objective == "binary:hinge":
        return op.cast(op.greater(raw, op.const(np.float32(0))), to=np.float32)
    if objective == "multi:softmax":
        return op.cast(op.arg_max(raw, axis=1, keepdims=1), to=np.float32)
    if objective == "multi:softprob":
        less = op.sub(raw, op.reduce_max(raw, op.const(np.array([1])), keepdims=1))
        powers = expf(op.max([less, op.const(np.float32(-200))]))  # which is zero already
        wide = op.cast(powers, to=np.float64)  # the sum is kept in float64
        total = op.sum([column(wide, index) for index in range(width_of(powers))])
        return op.div(powers, op.cast(total, to=np.float32))
    if objective in IDENTITY or objective.startswith("rank:") or objective == "binary:logitraw":
        return raw
    raise UnsupportedError(f"expected an objective whose answer is known, found {objective!r}")


def _float64(x: Matrix, tensor: Var) -> Var:
    """The answer as float64, of which others are told that XGBoost gives float32."""
    answer = op.cast(tensor, to=np.float64)
    x.scope.singles.append(answer)
    return answer


@lowers(*REGRESSORS, method="predict")
def regressor(model: Any, x: Matrix) -> Var:
    answer = _answer(*_raw(model, x))
    return _float64(x, scalar(answer) if width_of(answer) == 1 else answer)


@lowers(*CLASSIFIERS, method="predict_proba")
def probabilities(model: Any, x: Matrix) -> Var:
    objective, raw = _raw(model, x)
    if objective == "multi:softmax":
        return _float64(x, softmax(raw, width_of(raw)))
    scores = _answer(objective, raw)
    if len(model.classes_) > 2 or width_of(scores) > 1:
        return _float64(x, scores)
    return _float64(x, op.concat([op.sub(op.const(np.float32(1)), scores), scores], axis=1))


@lowers(*CLASSIFIERS, method="predict")
def labels(model: Any, x: Matrix) -> Labels:
    objective, raw = _raw(model, x)
    if objective == "multi:softmax":
        return argmax(raw, np.arange(width_of(raw), dtype=np.int32))
    if len(model.classes_) > 2:
        return argmax(lower(model, "predict_proba", x), model.classes_)
    scores = _answer(objective, raw)
    places = op.cast(op.greater(scores, op.const(np.float32(0.5))), to=np.int64)
    if width_of(scores) > 1:  # several labels a row, which it answers as float64
        return Labels(places, (np.array([0.0, 1.0]),) * width_of(scores))
    return Labels(scalar(places), (model.classes_,))
