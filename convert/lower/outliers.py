"""Outlier detectors: IsolationForest and EllipticEnvelope. (LocalOutlierFactor is with the neighbours.)"""

from dataclasses import replace
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length
from spox import Var

from . import lower, lowers
from .distances import constant, row_sum
from .ensemble import FLOAT32, Trees, join, sum_of_leaves
from .labels import scalar
from .matrix import Matrix
from .terms import same
from .trees import sklearn_tree

__all__ = ["inliers"]


def inliers(over: Var) -> Var:
    """1 where a row is an inlier, else -1: int64 [N]."""
    return op.where(over, op.const(np.int64(1)), op.const(np.int64(-1)))


@lowers(IsolationForest, method="score_samples")
def isolation_score(forest: IsolationForest, x: Matrix) -> Var:
    trees, depths = [], []
    for index, (tree, features) in enumerate(zip(forest.estimators_, forest.estimators_features_, strict=True)):
        trees.append(_of_columns(sklearn_tree(tree), np.asarray(features)))
        depths.append(forest._decision_path_lengths[index] + forest._average_path_length_per_tree[index] - 1.0)
    values = np.concatenate(depths)
    total = scalar(sum_of_leaves(x, join(trees), np.zeros(len(values), np.int64), values, 1, FLOAT32))
    denominator = len(trees) * float(_average_path_length([forest._max_samples])[0])
    # A forest grown on single rows has depth zero everywhere, and scores 1/2 by decree.
    mean = op.div(total, constant(denominator)) if denominator else op.add(op.mul(total, constant(0)), constant(1))
    return op.neg(op.pow(constant(2), op.neg(mean)))


def _of_columns(trees: Trees, features: Any) -> Trees:
    """Trees of chosen columns as trees of all of them."""
    return replace(trees, feature=np.where(trees.feature < 0, -1, features[trees.feature]).astype(np.int64))


@lowers(EllipticEnvelope, method="score_samples")
def elliptic_score(model: EllipticEnvelope, x: Matrix) -> Var:
    centred = op.sub(x.tensor, constant(model.location_))
    precision = model.get_precision()
    squared = row_sum(op.mul(op.matmul(centred, constant(precision)), centred), x.width)
    # scikit-learn takes the root and squares it again.
    distance = op.sqrt(squared)
    score = op.neg(op.mul(distance, distance))
    # Of columns that nearly follow from others the precision is large, and its terms cancel. Where columns do follow,
    # all rows have one score and labels are left to rounding: then the proof is to say so.
    if np.linalg.matrix_rank(model.covariance_) == x.width:
        size = op.abs(centred)
        terms = op.mul(op.matmul(size, constant(np.abs(precision))), size)
        x.scope.adds_up(score, op.reduce_sum(terms, op.const(np.array([1])), keepdims=1))
    return score


@lowers(IsolationForest, EllipticEnvelope, method="decision_function")
def shifted_score(model: Any, x: Matrix) -> Var:
    score = lower(model, "score_samples", x)
    return same(x, op.sub(score, constant(model.offset_)), score)


@lowers(IsolationForest, EllipticEnvelope, method="predict")
def inlier_labels(model: Any, x: Matrix) -> Var:
    score = lower(model, "decision_function", x)
    if isinstance(model, IsolationForest):
        return inliers(op.not_(op.less(score, constant(0))))
    return inliers(op.greater_or_equal(score, constant(0)))
