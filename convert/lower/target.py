"""TransformedTargetRegressor: a regressor's answers, and the inverse of what was done to the target."""

from collections.abc import Callable
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.preprocessing._data import BOUNDS_THRESHOLD
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .labels import scalar
from .links import expm1, log1p
from .matrix import Matrix
from .meta import column, numbers, upright
from .precision import same_in_float32
from .rounding import ROUNDING
from .special import ndtr
from .terms import hand_on, largest, same

ONE = np.float64(1)
FUNCTIONS: dict[Any, Callable[[Var], Var]] = {
    np.exp: op.exp,
    np.log: op.log,
    np.sqrt: op.sqrt,
    np.square: lambda y: op.mul(y, y),
    np.exp2: lambda y: op.pow(op.const(np.float64(2)), y),
    np.log2: lambda y: op.div(op.log(y), op.const(np.log(2.0))),
    np.log10: lambda y: op.div(op.log(y), op.const(np.log(10.0))),
    np.negative: op.neg,
    np.reciprocal: lambda y: op.div(op.const(ONE), y),
    np.abs: op.abs,
    np.tanh: op.tanh,
    np.expm1: expm1,
    np.log1p: log1p,
}
"""The inverse functions that are known by themselves."""


@lowers(TransformedTargetRegressor, method="predict")
def back_in_the_target(model: TransformedTargetRegressor, x: Matrix) -> Var:
    answer = lower(model.regressor_, "predict", x, ".regressor_")
    prediction = same(x, upright(numbers(answer)), answer)
    width = model.transformer_.n_features_in_
    if x.scope.in_float32([answer]) and not same_in_float32(model.transformer_.inverse_transform, width=width):
        name = type(model.regressor_).__name__
        raise UnsupportedError(
            f"expected a target in float64, found {name}'s in float32, in which scikit-learn computes the inverse too: "
            "fit with transformer=make_pipeline(..., FunctionTransformer(inverse_func=np.float64))",
            ".transformer_",
        )
    try:
        inverted = inverse(model.transformer_, x.new(prediction))
    except UnsupportedError as error:
        raise error.within(".transformer_") from error.__cause__
    shape = inverted.unwrap_tensor().shape
    flat = model._training_dim == 1 and shape is not None and shape[1] == 1
    inverted = scalar(inverted) if flat else inverted

    def moved(sizes: list[Var]) -> Var:
        """As far as the inverse moves when what goes into it is off by what its terms allow."""
        off = op.mul(sizes[0], op.const(np.float64(ROUNDING)))
        ends = [inverse(model.transformer_, x.new(shifted(prediction, off))) for shifted in (op.sub, op.add)]
        ways = [op.reduce_max(op.abs(op.sub(end, upright(inverted))), op.const(np.array([1]))) for end in ends]
        return op.div(largest(ways), op.const(np.float64(ROUNDING)))

    hand_on(x, inverted, [prediction], moved)
    return inverted


def inverse(transformer: Any, y: Matrix) -> Var:
    """What ``transformer.inverse_transform`` computes: float64 [N, k]."""
    match transformer:
        case FunctionTransformer():
            return _inverse_function(transformer, y)
        case StandardScaler():
            scaled = _mul(y.tensor, transformer.scale_ if transformer.with_std else None)
            return _add(scaled, transformer.mean_ if transformer.with_mean else None)
        case RobustScaler():
            scaled = _mul(y.tensor, transformer.scale_ if transformer.with_scaling else None)
            return _add(scaled, transformer.center_ if transformer.with_centering else None)
        case MinMaxScaler():
            return op.div(_add(y.tensor, -transformer.min_), op.const(transformer.scale_))
        case MaxAbsScaler():
            return _mul(y.tensor, transformer.scale_)
        case PowerTransformer():
            return _inverse_power(transformer, y)
        case QuantileTransformer():
            return _inverse_quantile(transformer, y)
        case Pipeline():
            for _, step in reversed(transformer.steps):
                if step is not None and step != "passthrough":
                    y = y.new(inverse(step, y))
            return y.tensor
    raise UnsupportedError(
        f"expected a transformer whose inverse is known, found {type(transformer).__name__}: use a scaler, "
        "PowerTransformer, QuantileTransformer or numpy functions"
    )


