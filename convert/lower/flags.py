"""Metrics of whether numbers are zero, as of fingerprints and answers to questions; each feature may have a weight."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .distances import constant, feature_sum

__all__ = ["FLAGS", "YULE", "weighed"]

Floats = NDArray[np.float64]
Parameters = Mapping[str, Any]


def _alone(row: Var, point: Var) -> Var:
    return op.and_(row, op.not_(point))


def _neither(row: Var, point: Var) -> Var:
    return op.not_(op.or_(row, point))


def _flags(formula: Callable[..., Var], *masks: Callable[[Var, Var], Var]) -> Callable[[Var, Floats, Parameters], Var]:
    """A metric of whether numbers are zero: a formula of the weights of all features, and of those in a mask.

    masks: of whether the row's number is not zero, and whether the point's is not.
    """

    def metric(tensor: Var, points: Floats, parameters: Parameters) -> Var:
        zero = constant(0)

        def masked(mask: Callable[[Var, Var], Var]) -> Callable[[Var, Var, Var], Var]:
            return lambda row, point, w: op.where(
                mask(op.not_(op.equal(row, zero)), op.not_(op.equal(point, zero))), w, zero
            )

        weights, total = weighed(points, parameters)
        return formula(total, *(feature_sum(tensor, points, masked(mask), weights) for mask in masks))

    return metric


def weighed(points: Floats, parameters: Parameters) -> tuple[Floats, Var]:
    """A weight a feature, and their sum from the first to the last."""
    weights = np.asarray(parameters.get("w", np.ones(points.shape[1])), np.float64)
    return weights, constant(np.cumsum(weights)[-1])


def _jaccard(total: Var, one: Var, any_: Var) -> Var:
    return op.where(op.equal(any_, constant(0)), constant(0), op.div(one, any_))


def _dice(total: Var, one: Var, both: Var) -> Var:
    return op.div(one, op.add(op.mul(constant(2), both), one))


def _rogers(total: Var, one: Var) -> Var:
    return op.div(op.mul(constant(2), one), op.add(total, one))


def _russell(total: Var, both: Var) -> Var:
    return op.div(op.sub(total, both), total)


def _sokal_sneath(total: Var, one: Var, both: Var) -> Var:
    twice = op.mul(constant(2), one)
    return op.div(twice, op.add(twice, both))


def _yule(total: Var, both: Var, neither: Var, row_alone: Var, point_alone: Var) -> Var:
    product = op.mul(row_alone, point_alone)
    under = op.add(op.mul(both, neither), product)
    nothing = op.equal(product, constant(0))
    return op.where(nothing, constant(0), op.div(op.mul(constant(2), product), under))


FLAGS: dict[str, Callable[[Var, Floats, Parameters], Var]] = {
    "jaccard": _flags(_jaccard, op.xor, op.or_),
    "dice": _flags(_dice, op.xor, op.and_),
    **dict.fromkeys(("rogerstanimoto", "sokalmichener"), _flags(_rogers, op.xor)),
    "russellrao": _flags(_russell, op.and_),
    "sokalsneath": _flags(_sokal_sneath, op.xor, op.and_),
}
YULE = _flags(_yule, op.and_, _neither, _alone, lambda row, point: _alone(point, row))
"""scipy's alone."""
