"""SplineTransformer: the B-splines that are not zero at a number, by de Boor's recurrence."""

from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.preprocessing import SplineTransformer
from spox import Var

from ..errors import UnsupportedError
from . import lowers
from .matrix import Lookup, Matrix, Number, Raw
from .places import places

Floats = NDArray[np.float64]


@lowers(SplineTransformer, method="transform")
def spline(transformer: SplineTransformer, x: Matrix) -> Matrix:
    """Column by column its splines, side by side."""
    splines = transformer.bsplines_
    if transformer.handle_missing == "zeros" and transformer.sparse_output and x.width > 1:
        _check_zeros(transformer, x)
    knots = np.stack([np.asarray(own.t, np.float64) for own in splines])
    degree, count = int(splines[0].k), int(splines[0].c.shape[1])
    given = x.tensor
    if transformer.extrapolation == "periodic":
        x = x.new(_wrapped(x.tensor, knots[:, degree], knots[:, -degree - 1]))
    values = _basis(x, knots, degree, count, dense=not transformer.sparse_output)
    if transformer.extrapolation in ("constant", "linear"):
        values = _outside(transformer, x.tensor, values, knots, degree)
    if transformer.handle_missing == "zeros":
        missing = op.unsqueeze(op.isnan(given), op.const([2]))
        values = op.where(missing, op.const(np.float64(0)), values)
    kept = count if transformer.include_bias else count - 1
    if kept < count:
        values = op.slice(values, op.const([0]), op.const([kept]), op.const([2]))
    return x.new(op.reshape(values, op.const(np.array([-1, len(splines) * kept]))))


def _wrapped(x: Var, low: Floats, high: Floats) -> Var:
    """Into the period, as Python's and NumPy's modulus."""
    period = high - low
    whole = period > 0
    safe = op.const(np.where(whole, period, 1.0))
    rest = op.mod(op.sub(x, op.const(low)), safe, fmod=1)
    zero = op.const(np.float64(0))
    rest = op.where(op.less(rest, zero), op.add(rest, safe), op.where(op.equal(rest, zero), zero, rest))
    # A column that was constant in training has no period: scikit-learn takes zero.
    return op.where(op.const(whole), op.add(op.const(low), rest), zero)


def _basis(x: Matrix, knots: Floats, degree: int, count: int, *, dense: bool) -> Var:
    """float64 [N, columns, count]: the splines' values by the recurrence of scipy's _deBoor_D (after P. Dierckx,
    fitpack's fpbspl), operation by operation. Beyond the knots the outermost polynomials go on.

    dense: multiply by the coefficients, ones and zeros, as scipy does: what is infinite makes the others NaN.
    """
    size = knots.shape[1]
    last = size - degree - 1
    interval = op.add(places(x, list(knots[:, degree + 1 : last]), ["right"] * x.width), op.const(np.int64(degree)))
    flat = op.const(knots.ravel())
    first = op.add(interval, op.const(np.arange(len(knots)) * size))
    knot = {
        offset: op.gather(flat, op.add(first, op.const(np.int64(offset))), axis=0)
        for offset in range(1 - degree, degree + 1)
    }
    number, zero = x.tensor, op.const(np.float64(0))
    lit = [op.add(op.mul(op.cast(interval, to=np.float64), zero), op.const(np.float64(1)))]
    for level in range(1, degree + 1):
        below, lit = lit, [zero]
        for place in range(1, level + 1):
            high, low = knot[place], knot[place - level]
            same = op.equal(high, low)
            weight = op.div(below[place - 1], op.sub(high, low))
            more = op.add(lit[-1], op.mul(weight, op.sub(high, number)))
            lit[-1] = op.where(same, lit[-1], more)
            lit.append(op.where(same, zero, op.mul(weight, op.sub(number, low))))
    # The place of the first of them; the splines of a period are those at its end again.
    start = op.sub(interval, op.const(np.int64(degree)))
    total = zero
    for place, value in enumerate(lit):
        index = op.mod(op.add(start, op.const(np.int64(place))), op.const(np.int64(count)))
        here = op.equal(op.unsqueeze(index, op.const([2])), op.const(np.arange(count)))
        value = op.unsqueeze(value, op.const([2]))
        part = op.where(here, value, op.mul(value, zero) if dense else zero)
        total = op.add(total, part)
    return op.where(op.isnan(op.unsqueeze(number, op.const([2]))), op.const(np.float64(np.nan)), total)


def _outside(transformer: SplineTransformer, x: Var, values: Var, knots: Floats, degree: int) -> Var:
    """Beyond the first and last knot of training: the value there, or the straight line on from there."""
    count = int(transformer.bsplines_[0].c.shape[1])
    linear = transformer.extrapolation == "linear"
    low, high = knots[:, degree].copy(), knots[:, -degree - 1].copy()
    own = np.full(len(knots), degree)
    if linear:
        # A spline of degree 1 has a slope at the boundary in the second one too. scikit-learn 1.9 raises the degree
        # for one column, and goes on with it in the next: that one's boundary is then another knot.
        for column in range(len(knots)):
            low[column], high[column] = knots[column, degree], knots[column, -degree - 1]
            degree += degree <= 1
            own[column] = degree
    left = np.arange(count) < own[:, np.newaxis]
    number = op.unsqueeze(x, op.const([2]))

    def beyond(bound: Floats, chosen: NDArray[np.bool_]) -> Var:
        at = np.where(chosen, _at(transformer, bound, 0), 0.0)
        if not linear:
            return op.const(at)
        slope = np.where(chosen, _at(transformer, bound, 1), 0.0)
        line = op.add(op.const(at), op.mul(op.sub(number, op.const(bound[:, np.newaxis])), op.const(slope)))
        return op.where(op.const(chosen), line, op.const(np.float64(0)))

    values = op.where(op.greater(number, op.const(high[:, np.newaxis])), beyond(high, left[:, ::-1]), values)
    return op.where(op.less(number, op.const(low[:, np.newaxis])), beyond(low, left), values)


def _at(transformer: SplineTransformer, bounds: Floats, derivative: int) -> Any:
    """[columns, splines]: values or slopes of each column's splines at its bound."""
    return np.stack([own(bound, nu=derivative) for own, bound in zip(transformer.bsplines_, bounds, strict=True)])


def _check_zeros(transformer: SplineTransformer, x: Matrix) -> None:
    """Raises UnsupportedError where scikit-learn 1.9 gives a missing value the splines of the smallest number that
    came with it: with sparse output it zeroes the first column alone."""
    within = transformer.extrapolation in ("constant", "linear")
    if not within and any(_may_miss(x, column) for column in x.numbers()[1:]):
        raise UnsupportedError(
            "expected a SplineTransformer whose answers do not depend on the other rows, found handle_missing='zeros' "
            "with sparse_output=True: set sparse_output=False"
        )


def _may_miss(x: Matrix, column: Number) -> bool:
    match column.origin:
        case Raw(source) as origin:
            return x.scope.missing[source] and bool(np.isnan(origin(np.array([np.nan]))).any())
        case Lookup() as origin:
            return bool(np.isnan([*origin.values, origin.default, origin.missing]).any())
    return True
