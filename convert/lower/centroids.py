"""NearestCentroid and KernelDensity: what a row's distances to fixed points say, each point counted."""

import math
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.neighbors import KernelDensity, NearestCentroid
from sklearn.neighbors._kd_tree import KDTree
from spox import Var

from ..errors import UnsupportedError
from . import lower, lowers
from .distances import constant, euclidean, in_blocks, row_sum, squared_euclidean
from .labels import Labels, argmax, scalar
from .matrix import Matrix
from .metrics import from_reduced, named, reduced_distances


def _in_units(model: Any, x: Matrix) -> tuple[Var, NDArray[np.float64]]:
    """The rows and the centroids in units of the spread within classes."""
    spread = np.where(model.within_class_std_dev_ != 0, model.within_class_std_dev_, 1.0)
    return op.div(x.tensor, constant(spread)), model.centroids_ / spread


def _discriminant(model: Any, x: Matrix) -> Var:
    """The negative squared distance to each centroid in units of the spread within classes, and twice the logarithm
    of the class's prior: [N, classes] (The Elements of Statistical Learning, 18.2)."""

    def make() -> Var:
        tensor, centroids = _in_units(model, x)
        if model.metric == "manhattan":
            distances = reduced_distances(tensor, centroids, "manhattan", {})
        else:
            distances = euclidean(tensor, x.width, centroids)
        with np.errstate(divide="ignore"):
            priors = 2.0 * np.log(model.class_prior_)
        return op.add(op.neg(op.mul(distances, distances)), constant(priors))

    scores: Var = x.once(model, "discriminant", make)
    return scores


def _held_to_squares(model: Any, x: Matrix, answer: Var) -> Var:
    """The answer, and the proof told that it is what is left of squares: scikit-learn multiplies x.x - 2 x.c + c.c, and
    of a row far out the distances to all centroids are nearly the same."""
    tensor, centroids = _in_units(model, x)
    rows = op.reduce_sum_square(tensor, op.const(np.array([1])), keepdims=1)
    x.scope.adds_up(answer, op.add(rows, constant(np.square(centroids).sum(axis=1).max())), alone=True)
    return answer


@lowers(NearestCentroid, method="decision_function")
def centroid_decision(model: NearestCentroid, x: Matrix) -> Var:
    scores = _discriminant(model, x)
    if len(model.classes_) > 2:
        return _held_to_squares(model, x, scores)
    first, second = op.split(scores, num_outputs=2, axis=1)
    return _held_to_squares(model, x, scalar(op.sub(second, first)))


@lowers(NearestCentroid, method="predict")
def centroid_labels(model: NearestCentroid, x: Matrix) -> Labels:
    if not np.isclose(model.class_prior_, 1 / len(model.classes_)).all():
        return argmax(_discriminant(model, x), model.classes_)
    # With equal priors scikit-learn compares the plain distances, not those of the decision function.
    if model.metric == "manhattan":
        distances = reduced_distances(x.tensor, model.centroids_, "manhattan", {})
    else:
        distances = squared_euclidean(x.tensor, x.width, model.centroids_)
    return Labels(op.arg_min(distances, axis=1, keepdims=0), (model.classes_,))


@lowers(NearestCentroid, method="predict_log_proba")
def centroid_log_probabilities(model: NearestCentroid, x: Matrix) -> Var:
    scores = _discriminant(model, x)
    likelihood = op.sub(scores, op.reduce_max(scores, op.const(np.array([1])), keepdims=1))
    total = op.reshape(row_sum(op.exp(likelihood), len(model.classes_)), op.const(np.array([-1, 1])))
    return _held_to_squares(model, x, op.sub(likelihood, op.log(total)))


@lowers(NearestCentroid, method="predict_proba")
def centroid_probabilities(model: NearestCentroid, x: Matrix) -> Var:
    return op.exp(lower(model, "predict_log_proba", x))


def _log_kernel(kernel: str, distances: Var, bandwidth: float) -> Var:
    """sklearn.neighbors._binary_tree.compute_log_kernel."""
    h, one = constant(bandwidth), constant(1)
    match kernel:
        case "gaussian":
            squared = op.mul(constant(-0.5), op.mul(distances, distances))
            return op.div(squared, constant(bandwidth * bandwidth))
        case "exponential":
            return op.div(op.neg(distances), h)
        case "tophat":
            values = op.mul(distances, constant(0))
        case "epanechnikov":
            values = op.log(op.sub(one, op.div(op.mul(distances, distances), constant(bandwidth * bandwidth))))
        case "linear":
            values = op.log(op.sub(one, op.div(distances, h)))
        case _:
            values = op.log(op.cos(op.div(op.mul(constant(0.5 * np.pi), distances), h)))
    return op.where(op.less(distances, h), values, constant(-np.inf))


@lowers(KernelDensity, method="score_samples")
def log_density(model: KernelDensity, x: Matrix) -> Var:
    tree = model.tree_
    if model.atol or model.rtol:
        raise UnsupportedError(
            f"expected a KernelDensity with atol=0 and rtol=0, found {model.atol:g} and {model.rtol:g}, within which "
            "the answer depends on its tree: set them to zero, for that the model need not be fitted again"
        )
    points = np.asarray(tree.data)
    metric, parameters = named(model.metric, model.metric_params or {})
    weights = tree.sample_weight
    count = len(points) if weights is None else float(tree.sum_weight)

    def density(rows: Var) -> list[Var]:
        distances = from_reduced(reduced_distances(rows, points, metric, parameters, blocks=False), metric, parameters)
        terms = _log_kernel(model.kernel, distances, model.bandwidth_)
        if weights is not None:
            terms = op.add(terms, constant(np.log(np.asarray(weights))))
        largest = op.reduce_max(terms, op.const(np.array([1])), keepdims=1)
        # Where no point is within reach the largest is minus infinity, and so is the answer.
        shift = op.where(op.isinf(largest), constant(0), largest)
        total = op.reduce_sum(op.exp(op.sub(terms, shift)), op.const(np.array([1])), keepdims=1)
        return [op.add(op.add(op.log(total), shift), constant(_log_norm(model, x.width)))]

    (found,) = in_blocks(x.tensor, points.size, density)
    answer = scalar(op.sub(found, constant(np.log(count))))
    # scikit-learn takes bounds off bounds, and where no point is within reach a rounding of them is left.
    x.scope.logarithms.append((answer, math.exp(_log_norm(model, x.width)) / 1000))
    return answer


def _log_norm(model: KernelDensity, width: int) -> float:
    """The logarithm of the kernel's norm, asked of a tree of one point at that very point, where each kernel is 1."""
    point = np.zeros((1, width))
    return float(KDTree(point).kernel_density(point, model.bandwidth_, kernel=model.kernel, return_log=True)[0])