def _mul(tensor: Var, factors: Any) -> Var:
    return tensor if factors is None else op.mul(tensor, op.const(np.asarray(factors, np.float64)))


def _add(tensor: Var, amounts: Any) -> Var:
    return tensor if amounts is None else op.add(tensor, op.const(np.asarray(amounts, np.float64)))


def _inverse_function(transformer: FunctionTransformer, y: Matrix) -> Var:
    function = transformer.inverse_func
    if function is None:
        return y.tensor
    if not transformer.inv_kw_args and (known := FUNCTIONS.get(function)) is not None:
        return known(y.tensor)
    # Any other is traced, as a step of its own would be.
    step = FunctionTransformer(function, kw_args=transformer.inv_kw_args).fit(np.ones((1, y.width)))
    return lower(step, "transform", y).tensor


def _inverse_power(transformer: PowerTransformer, y: Matrix) -> Var:
    if transformer.standardize:
        y = y.new(inverse(transformer._scaler, y))
    one_column = _box_cox if transformer.method == "box-cox" else _yeo_johnson
    parts = [one_column(column(y.tensor, index), float(own)) for index, own in enumerate(transformer.lambdas_)]
    return parts[0] if len(parts) == 1 else op.concat(parts, axis=1)


def _box_cox(y: Var, power: float) -> Var:
    """(y * lambda + 1) ** (1 / lambda), as ``scipy.special.inv_boxcox``: by log1p."""
    if power == 0:
        return op.exp(y)
    return op.exp(op.div(log1p(op.mul(y, op.const(np.float64(power)))), op.const(np.float64(power))))


def _yeo_johnson(y: Var, power: float) -> Var:
    """As ``PowerTransformer._yeo_johnson_inverse_transform``."""
    one = op.const(ONE)
    if abs(power) < np.spacing(1.0):
        above = op.sub(op.exp(y), one)
    else:
        base = op.add(op.mul(y, op.const(np.float64(power))), one)
        above = op.sub(op.pow(base, op.const(np.float64(1 / power))), one)
    if abs(power - 2) > np.spacing(1.0):
        base = op.add(op.mul(op.const(np.float64(-(2 - power))), y), one)
        below = op.sub(one, op.pow(base, op.const(np.float64(1 / (2 - power)))))
    else:
        below = op.sub(one, op.exp(op.neg(y)))
    return op.where(op.greater_or_equal(y, op.const(np.float64(0))), above, below)


def _inverse_quantile(transformer: QuantileTransformer, y: Matrix) -> Var:
    references = np.asarray(transformer.references_, np.float64)
    normal = transformer.output_distribution == "normal"
    uniform = ndtr(y.tensor) if normal else y.tensor
    parts = []
    for index, own in enumerate(np.asarray(transformer.quantiles_, np.float64).T):
        at = column(uniform, index)
        part = interpolate(at, references, own)
        if normal:  # what was clipped on the way there
            threshold = op.const(np.float64(BOUNDS_THRESHOLD))
            over = op.greater(op.add(at, threshold), op.const(ONE))
            under = op.less(op.sub(at, threshold), op.const(np.float64(0)))
            part = op.where(under, op.const(own[0]), op.where(over, op.const(own[-1]), part))
        parts.append(part)
    return parts[0] if len(parts) == 1 else op.concat(parts, axis=1)


def interpolate(at: Var, knots: Any, values: Any) -> Var:
    """[N, 1]: as ``numpy.interp``, for knots that rise strictly."""
    last = len(knots) - 1
    # How many knots lie at or below, less one: the place of the piece.
    passed = op.cast(op.greater_or_equal(at, op.const(knots)), to=np.int64)
    place = op.sub(op.reduce_sum(passed, op.const(np.array([1])), keepdims=1), op.const(np.int64(1)))
    low, high = op.const(np.int64(0)), op.const(np.int64(max(last - 1, 0)))
    inner = op.max([op.min([place, high]), low])
    slopes = np.diff(values) / np.diff(knots) if last else np.zeros(1)
    start, base, slope = (op.gather(op.const(table), inner, axis=0) for table in (knots, values, slopes))
    between = op.add(op.mul(slope, op.sub(at, start)), base)
    below = op.less(at, op.const(knots[0]))
    above = op.greater_or_equal(at, op.const(knots[-1]))
    return op.where(below, op.const(values[0]), op.where(above, op.const(values[-1]), between))
