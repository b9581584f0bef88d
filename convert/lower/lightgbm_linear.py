"""LightGBM's linear leaves (``linear_tree=True``), as ``include/LightGBM/tree.h`` adds them up: a constant, and feature
by feature its product with a coefficient; the leaf's plain value where one of these features is missing."""

from typing import Any, NamedTuple

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from spox import Var

from .matrix import Matrix

__all__ = ["Leaves", "answers"]


class Leaves(NamedTuple):
    """value: where a feature is missing. constant: what is added to.
    features, coefficients: [leaves, most]; what a leaf has not is zero times a column of zeros."""

    value: NDArray[np.float64]
    constant: NDArray[np.float64]
    features: NDArray[np.int64]
    coefficients: NDArray[np.float64]

    @staticmethod
    def of(nodes: list[dict[str, Any]], width: int) -> "Leaves":
        """Of the nodes of trees, leaves and others, in their order; width: where the column of zeros is."""
        most = max(len(node.get("leaf_features", ())) for node in nodes)
        features = np.full((len(nodes), most), width)
        coefficients = np.zeros((len(nodes), most))
        for place, node in enumerate(nodes):
            own = node.get("leaf_features", ())
            features[place, : len(own)] = own
            coefficients[place, : len(own)] = node.get("leaf_coeff", ())
        value = np.array([node.get("leaf_value", 0.0) for node in nodes], np.float64)
        constant = np.array([node.get("leaf_const", node.get("leaf_value", 0.0)) for node in nodes], np.float64)
        return Leaves(value, constant, features, coefficients)


def answers(x: Matrix, chosen: Var, leaves: Leaves) -> Var:
    """What each tree adds, float64 [N, trees].

    chosen: int64 [N, trees], the leaf that each tree came to, as a place among the leaves.
    """
    total = op.gather(op.const(leaves.constant), chosen, axis=0)
    missing: Var | None = None
    zeros = op.mul(op.cast(op.gather(chosen, op.const([0]), axis=1), to=np.float64), op.const(np.float64(0)))
    numbers = op.concat([x.tensor, zeros], axis=1)
    for term in range(leaves.features.shape[1]):
        value = op.gather_elements(numbers, op.gather(op.const(leaves.features[:, term]), chosen, axis=0), axis=1)
        gone = op.isnan(value)
        missing = gone if missing is None else op.or_(missing, gone)
        total = op.add(total, op.mul(op.gather(op.const(leaves.coefficients[:, term]), chosen, axis=0), value))
    return total if missing is None else op.where(missing, op.gather(op.const(leaves.value), chosen, axis=0), total)
