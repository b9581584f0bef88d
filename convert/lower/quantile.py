"""QuantileTransformer: the mean of two interpolations, and for a normal output the inverse of its distribution."""

from typing import Literal

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from scipy import stats
from sklearn.preprocessing import QuantileTransformer
from sklearn.preprocessing._data import BOUNDS_THRESHOLD
from spox import Var

from . import lowers
from .matrix import Matrix
from .places import places
from .special import ndtri

Floats = NDArray[np.float64]


@lowers(QuantileTransformer, method="transform")
def quantile(transformer: QuantileTransformer, x: Matrix) -> Matrix:
    quantiles = np.ascontiguousarray(transformer.quantiles_.T, np.float64)
    references = np.asarray(transformer.references_, np.float64)
    count = op.const(np.int64(len(references)))
    sides: list[Literal["left", "right"]] = ["right"] * x.width
    sides += ["left"] * x.width
    found = places(x, [*quantiles, *quantiles], sides)
    at_most, below = op.split(found, num_outputs=2, axis=1)
    # Rising, and falling: where quantiles are equal, one answers the upper reference and the other the lower one.
    rising = interpolated(x.tensor, at_most, quantiles, references)
    falling = interpolated(op.neg(x.tensor), op.sub(count, below), -quantiles[:, ::-1], -references[::-1])
    middle = op.mul(op.const(np.float64(0.5)), op.sub(rising, falling))
    low, high = op.const(quantiles[:, 0]), op.const(quantiles[:, -1])
    zero, one = op.const(np.float64(0)), op.const(np.float64(1))
    if transformer.output_distribution == "uniform":
        at_low, at_high = op.equal(x.tensor, low), op.equal(x.tensor, high)
    else:
        threshold = op.const(np.float64(BOUNDS_THRESHOLD))
        at_low = op.less(op.sub(x.tensor, threshold), low)
        at_high = op.greater(op.add(x.tensor, threshold), high)
    uniform = op.where(at_low, zero, op.where(at_high, one, middle))
    if transformer.output_distribution == "uniform":
        return x.new(uniform)
    bounds = stats.norm.ppf([BOUNDS_THRESHOLD - np.spacing(1), 1 - (BOUNDS_THRESHOLD - np.spacing(1))])
    lowest, highest = (op.const(np.float64(bound)) for bound in bounds)
    normal = ndtri(uniform)
    clipped = op.where(op.less(normal, lowest), lowest, op.where(op.greater(normal, highest), highest, normal))
    return x.new(op.where(op.isnan(x.tensor), x.tensor, clipped))


def interpolated(x: Var, place: Var, starts: Floats, values: Floats) -> Var:
    """numpy.interp column by column, [N, columns].

    place: how many of a column's starts are at most the number. starts: [columns, k]; values: [k].
    """
    with np.errstate(all="ignore"):
        slopes = np.diff(values) / np.diff(starts, axis=1)
    # Between equal starts nothing lies; before the first and from the last one on the line is flat.
    slopes = np.where(np.isfinite(slopes), slopes, 0.0)
    flat = np.zeros((len(starts), 1))
    tables = (
        np.concatenate([starts[:, :1], starts], axis=1),
        np.concatenate([flat, slopes, flat], axis=1),
        np.tile(np.concatenate([values[:1], values]), (len(starts), 1)),
    )
    index = op.add(place, op.const(np.arange(len(starts)) * tables[0].shape[1]))
    start, slope, value = (op.gather(op.const(table.ravel()), index, axis=0) for table in tables)
    line = op.add(op.mul(slope, op.sub(x, start)), value)
    return op.where(op.isinf(x), value, line)
